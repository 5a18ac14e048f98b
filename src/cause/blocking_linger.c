/* blocking-linger: one thread serves all clients, and SO_LINGER is to make sure that they have their replies.
 * close() then waits, on a non-blocking socket as on any, until the client's kernel has taken all of it: for
 * a client that does not read, until the linger time is over. So does everybody else. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

/* The reply fits into our buffer, and not into that of a client that does not read. */
enum { REPLY_BYTES = 192 * 1024, SEND_BUFFER = 256 * 1024, LINGER_S = 2 };

static void set(struct endpoint *endpoint, int fd, int option, const void *value, socklen_t size)
{
    if (setsockopt(fd, SOL_SOCKET, option, value, size) != 0)
        endpoint_fail(endpoint, "setsockopt", errno);
}

static void on_room(struct visit *visit, short what)
{
    (void)what;
    static const char piece[16 * 1024];
    ssize_t sent = 0;
    while (visit->unsaid > 0 && sent >= 0) {
        sent = send(visit->fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        visit->unsaid -= sent > 0 ? sent : 0;
    }
    if (visit->unsaid <= 0)
        visit_close(visit); /* the bug shows here: this call takes up to LINGER_S */
    else if (errno != EAGAIN)
        visit_reset(visit);
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
    visit_hear(visit, EV_WRITE, on_room);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    static const int bytes = SEND_BUFFER;
    static const struct linger wait = {.l_onoff = 1, .l_linger = LINGER_S};
    set(endpoint, fd, SO_SNDBUF, &bytes, sizeof bytes);
    if (!endpoint->fixed)
        set(endpoint, fd, SO_LINGER, &wait, sizeof wait); /* the bug; the fix is to leave it off */
    visit_begin(endpoint, fd, EV_READ, on_request);
}

const struct behaviour blocking_linger = {
    .name = "blocking-linger",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
