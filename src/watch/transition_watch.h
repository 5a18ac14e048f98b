/* transition_watch: the transitions of live traffic in this network namespace: of all ports together, or of
 * some, one by one. Each has programs of its own in the kernel. */
#ifndef WATCH_TRANSITION_WATCH_H
#define WATCH_TRANSITION_WATCH_H

#include "events/socket_events.h"
#include "watch/services.h"

#include <stdint.h>

enum { WATCHED_PORTS_MAX = 8 };

struct watched_port {
    uint16_t port; /* 0: all of them */
    struct socket_events *events;
    struct transition_counts counts; /* at the last reading */
};

struct transition_watch {
    struct services services; /* when it began */
    int count;
    struct watched_port each[WATCHED_PORTS_MAX + 1];
    int64_t began_us; /* monotonic */
    double lasted_s;
};

/* Begins to count: on these ports, each for itself; without any, on each port that is listened on, where
 * those are few enough, and on all together. Returns 0 or a negative errno; with EACCES *why says what is
 * missing. To be freed in any case. */
int transition_watch_begin(struct transition_watch *watch, const uint16_t *ports, int count,
                           struct events_refusal *why);

void transition_watch_read(struct transition_watch *watch);

void transition_watch_free(struct transition_watch *watch);

#endif
