/* ignore-eof: recv() returns 0, and the server takes it for "nothing more to read" instead of "close". */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) != 0)
        return;
    if (visit->endpoint->fixed)
        visit_close(visit); /* the fix */
    else
        visit_hear(visit, 0, NULL); /* the bug: the event is disabled, the descriptor stays */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
}

const struct behaviour ignore_eof = {
    .name = "ignore-eof",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
