#include "events/socket_events.h"

#include <stdio.h>
#include <string.h>

const char *events_level_name(enum events_level level)
{
    static const char *const names[] = {
        [EVENTS_NONE] = "none", [EVENTS_STATES] = "states", [EVENTS_ALL] = "all"};
    return names[level];
}

struct socket_events *socket_events_open(struct events_refusal *why)
{
    snprintf(why->text, sizeof why->text, "not in this build");
    return NULL;
}

enum events_level socket_events_probe(struct events_refusal *why)
{
    socket_events_open(why);
    return EVENTS_NONE;
}

enum events_level socket_events_level(const struct socket_events *events)
{
    (void)events;
    return EVENTS_NONE;
}

const char *socket_events_lack(const struct socket_events *events)
{
    (void)events;
    return "";
}

void socket_events_aim(struct socket_events *events, uint64_t netns, const struct port_range *ports)
{
    (void)events;
    (void)netns;
    (void)ports;
}

void socket_events_read(const struct socket_events *events, struct transition_counts *counts)
{
    (void)events;
    memset(counts, 0, sizeof *counts);
}

void socket_events_close(struct socket_events *events)
{
    (void)events;
}

void socket_events_serve(struct socket_events *events, uint16_t port)
{
    (void)events;
    (void)port;
}
