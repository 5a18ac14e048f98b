/* dead-pool-entry: a client keeps a connection for the next request and does not look at it meanwhile. The
 * server's time for idle connections is over first. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

static void on_idle_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit); /* a server that closes an idle connection has not failed: just leave the pool */
}

static void put_into_pool(struct visit *visit)
{
    if (visit->endpoint->fixed)
        visit_hear(visit, EV_READ, on_idle_readable); /* the fix */
    else
        visit_hear(visit, 0, NULL); /* the bug: the next request will find it dead, or none comes */
}

static void on_reply(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close_unanswered(visit);
    else if (got > 0)
        put_into_pool(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_ask(visit_begin(endpoint, fd, 0, NULL), on_reply);
}

const struct behaviour dead_pool_entry = {
    .name = "dead-pool-entry",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
