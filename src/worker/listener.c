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
    struct door *door = context;
    door->on_acceptable(door->owner, door);
}

static void on_rested(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_add(((struct door *)context)->event, NULL);
}

struct door *door_open(struct event_base *base, const struct address *address, uint16_t port, int backlog,
                       on_waiting *heard, void *owner, int *error)
{
    struct door *door = memory_new(sizeof *door);
    *door = (struct door){.port = port, .on_acceptable = heard, .owner = owner};
    door->fd = listen_socket_open(address, port, backlog);
    if (door->fd < 0) {
        *error = door->fd;
        free(door);
        return NULL;
    }
    door->event = event_new(base, door->fd, EV_READ | EV_PERSIST, on_event, door);
    door->rest = evtimer_new(base, on_rested, door);
    event_add(door->event, NULL);
    return door;
}

void door_rest(struct door *door, int64_t us)
{
    struct timeval until = timeval_of_us(us);
    event_del(door->event);
    evtimer_add(door->rest, &until);
}

void door_leave(struct door *door)
{
    event_del(door->event);
    event_del(door->rest);
}

void door_free(struct door *door)
{
    if (door == NULL)
        return;
    event_free(door->event);
    event_free(door->rest);
    close(door->fd);
    free(door);
}
