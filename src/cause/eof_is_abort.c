/* eof-is-abort: while the answer to a request is made, the server hears EOF and takes it for a client that is
 * gone. It may be one that has said all it has to say, and waits: EOF is half a close. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>

enum { WORK_MS = 20 };

static void on_answer_ready(struct visit *visit, short what)
{
    (void)what;
    act_apply(ACT_WRITE, visit->fd);
    visit_close(visit);
}

static void on_work_or_readable(struct visit *visit, short what)
{
    if (what & EV_TIMEOUT)
        on_answer_ready(visit, what);
    else if (visit_read(visit) != 0)
        return;
    else if (visit->endpoint->fixed)
        visit_hear_within(visit, EV_TIMEOUT, WORK_MS, on_answer_ready); /* the fix: first the answer */
    else
        visit_close(visit); /* the bug: "gone", and the answer is dropped */
}

static void on_request(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close(visit);
    else if (got > 0)
        visit_hear_within(visit, EV_READ, WORK_MS, on_work_or_readable);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    visit_begin(endpoint, fd, EV_READ, on_request);
}

const struct behaviour eof_is_abort = {
    .name = "eof-is-abort",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
