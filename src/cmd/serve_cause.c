#include "cmd/serve_cause.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "base/output.h"
#include "cause/cause.h"
#include "cmd/command.h"
#include "control/stop_events.h"
#include "kernel/host_limits.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { BACKLOG = 128 };

struct service {
    const struct fault_case *cause;
    struct endpoint endpoint;
    struct listener *listener;
    struct stop_events stops;
    struct event *quits, *news;
    int64_t told_begun, told_held; /* what the last news said */
};

/* ---- what it says ---- */

static void say_where(const struct service *service, const struct interactive_options *options)
{
    const struct fault_case *cause = service->cause;
    bool fixed = service->endpoint.fixed;
    printf("Listening on %s:%lld %s %s%s: %s\n", address_text(&options->address).text,
           (long long)options->port, fixed ? "with" : "with the bug", cause->bug.name, fixed ? " fixed" : "",
           fixed ? cause->fixed.summary : cause->bug.summary);
}

static void on_news_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct service *service = context;
    int64_t begun = service->endpoint.begun, held = service->endpoint.descriptors.count;
    output_push_all();
    if (begun == service->told_begun && held == service->told_held)
        return;
    service->told_begun = begun;
    service->told_held = held;
    diag_progress("accepted so far: %s, descriptors held: %s", grouped(begun).text, grouped(held).text);
}

static int refuse_port(const struct interactive_options *options, int error)
{
    if (error == EADDRINUSE)
        diag_error("port %lld is in use: choose another with --port", (long long)options->port);
    else
        diag_error("cannot listen on %s:%lld: %s", address_text(&options->address).text,
                   (long long)options->port, strerror(error));
    return EXIT_MACHINE;
}

/* ---- life ---- */

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct service *service = context;
    diag_progress_clear();
    diag_error("interrupted: leaving");
    event_base_loopbreak(service->endpoint.base);
}

static void hear(struct service *service)
{
    static const struct timeval every = {1, 0};
    struct event_base *base = service->endpoint.base;
    signal(SIGPIPE, SIG_IGN);
    stop_events_open(&service->stops, base, on_stop_signal, service);
    service->quits = evsignal_new(base, SIGQUIT, on_stop_signal, service);
    event_add(service->quits, NULL);
    service->news = event_new(base, -1, EV_PERSIST, on_news_due, service);
    event_add(service->news, &every);
}

static void hear_no_more(struct service *service)
{
    stop_events_close(&service->stops);
    event_free(service->quits);
    event_free(service->news);
}

static void limit_descriptors(int64_t most)
{
    const struct rlimit limit = {(rlim_t)most, (rlim_t)most};
    if (most == 0)
        host_raise_nofile();
    else
        setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(struct service *service, const struct interactive_options *options)
{
    int error;
    service->listener = listener_open(service->endpoint.base, &options->address, (uint16_t)options->port,
                                      BACKLOG, endpoint_on_acceptable, &service->endpoint, &error);
    if (service->listener == NULL)
        return refuse_port(options, -error);
    int code = EXIT_MACHINE;
    int rc = endpoint_start(&service->endpoint);
    if (rc == 0) {
        if (service->endpoint.behaviour->on_listening != NULL)
            service->endpoint.behaviour->on_listening(&service->endpoint, service->listener);
        hear(service);
        say_where(service, options);
        if (fflush(stdout) == 0 && event_base_dispatch(service->endpoint.base) == 0)
            code = EXIT_INTERRUPTED;
        hear_no_more(service);
        endpoint_stop(&service->endpoint);
    } else {
        diag_error("cannot begin to serve: %s", strerror(-rc));
    }
    listener_free(service->listener);
    return code;
}

static int refuse_cause(const char *name)
{
    const char *meant = cause_nearest(name);
    if (meant != NULL)
        diag_error("--cause \"%s\": there is no such cause: did you mean %s?", name, meant);
    else
        diag_error("--cause \"%s\": there is no such cause: \"tcpstorm causes\" lists them", name);
    return EXIT_USAGE;
}

int serve_cause(const struct interactive_options *options, const char *name, bool fixed)
{
    struct service service = {.cause = cause_find(name)};
    if (service.cause == NULL)
        return refuse_cause(name);
    if (service.cause->behaviour[SIDE_SERVER] == NULL) {
        diag_error("--cause \"%s\": that bug is a client's, and no server can show it", name);
        return EXIT_USAGE;
    }
    limit_descriptors(service.cause->server_nofile);
    service.endpoint.behaviour = service.cause->behaviour[SIDE_SERVER];
    service.endpoint.fixed = fixed;
    service.endpoint.base = event_base_new();
    if (service.endpoint.base == NULL) {
        diag_error("cannot begin to serve: %s", strerror(ENOMEM));
        return EXIT_MACHINE;
    }
    int code = serve(&service, options);
    event_base_free(service.endpoint.base);
    return code;
}
