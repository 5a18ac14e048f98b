/* lost-reference: on one path through the code, that of a cancelled request, the record of the connection is
 * freed, and with it the only place where its descriptor was known. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum { REQUESTS_PER_CANCELLED = 5 };

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit);
}

static void on_cancelled(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) < 0)
        return;
    if (visit->endpoint->fixed)
        visit_close(visit); /* the fix: closed on this path too */
    else
        visit_forget(visit); /* the bug: free() without close() */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ,
                endpoint->begun % REQUESTS_PER_CANCELLED == 0 ? on_cancelled : on_readable);
}

const struct behaviour lost_reference = {
    .name = "lost-reference",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
