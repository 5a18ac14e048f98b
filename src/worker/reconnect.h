/* reconnect: connections that are opened again from the ports that they had, as a client does whose ports
 * have come round. */
#ifndef WORKER_RECONNECT_H
#define WORKER_RECONNECT_H

#include "worker/connection_set.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct reconnect;

/* Where to, and from which ports. */
struct reconnect_lane {
    struct sockaddr_storage to;
    socklen_t length;
    const uint16_t *from; /* borrowed */
    int64_t count;
};

/* connect() once from each port; the descriptors go to the set. The lanes are copied. Reports like
 * connection_act_start(): an end is done when its connect() has come to an end. */
struct reconnect *reconnect_start(struct event_base *base, struct connection_set *set,
                                  const struct reconnect_lane *lanes, size_t lane_count,
                                  on_connections_acted *on_acted, void *context);

/* Frees one that has not finished, and closes what is not connected yet. NULL is allowed. */
void reconnect_cancel(struct reconnect *running);

#endif
