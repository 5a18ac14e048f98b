/* second-socket-forgotten: a proxy holds two sockets for each client. On its error path it closes the one
 * that failed, the client's, and forgets the other: the backend never hears that nobody asks any more. */
#include "cause/cause.h"
#include "cause/two_sockets.h"

#include <event2/event.h>
#include <sys/socket.h>

static void on_client_failed(struct visit *client)
{
    if (client->endpoint->fixed) {
        proxy_end_both(client); /* the fix: both, on every path */
        return;
    }
    visit_forget(client->peer); /* the bug */
    visit_close(client);
}

static void on_client_readable(struct visit *client, short what)
{
    (void)what;
    ssize_t got = proxy_copy(client);
    if (got < 0)
        on_client_failed(client);
    if (got != 0)
        return;
    shutdown(client->peer->fd, SHUT_WR);
    visit_hear(client, 0, NULL);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    proxy_begin(endpoint, fd, on_client_readable, proxy_from_backend);
}

const struct behaviour second_socket_forgotten = {
    .name = "second-socket-forgotten",
    .start = proxy_start,
    .on_connection = on_connection,
    .held_elsewhere = proxy_held_behind,
    .stop = proxy_stop,
};
