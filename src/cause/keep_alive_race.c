/* keep-alive-race: a client keeps an idle connection for exactly as long as the server does. The server's FIN
 * and the next request pass each other: the request arrives at a connection that is closed, and is lost. */
#include "base/clock.h"
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum {
    ON_ITS_WAY_MS = 10, /* from the client's look at an idle connection until its request is there, as between
                         * two hosts */
    REQUESTS_MOST = 4,  /* on one connection */
};

/* How long the server keeps an idle connection, the client finds out: the last that it closed tells. */
struct race {
    struct visits visits;
    int64_t idle_us; /* 0: none was closed so far */
};

static void on_idle(struct visit *visit, short what);

static void leave_lost(struct visit *visit)
{
    visit->endpoint->lost += visit->requests > 1;
    visit_close(visit);
}

static void become_idle(struct visit *visit)
{
    const struct race *race = visit->endpoint->state;
    int64_t for_ms = race->idle_us / 1000, early_ms = ON_ITS_WAY_MS / 2;
    visit->since_us = monotonic_us();
    if (visit->endpoint->fixed)
        for_ms /= 2;
    else
        for_ms = for_ms > early_ms ? for_ms - early_ms : for_ms;
    visit_hear_within(visit, EV_READ, for_ms, on_idle);
}

static void on_reply(struct visit *visit, short what)
{
    (void)what;
    struct race *race = visit->endpoint->state;
    ssize_t got = visit_read(visit);
    if (got == 0)
        leave_lost(visit);
    if (got <= 0)
        return;
    if (visit->requests > 1)
        race->idle_us += ON_ITS_WAY_MS * 1000 / 2; /* the server waits longer */
    if (visit->requests == REQUESTS_MOST)
        visit_close(visit);
    else
        become_idle(visit);
}

/* The connection was looked at a moment ago, and was open. */
static void on_request_there(struct visit *visit, short what)
{
    (void)what;
    visit->requests++;
    if (endpoint_ask(visit->endpoint, visit->fd) != 0)
        leave_lost(visit);
    else
        visit_hear(visit, EV_READ, on_reply);
}

static void on_idle(struct visit *visit, short what)
{
    struct race *race = visit->endpoint->state;
    ssize_t got = what & EV_READ ? visit_read(visit) : -1;
    if (got == 0) {
        race->idle_us = monotonic_us() - visit->since_us;
        visit_close(visit);
    } else if (got > 0) { /* the reply goes on */
        become_idle(visit);
    } else if ((what & EV_TIMEOUT) && visit->endpoint->fixed) {
        visit_close(visit); /* the fix: it is the client that closes, and its next request opens another */
    } else if (what & EV_TIMEOUT) {
        visit_hear_within(visit, EV_TIMEOUT, ON_ITS_WAY_MS, on_request_there); /* the bug */
    }
}

static int start(struct endpoint *endpoint)
{
    return visits_start_with(endpoint, sizeof(struct race));
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    struct visit *visit = visit_begin(endpoint, fd, EV_READ, on_reply);
    visit->requests = 1;
    if (endpoint_ask(endpoint, fd) != 0)
        leave_lost(visit);
}

const struct behaviour keep_alive_race = {
    .name = "keep-alive-race",
    .start = start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
