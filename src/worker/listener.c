#include "worker/listener.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct listener *listener = context;
    listener->on_acceptable(listener->owner, listener);
}

static void on_rested(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_add(((struct listener *)context)->event, NULL);
}

struct listener *listener_open(struct event_base *base, const struct address *address, uint16_t port,
                               int backlog, on_waiting *heard, void *owner, int *error)
{
    struct listener *listener = memory_new(sizeof *listener);
    *listener = (struct listener){
        .address = *address, .port = port, .backlog = backlog, .on_acceptable = heard, .owner = owner};
    listener->fd = listen_socket_open(address, port, backlog);
    if (listener->fd < 0) {
        *error = listener->fd;
        free(listener);
        return NULL;
    }
    listener->event = event_new(base, listener->fd, EV_READ | EV_PERSIST, on_event, listener);
    listener->rest = evtimer_new(base, on_rested, listener);
    event_add(listener->event, NULL);
    return listener;
}

void listener_rest(struct listener *listener, int64_t us)
{
    struct timeval until = timeval_of_us(us);
    event_del(listener->event);
    evtimer_add(listener->rest, &until);
}

void listener_leave(struct listener *listener)
{
    event_del(listener->event);
    event_del(listener->rest);
}

/* The events go first: where another process has the socket too, epoll would go on hearing it. */
void listener_close(struct listener *listener)
{
    listener_leave(listener);
    close(listener->fd);
    listener->fd = -1;
}

int listener_reopen(struct listener *listener)
{
    int fd = listen_socket_open(&listener->address, listener->port, listener->backlog);
    if (fd < 0)
        return fd;
    listener->fd = fd;
    event_assign(listener->event, event_get_base(listener->event), fd, EV_READ | EV_PERSIST, on_event,
                 listener);
    event_add(listener->event, NULL);
    return 0;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    event_free(listener->event);
    event_free(listener->rest);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener);
}
