/* no-timeout: the server waits for the next request of a client that has vanished: its machine lost power, a
 * firewall forgot the connection. No FIN comes, ever, and who only waits sends nothing that could fail. */
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* The fix: the kernel asks, and without an answer the connection is over. In earnest these are minutes. */
static void keep_alive(int fd)
{
    const int on = 1, idle_s = 1, interval_s = 1, probes = 2;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static void on_readable(struct visit *visit, short what)
{
    (void)what;
    if (visit_read(visit) == 0)
        visit_close(visit); /* EOF, ECONNRESET, ETIMEDOUT: whatever is heard, it closes */
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    if (endpoint->fixed)
        keep_alive(fd);
    visit_begin(endpoint, fd, EV_READ, on_readable); /* the bug: for however long nothing is heard */
}

const struct behaviour no_timeout = {
    .name = "no-timeout",
    .start = visits_start,
    .on_connection = on_connection,
    .stop = visits_stop,
};
