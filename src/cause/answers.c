/* answers: no bug, but the server that clients with one need: it answers each request, closes at EOF, and
 * closes a connection on which nobody has asked anything for the time of a life. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

static void on_heard(struct visit *visit, short what)
{
    ssize_t got = what & EV_READ ? visit_read(visit) : 0;
    if (got > 0)
        act_apply(ACT_WRITE, visit->fd);
    else if (got == 0)
        visit_close(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    struct visit *visit = visit_begin(endpoint, fd, 0, NULL);
    visit_hear_within(visit, EV_READ, endpoint->life_us / 1000, on_heard);
}

const struct behaviour answers = {
    .name = "answers",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
