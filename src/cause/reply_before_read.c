/* reply-before-read: the server answers as soon as a request begins, and closes with the rest of it unread.
 * A close() over unread data is a reset: the client fails at sending, and never reads its reply. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

static void reply_and_close(struct visit *visit)
{
    act_apply(ACT_WRITE, visit->fd);
    visit_close(visit);
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (!visit->endpoint->fixed)
        reply_and_close(visit); /* the bug: something has come, nothing of it was read */
    else if (visit_read(visit) == 0)
        reply_and_close(visit); /* the fix: first everything is read, to the EOF */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
}

const struct behaviour reply_before_read = {
    .name = "reply-before-read",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
