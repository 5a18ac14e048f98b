/* no-half-close: a proxy copies both ways, and does not pass on that the client has said all it has to say.
 * The backend waits for the end of the request, the proxy for the backend. */
#include "cause/cause.h"
#include "cause/two_sockets.h"

#include <event2/event.h>
#include <sys/socket.h>

static void on_client_readable(struct visit *client, short what)
{
    (void)what;
    ssize_t got = proxy_copy(client);
    if (got < 0)
        proxy_end_both(client);
    if (got != 0)
        return;
    if (client->endpoint->fixed)
        shutdown(client->peer->fd, SHUT_WR); /* the fix; the bug: the backend is not told */
    visit_hear(client, 0, NULL);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    proxy_begin(endpoint, fd, on_client_readable, proxy_from_backend);
}

const struct behaviour no_half_close = {
    .name = "no-half-close",
    .start = proxy_start,
    .on_connection = on_connection,
    .stop = proxy_stop,
};
