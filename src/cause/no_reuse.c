/* no-reuse: a client opens a connection for each request, and ends it first. Whose FIN is first has the
 * TIME_WAIT: for a minute each request takes one of the client's ports. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>
#include <sys/socket.h>

enum { PARTING_MS = 1000 };

static void on_parting(struct visit *visit, short what)
{
    if ((what & EV_TIMEOUT) || visit_read(visit) == 0)
        visit_close(visit);
}

/* The rest of a long reply is still read: close() over unread data would be an RST, which leaves no
 * TIME_WAIT.
 */
static void leave(struct visit *visit)
{
    shutdown(visit->fd, SHUT_WR);
    visit_hear_within(visit, EV_READ, PARTING_MS, on_parting);
}

static void on_idle(struct visit *visit, short what)
{
    if ((what & EV_TIMEOUT) || visit_read(visit) == 0)
        visit_close(visit);
}

static void on_reply(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0) {
        visit_close_unanswered(visit);
    } else if (got > 0 && visit->endpoint->fixed) {
        /* the fix: it stays for the next request; where none comes the client closes before the server does
         */
        visit_hear_within(visit, EV_READ, visit->endpoint->life_us / 2000, on_idle);
    } else if (got > 0) {
        leave(visit); /* the bug */
    }
}

static bool on_due(struct endpoint *endpoint)
{
    struct visits *visits = endpoint->state;
    struct visit *visit, *next;
    for (visit = LIST_FIRST(visits); visit != NULL; visit = next) {
        next = LIST_NEXT(visit, link);
        if (visit->on_event == on_idle && visit_ask(visit, on_reply)) {
            endpoint->reused++;
            return true;
        }
    }
    return false;
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_ask(visit_begin(endpoint, fd, 0, NULL), on_reply);
}

const struct behaviour no_reuse = {
    .name = "no-reuse",
    .start = visits_start,
    .on_connection = on_connection,
    .on_due = on_due,
    .may_not_connect = true,
    .stop = visits_stop,
};
