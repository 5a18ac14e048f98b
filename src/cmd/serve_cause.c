#include "cmd/serve_cause.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/command.h"
#include "cmd/played_cause.h"
#include "kernel/host_limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { BACKLOG = 128 };

struct service {
    struct played_cause played; /* the first member */
    struct listener *listener;
    int64_t told_begun, told_held; /* what the last news said */
};

static void tell(struct played_cause *played)
{
    struct service *service = (struct service *)played;
    int64_t begun = played->endpoint.begun, held = played->endpoint.descriptors.count;
    if (begun == service->told_begun && held == service->told_held)
        return;
    service->told_begun = begun;
    service->told_held = held;
    diag_progress("accepted so far: %s, descriptors held: %s", grouped(begun).text, grouped(held).text);
}

static int refuse_port(const struct interactive_options *options, int error)
{
    if (error == EADDRINUSE)
        diag_error("port %lld is in use: choose another --port", (long long)options->port);
    else
        diag_error("cannot listen on %s:%lld: %s", address_text(&options->address).text,
                   (long long)options->port, strerror(error));
    return EXIT_MACHINE;
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
    struct endpoint *endpoint = &service->played.endpoint;
    service->listener = listener_open(endpoint->base, &options->address, (uint16_t)options->port, BACKLOG,
                                      endpoint_on_acceptable, endpoint, &error);
    if (service->listener == NULL)
        return refuse_port(options, -error);
    int code = EXIT_MACHINE;
    int rc = endpoint_start(endpoint);
    if (rc == 0) {
        if (endpoint->behaviour->on_listening != NULL)
            endpoint->behaviour->on_listening(endpoint, service->listener);
        printf("Listening on %s:%lld ", address_text(&options->address).text, (long long)options->port);
        played_cause_say(&service->played, stdout);
        code = played_cause_run(&service->played, tell);
        endpoint_stop(endpoint);
    } else {
        diag_error("cannot start the server: %s", strerror(-rc));
    }
    listener_free(service->listener);
    return code;
}

int serve_cause(const struct interactive_options *options, const char *name, bool fixed)
{
    struct service service = {.listener = NULL};
    const struct fault_case *cause = played_cause_find(name, SIDE_SERVER);
    if (cause == NULL)
        return EXIT_USAGE;
    int code = played_cause_open(&service.played, cause, fixed);
    if (code != EXIT_AS_EXPECTED)
        return code;
    limit_descriptors(service.played.cause->server_nofile);
    code = serve(&service, options);
    played_cause_close(&service.played);
    return code;
}
