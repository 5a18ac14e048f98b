#include "cmd/played_cause.h"

#include "base/diag.h"
#include "base/output.h"
#include "cmd/command.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void refuse_name(const char *name)
{
    const char *meant = cause_nearest(name);
    if (meant != NULL)
        diag_error("--cause \"%s\": there is no such cause: did you mean %s?", name, meant);
    else
        diag_error("--cause \"%s\": there is no such cause: \"tcpstorm causes\" lists them", name);
}

static void refuse_side(const char *name, enum side side)
{
    if (side == SIDE_SERVER)
        diag_error("--cause \"%s\": only a client can have that bug: \"tcpstorm client --cause %s "
                   "HOST:PORT\" plays it",
                   name, name);
    else
        diag_error("--cause \"%s\": only a server can have that bug: \"tcpstorm server --cause %s\" plays it",
                   name, name);
}

const struct fault_case *played_cause_find(const char *name, enum side side)
{
    const struct fault_case *cause = cause_find(name);
    if (cause == NULL)
        refuse_name(name);
    else if (cause->signature.at_fault != side)
        refuse_side(name, side);
    else
        return cause;
    return NULL;
}

int played_cause_open(struct played_cause *played, const struct fault_case *cause, bool fixed)
{
    *played = (struct played_cause){.cause = cause};
    played->endpoint.behaviour = cause->behaviour[cause->signature.at_fault];
    played->endpoint.fixed = fixed;
    played->endpoint.base = event_base_new();
    if (played->endpoint.base != NULL)
        return EXIT_AS_EXPECTED;
    diag_error("--cause \"%s\": cannot start: %s", cause->bug.name, strerror(ENOMEM));
    return EXIT_MACHINE;
}

void played_cause_close(struct played_cause *played)
{
    event_base_free(played->endpoint.base);
}

void played_cause_say(const struct played_cause *played, FILE *out)
{
    const struct fault_case *cause = played->cause;
    bool fixed = played->endpoint.fixed;
    fprintf(out, "%s %s%s: %s\n", fixed ? "with" : "with the bug", cause->bug.name, fixed ? " fixed" : "",
            fixed ? cause->fixed.summary : cause->bug.summary);
}

/* ---- the loop ---- */

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct played_cause *played = context;
    played->is_interrupted = true;
    diag_progress_clear();
    diag_error("interrupted: quitting");
    event_base_loopbreak(played->endpoint.base);
}

static void on_news_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct played_cause *played = context;
    output_push_all();
    played->tell(played);
}

static void hear(struct played_cause *played)
{
    static const struct timeval every = {1, 0};
    struct event_base *base = played->endpoint.base;
    signal(SIGPIPE, SIG_IGN);
    stop_events_open(&played->stops, base, on_stop_signal, played);
    played->quits = evsignal_new(base, SIGQUIT, on_stop_signal, played);
    event_add(played->quits, NULL);
    played->news = event_new(base, -1, EV_PERSIST, on_news_due, played);
    event_add(played->news, &every);
}

static void hear_no_more(struct played_cause *played)
{
    stop_events_close(&played->stops);
    event_free(played->quits);
    event_free(played->news);
}

int played_cause_run(struct played_cause *played, on_second *tell)
{
    played->tell = tell;
    hear(played);
    int code = EXIT_MACHINE; /* where standard output fails, main.c says why */
    if (fflush(stdout) == 0 && event_base_dispatch(played->endpoint.base) == 0)
        code = played->is_interrupted ? EXIT_INTERRUPTED : EXIT_AS_EXPECTED;
    hear_no_more(played);
    return code;
}
