#include "watch/transition_watch.h"

#include "base/clock.h"
#include "kernel/netns.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { NEWCOMERS = 64 }; /* ports on which somebody may begin to listen meanwhile */

static int open_for(struct transition_watch *watch, int ports, struct events_refusal *why)
{
    watch->events = socket_events_open_by_port(ports < EVENT_PORTS_MAX ? ports : EVENT_PORTS_MAX, why);
    return watch->events != NULL ? 0 : -EACCES;
}

static int begin_on_all(struct transition_watch *watch, struct events_refusal *why)
{
    const int count = watch->listening.count;
    uint16_t *ports = malloc(((size_t)count + 1) * sizeof *ports);
    if (ports == NULL)
        return -ENOMEM;
    for (int i = 0; i < count; i++)
        ports[i] = watch->listening.each[i].port;
    int rc = open_for(watch, count + NEWCOMERS, why);
    if (rc == 0)
        socket_events_aim_by_port(watch->events, netns_inode(), ports, count, true);
    free(ports);
    return rc;
}

static int begin_on_some(struct transition_watch *watch, const uint16_t *ports, int count,
                         struct events_refusal *why)
{
    watch->is_by_choice = true;
    int rc = open_for(watch, count, why);
    if (rc == 0)
        socket_events_aim_by_port(watch->events, netns_inode(), ports, count, false);
    return rc;
}

int transition_watch_begin(struct transition_watch *watch, const uint16_t *ports, int count,
                           struct events_refusal *why)
{
    *watch = (struct transition_watch){.count = 0};
    int rc = listening_ports_find(&watch->listening);
    if (rc == 0)
        rc = count == 0 ? begin_on_all(watch, why) : begin_on_some(watch, ports, count, why);
    watch->began_us = monotonic_us();
    return rc;
}

static int by_number(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static struct watched *add(struct transition_watch *watch, enum watched_kind kind, uint16_t port)
{
    struct watched *watched = &watch->each[watch->count++];
    watched->kind = kind;
    watched->port = port;
    watched->listener = listening_ports_at(&watch->listening, port);
    if (watched->listener == NULL)
        watched->listener = listening_ports_at(&watch->later, port);
    return watched;
}

/* What was not heard may have been on any port. */
static void read_port(struct transition_watch *watch, enum watched_kind kind, uint16_t port, int64_t unheard)
{
    struct watched *watched = add(watch, kind, port);
    socket_events_read_port(watch->events, port, &watched->counts);
    watched->counts.unheard = unheard;
}

int transition_watch_read(struct transition_watch *watch)
{
    uint16_t ports[EVENT_PORTS_MAX];
    struct transition_counts all;
    watch->lasted_s = (double)(monotonic_us() - watch->began_us) / 1e6;
    int count = socket_events_ports(watch->events, ports);
    struct watched *each = realloc(watch->each, ((size_t)count + 2) * sizeof *each);
    if (each == NULL)
        return -ENOMEM;
    watch->each = each;
    watch->count = 0;
    listening_ports_free(&watch->later);
    listening_ports_find(&watch->later); /* names for people: without them they are numbers */
    qsort(ports, (size_t)count, sizeof *ports, by_number);
    socket_events_read(watch->events, &all);
    if (!watch->is_by_choice)
        add(watch, WATCHED_ALL, 0)->counts = all;
    for (int i = 0; i < count; i++)
        read_port(watch, WATCHED_PORT, ports[i], all.unheard);
    if (!watch->is_by_choice)
        read_port(watch, WATCHED_OTHERS, 0, all.unheard);
    return 0;
}

void transition_watch_free(struct transition_watch *watch)
{
    socket_events_close(watch->events);
    listening_ports_free(&watch->listening);
    listening_ports_free(&watch->later);
    free(watch->each);
}
