/* stalled-reader: the server has more to say than fits into the buffers, to a client that does not read. It
 * waits for room, and gives that no time: the client is there, so no time-out of the kernel ends it. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

enum { REPLY_BYTES = 512 * 1024, SEND_BUFFER = 32 * 1024, PATIENCE_MS = 300, FOR_EVER = 0 };

static void on_room(struct visit *visit, short what)
{
    static const char piece[16 * 1024];
    ssize_t sent = 0;
    while (visit->unsaid > 0 && sent >= 0) {
        sent = send(visit->fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        visit->unsaid -= sent > 0 ? sent : 0;
    }
    if (visit->unsaid <= 0)
        visit_close(visit);
    else if ((what & EV_TIMEOUT) || errno != EAGAIN)
        visit_reset(visit); /* a close() would leave it to the kernel, in FIN_WAIT1, for minutes */
}

static void on_request(struct visit *visit, short what)
{
    (void)what;
    ssize_t got = visit_read(visit);
    if (got == 0)
        visit_close(visit);
    if (got <= 0)
        return;
    visit->unsaid = REPLY_BYTES;
    visit_hear_within(visit, EV_WRITE, visit->endpoint->fixed ? PATIENCE_MS : FOR_EVER,
                      on_room); /* fix, bug */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    const int bytes = SEND_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    visit_begin(endpoint, fd, EV_READ, on_request);
}

const struct behaviour stalled_reader = {
    .name = "stalled-reader",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
