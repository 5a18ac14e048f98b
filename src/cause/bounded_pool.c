/* bounded-pool: a few handlers, all of them waiting for something that does not answer, and before them a
 * queue without end. Connections are still accepted, so a TCP probe passes; nobody reads them. */
#include "base/memory.h"
#include "cause/cause.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>

enum { HANDLERS = 4, QUEUE_MAX = 16 };
static const struct timeval handler_timeout = {.tv_usec = 100000};

struct handler {
    struct endpoint *endpoint;
    struct event *timeout;
    int fd; /* -1: it is idle */
};

struct pool {
    struct handler handler[HANDLERS];
    struct evbuffer *queue; /* of descriptors, first in first out */
};

/* Asks a database that never answers. */
static void handle(struct handler *handler, int fd)
{
    handler->fd = fd;
    if (handler->endpoint->fixed)
        evtimer_add(handler->timeout, &handler_timeout); /* the fix; the bug: it waits for ever */
}

static void on_timeout(evutil_socket_t unused, short what, void *context)
{
    (void)unused;
    (void)what;
    struct handler *handler = context;
    struct pool *pool = handler->endpoint->state;
    int next;
    act_apply(ACT_READ, handler->fd); /* a request left unread would make the close() a reset */
    endpoint_close(handler->endpoint, handler->fd);
    handler->fd = -1;
    if (evbuffer_remove(pool->queue, &next, sizeof next) == sizeof next)
        handle(handler, next);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    struct pool *pool = endpoint->state;
    for (int i = 0; i < HANDLERS; i++) {
        if (pool->handler[i].fd < 0) {
            handle(&pool->handler[i], fd);
            return;
        }
    }
    if (endpoint->fixed && evbuffer_get_length(pool->queue) == QUEUE_MAX * sizeof fd)
        endpoint_close(endpoint, fd); /* the fix: refused at once */
    else
        evbuffer_add(pool->queue, &fd, sizeof fd); /* the bug: the queue has no bound */
}

static int start(struct endpoint *endpoint)
{
    struct pool *pool = endpoint->state = memory_new(sizeof *pool);
    pool->queue = evbuffer_new();
    for (int i = 0; i < HANDLERS; i++)
        pool->handler[i] =
            (struct handler){.endpoint = endpoint,
                             .timeout = evtimer_new(endpoint->base, on_timeout, &pool->handler[i]),
                             .fd = -1};
    return 0;
}

static void stop(struct endpoint *endpoint)
{
    struct pool *pool = endpoint->state;
    if (pool == NULL)
        return;
    for (int i = 0; i < HANDLERS; i++)
        event_free(pool->handler[i].timeout);
    evbuffer_free(pool->queue);
    free(pool);
    endpoint->state = NULL;
}

const struct behaviour bounded_pool = {
    .name = "bounded-pool",
    .start = start,
    .on_connection = on_connection,
    .stop = stop,
};
