/* keep-alive-race: a client keeps an idle connection for exactly as long as the server does. The server's FIN
 * and the next request pass each other: the request arrives at a connection that is closed, and is lost. */
#include "base/clock.h"
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum {
    ON_ITS_WAY_MS = 10, /* from the client's look at an idle connection until its request is there, as between
                         * two hosts */
    KEPT_MS = 2 * ON_ITS_WAY_MS, /* idle for longer than that a connection is kept alive */
    REQUESTS_MOST = 4,           /* on one connection */
};

static void on_idle(struct visit *visit, short what);

/* A server that closes right after its reply keeps none, and the client waits for its EOF; so it does where
 * the server has closed none yet. */
static void become_idle(struct visit *visit)
{
    int64_t kept_ms = visit->endpoint->idle_us / 1000, for_ms = 0;
    visit->since_us = monotonic_us();
    if (kept_ms > KEPT_MS)
        for_ms = visit->endpoint->fixed ? kept_ms / 2 : kept_ms - ON_ITS_WAY_MS / 2;
    visit_hear_within(visit, EV_READ, for_ms, on_idle);
}

static void on_reply(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close_unanswered(visit);
    if (got <= 0)
        return;
    if (visit->requests > 1)
        visit->endpoint->idle_us += ON_ITS_WAY_MS * 1000 / 2; /* the server waits longer */
    if (visit->requests == REQUESTS_MOST)
        visit_close(visit);
    else
        become_idle(visit);
}

/* The connection was looked at a moment ago, and was open. */
static void on_request_there(struct visit *visit, short what)
{
    (void)what;
    visit_ask(visit, on_reply);
}

static void on_idle(struct visit *visit, short what)
{
    ssize_t got = what & EV_READ ? visit_read(visit) : -1;
    if (got == 0) {
        /* The client finds out how long the server keeps them: the last that it closed tells. */
        visit->endpoint->idle_us = monotonic_us() - visit->since_us;
        visit_close(visit);
    } else if (got > 0) { /* the reply goes on */
        become_idle(visit);
    } else if ((what & EV_TIMEOUT) && visit->endpoint->fixed) {
        visit_close(visit); /* the fix: it is the client that closes, and its next request opens another */
    } else if (what & EV_TIMEOUT) {
        visit_hear_within(visit, EV_TIMEOUT, ON_ITS_WAY_MS, on_request_there); /* the bug */
    }
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_ask(visit_begin(endpoint, fd, 0, NULL), on_reply);
}

const struct behaviour keep_alive_race = {
    .name = "keep-alive-race",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
