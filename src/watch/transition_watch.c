#include "watch/transition_watch.h"

#include "base/clock.h"
#include "kernel/netns.h"

#include <errno.h>
#include <stddef.h>

static int add_port(struct transition_watch *watch, uint16_t port, struct events_refusal *why)
{
    struct watched_port *watched = &watch->each[watch->count];
    *watched = (struct watched_port){.port = port, .events = socket_events_open(why)};
    if (watched->events == NULL)
        return -EACCES;
    watch->count++;
    return 0;
}

static void aim(const struct transition_watch *watch, const struct watched_port *watched)
{
    const struct port_range only = {watched->port, watched->port};
    socket_events_aim(watched->events, netns_inode(), watched->port != 0 ? &only : NULL);
    for (int i = 0; watched->port == 0 && i < watch->services.count; i++)
        socket_events_serve(watched->events, watch->services.each[i].port);
}

int transition_watch_begin(struct transition_watch *watch, const uint16_t *ports, int count,
                           struct events_refusal *why)
{
    *watch = (struct transition_watch){.count = 0};
    int rc = services_find(&watch->services);
    if (rc == 0 && count == 0)
        rc = add_port(watch, 0, why);
    bool are_few = watch->services.count <= WATCHED_PORTS_MAX;
    for (int i = 0; rc == 0 && count == 0 && are_few && i < watch->services.count; i++)
        rc = add_port(watch, watch->services.each[i].port, why);
    for (int i = 0; rc == 0 && i < count; i++)
        rc = add_port(watch, ports[i], why);
    for (int i = 0; rc == 0 && i < watch->count; i++)
        aim(watch, &watch->each[i]);
    watch->began_us = monotonic_us();
    return rc;
}

void transition_watch_read(struct transition_watch *watch)
{
    watch->lasted_s = (double)(monotonic_us() - watch->began_us) / 1e6;
    for (int i = 0; i < watch->count; i++)
        socket_events_read(watch->each[i].events, &watch->each[i].counts);
}

void transition_watch_free(struct transition_watch *watch)
{
    for (int i = 0; i < watch->count; i++)
        socket_events_close(watch->each[i].events);
    services_free(&watch->services);
}
