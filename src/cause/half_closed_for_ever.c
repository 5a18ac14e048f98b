/* half-closed-for-ever: the server says what it has to say, ends its half with shutdown(), and waits for the
 * client to end the other. A client that keeps its end never does, and tcp_fin_timeout runs after close()
 * alone. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum { LINGER_MS = 200, FOR_EVER = 0 };

static void on_rest(struct visit *visit, short what)
{
    if ((what & EV_TIMEOUT) || visit_read(visit) == 0)
        visit_close(visit);
}

static void on_request(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close(visit);
    if (got <= 0)
        return;
    act_apply(ACT_WRITE, visit->fd);
    act_apply(ACT_SHUTDOWN, visit->fd);
    visit_hear_within(visit, EV_READ, visit->endpoint->fixed ? LINGER_MS : FOR_EVER, on_rest); /* fix, bug */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_request);
}

const struct behaviour half_closed_for_ever = {
    .name = "half-closed-for-ever",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
