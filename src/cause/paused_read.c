/* paused-read: a request is passed on to something slow, and until that has room again the server reads no
 * more. EOF is something that is read, so it is not noticed either. */
#include "cause/cause.h"
#include "cause/visit.h"
#include "kernel/ghost.h"

#include <event2/event.h>

/* Data may come: it is not for now. A reset comes as EV_READ alone. */
static void on_paused(struct visit *visit, short what)
{
    if ((what & EV_CLOSED) || is_ghost(visit->fd))
        visit_close(visit);
}

/* EV_CLOSED is EPOLLRDHUP: the FIN is there, whether or not the data before it was read. By itself it would
 * not do: a reset is reported as EV_READ, and libevent spins where nobody hears that. Edge-triggered, the
 * data that is left unread does not make it spin. */
static void pause_reading(struct visit *visit)
{
    if (visit->endpoint->fixed)
        visit_hear(visit, EV_CLOSED | EV_READ | EV_ET, on_paused); /* the fix */
    else
        visit_hear(visit, 0, NULL); /* the bug: event_del(), and nothing is heard any more */
}

static void on_request(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close(visit);
    else if (got > 0)
        pause_reading(visit); /* what it was passed on to never has room again */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_request);
}

const struct behaviour paused_read = {
    .name = "paused-read",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
