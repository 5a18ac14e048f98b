/* never-accept: the thread that accepts is stuck. The kernel goes on completing handshakes for it: clients
 * are connected to nobody. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum { ACCEPTED_BEFORE = 10 };

static void on_acceptable(struct endpoint *endpoint, struct listener *listener)
{
    if (!endpoint->fixed && endpoint->begun >= ACCEPTED_BEFORE)
        listener_leave(listener); /* the bug: accept() is never called again, and the listener stays open */
    else
        endpoint_accept_all(endpoint, listener); /* the fix: it goes on */
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_readable);
}

const struct behaviour never_accept = {
    .name = "never-accept",
    .start = visits_start,
    .on_connection = on_connection,
    .on_acceptable = on_acceptable,
    .stop = visits_stop,
};
