/* transition_watch: the transitions of live traffic in this network namespace: of all ports together and of
 * each on which somebody listens, or of some ports. */
#ifndef WATCH_TRANSITION_WATCH_H
#define WATCH_TRANSITION_WATCH_H

#include "events/socket_events.h"
#include "watch/listening_ports.h"

#include <stdbool.h>
#include <stdint.h>

enum watched_kind {
    WATCHED_ALL,    /* of the network namespace, together */
    WATCHED_PORT,   /* the server's side: the ends that have it as their own port */
    WATCHED_OTHERS, /* connections to ports on which nobody listens here, and what had no room */
};

struct watched {
    enum watched_kind kind;
    uint16_t port;                         /* of WATCHED_PORT */
    const struct listening_port *listener; /* who listened there when this began, or does now; NULL: nobody */
    struct transition_counts counts;       /* at the last reading */
};

struct transition_watch {
    struct listening_ports listening; /* when it began */
    struct listening_ports later;     /* at the last reading */
    struct socket_events *events;
    bool is_by_choice; /* only the ports that were asked for: then there are neither all nor others */
    int64_t began_us;  /* monotonic */
    double lasted_s;
    struct watched *each; /* at the last reading: all, the ports in their order, others */
    int count;
};

/* Begins to count: on these ports, at most EVENT_PORTS_MAX; without any, on all, and on each that is listened
 * on, or will be, for itself. Returns 0 or a negative errno; with EACCES *why says what is missing. To be
 * freed in any case. */
int transition_watch_begin(struct transition_watch *watch, const uint16_t *ports, int count,
                           struct events_refusal *why);

/* Returns 0 or -ENOMEM. */
int transition_watch_read(struct transition_watch *watch);

void transition_watch_free(struct transition_watch *watch);

#endif
