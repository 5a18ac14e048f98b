/* no-half-close: a proxy copies both ways, and does not pass on that the client has said all it has to say.
 * The backend waits for the end of the request, the proxy for the backend. */
#include "cause/backend.h"
#include "cause/cause.h"
#include "cause/visit.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

struct proxy {
    struct visits visits; /* the clients'; each has a peer among those towards the backend */
    struct endpoint towards;
    struct backend backend;
};

static void end_both(struct visit *visit)
{
    visit_close(visit->peer);
    visit_close(visit);
}

/* Returns the bytes, 0 at EOF, -1 when one of the two can say or hear nothing more. */
static ssize_t copy(int from, int to)
{
    char data[4096];
    ssize_t got = recv(from, data, sizeof data, MSG_DONTWAIT);
    if (got <= 0)
        return got;
    return send(to, data, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) == got ? got : -1;
}

static void on_client_readable(struct visit *client, short what)
{
    (void)what;
    ssize_t got = copy(client->fd, client->peer->fd);
    if (got < 0)
        end_both(client);
    if (got != 0)
        return;
    if (client->endpoint->fixed)
        shutdown(client->peer->fd, SHUT_WR); /* the fix; the bug: the backend is not told */
    visit_hear(client, 0, NULL);
}

static void on_backend_readable(struct visit *backend, short what)
{
    (void)what;
    if (copy(backend->fd, backend->peer->fd) <= 0)
        end_both(backend);
}

static struct visit *begin_towards(struct proxy *proxy, int fd)
{
    if (open_descriptors_add(&proxy->towards.descriptors, fd) == 0)
        return visit_begin(&proxy->towards, fd, EV_READ, on_backend_readable);
    close(fd);
    return NULL;
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    struct proxy *proxy = endpoint->state;
    struct visit *client = visit_begin(endpoint, fd, EV_READ, on_client_readable);
    int towards = backend_connect(&proxy->backend);
    client->peer = towards >= 0 ? begin_towards(proxy, towards) : NULL;
    if (client->peer == NULL)
        visit_close(client);
    else
        client->peer->peer = client;
}

static int start(struct endpoint *endpoint)
{
    int rc = visits_start_with(endpoint, sizeof(struct proxy));
    if (rc != 0)
        return rc;
    struct proxy *proxy = endpoint->state;
    proxy->towards.base = endpoint->base;
    rc = visits_start(&proxy->towards);
    return rc == 0 ? backend_start(&proxy->backend) : rc;
}

static void stop(struct endpoint *endpoint)
{
    struct proxy *proxy = endpoint->state;
    if (proxy == NULL)
        return;
    backend_stop(&proxy->backend);
    visits_stop(&proxy->towards);
    open_descriptors_abort_all(&proxy->towards.descriptors);
    visits_stop(endpoint);
}

const struct behaviour no_half_close = {
    .name = "no-half-close",
    .start = start,
    .on_connection = on_connection,
    .stop = stop,
};
