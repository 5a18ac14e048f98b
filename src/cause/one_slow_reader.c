/* one-slow-reader: of many clients one asks and does not read the reply for a while; when it has left, the
 * next one does so. The others read, and measure how long they wait for their replies. */
#include "cause/cause.h"
#include "cause/visit.h"

#include "base/clock.h"

#include <event2/event.h>

enum { READ_NOTHING_MS = 2500, FIRST_SLOW = 2 };

struct clients {
    struct visits visits;
    struct visit *slow; /* NULL: the next one will be */
};

static void on_patience_over(struct visit *visit, short what)
{
    (void)what;
    ((struct clients *)visit->endpoint->state)->slow = NULL;
    visit_close(visit);
}

static void on_more(struct visit *visit, short what)
{
    (void)what;
    ssize_t got;
    while ((got = visit_read(visit)) > 0)
        ;
    if (got == 0)
        visit_close(visit);
}

static void on_reply(struct visit *visit, short what)
{
    struct endpoint *endpoint = visit->endpoint;
    int64_t took_us = monotonic_us() - visit->since_us;
    if (endpoint->slowest_us < took_us)
        endpoint->slowest_us = took_us;
    visit_hear(visit, EV_READ, on_more);
    on_more(visit, what);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    struct clients *clients = endpoint->state;
    endpoint_ask(endpoint, fd);
    struct visit *visit = visit_begin(endpoint, fd, EV_READ, on_reply);
    visit->since_us = monotonic_us();
    if (clients->slow != NULL || endpoint->begun < FIRST_SLOW)
        return;
    clients->slow = visit;
    visit_hear_within(visit, EV_TIMEOUT, READ_NOTHING_MS, on_patience_over);
}

static int start(struct endpoint *endpoint)
{
    return visits_start_with(endpoint, sizeof(struct clients));
}

const struct behaviour one_slow_reader = {
    .name = "one-slow-reader",
    .start = start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
