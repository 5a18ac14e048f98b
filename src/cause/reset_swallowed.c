/* reset-swallowed: a server that streams takes every error of its connection for "not now". After a reset
 * there is no later: the connection is in no table any more, and its descriptor stays. */
#include "cause/cause.h"
#include "cause/visit.h"
#include "kernel/ghost.h"

#include <event2/event.h>

static void on_failed(struct visit *visit)
{
    if (visit->endpoint->fixed)
        visit_close(visit); /* the fix: an error closes */
    else
        visit_hear(visit, 0, NULL); /* the bug: ECONNRESET is swallowed, and nothing comes any more */
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got > 0)
        act_apply(ACT_WRITE, visit->fd); /* a piece of the stream */
    else if (got == 0 && is_ghost(visit->fd))
        on_failed(visit);
    else if (got == 0)
        visit_close(visit); /* EOF is heard, as it should be */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
}

const struct behaviour reset_swallowed = {
    .name = "reset-swallowed",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
