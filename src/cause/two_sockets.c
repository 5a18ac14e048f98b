#include "cause/two_sockets.h"

#include "cause/backend.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

struct proxy {
    struct visits visits; /* the clients'; each has a peer among those towards the backend */
    struct endpoint towards;
    struct backend backend;
};

int64_t proxy_held_behind(const struct endpoint *endpoint)
{
    return ((const struct proxy *)endpoint->state)->towards.descriptors.count;
}

void proxy_end_both(struct visit *visit)
{
    visit_close(visit->peer);
    visit_close(visit);
}

void proxy_from_backend(struct visit *backend, short what)
{
    (void)what;
    if (proxy_copy(backend) <= 0)
        proxy_end_both(backend);
}

ssize_t proxy_copy(const struct visit *from)
{
    char data[4096];
    ssize_t got = recv(from->fd, data, sizeof data, MSG_DONTWAIT);
    if (got <= 0)
        return got;
    return send(from->peer->fd, data, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) == got ? got : -1;
}

static struct visit *begin_towards(struct proxy *proxy, int fd, on_visit *readable)
{
    if (open_descriptors_add(&proxy->towards.descriptors, fd) == 0)
        return visit_begin(&proxy->towards, fd, EV_READ, readable);
    close(fd);
    return NULL;
}

void proxy_begin(struct endpoint *endpoint, int fd, on_visit *client_readable, on_visit *backend_readable)
{
    struct proxy *proxy = endpoint->state;
    struct visit *client = visit_begin(endpoint, fd, EV_READ, client_readable);
    int towards = backend_connect(&proxy->backend);
    client->peer = towards >= 0 ? begin_towards(proxy, towards, backend_readable) : NULL;
    if (client->peer == NULL)
        visit_close(client);
    else
        client->peer->peer = client;
}

int proxy_start(struct endpoint *endpoint)
{
    int rc = visits_start_with(endpoint, sizeof(struct proxy));
    if (rc != 0)
        return rc;
    struct proxy *proxy = endpoint->state;
    proxy->towards.base = endpoint->base;
    proxy->towards.fixed = endpoint->fixed;
    rc = visits_start(&proxy->towards);
    return rc == 0 ? backend_start(&proxy->backend) : rc;
}

void proxy_stop(struct endpoint *endpoint)
{
    struct proxy *proxy = endpoint->state;
    if (proxy == NULL)
        return;
    backend_stop(&proxy->backend);
    visits_stop(&proxy->towards);
    open_descriptors_abort_all(&proxy->towards.descriptors);
    visits_stop(endpoint);
}
