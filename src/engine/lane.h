/* lane: a destination of connections: one server port, its listener in one server worker, its connections
 * from one client worker. Past a third or so of the ephemeral ports towards one (address, port), connect()
 * has to search for a free one and gets a hundred times slower; so connections are spread over as many lanes
 * as it takes to stay below. */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include "kernel/address.h"
#include "kernel/host_limits.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

struct lane {
    int pair;      /* index of the server worker and of the client worker that share it */
    int64_t quota; /* connections */
    /* How far it is. */
    bool listening;
    int64_t accepted, started, connected;
};

/* Connections that one lane takes at most. */
int64_t lane_capacity(const struct host_limits *limits);

/* What falls to one of so many parts when a total is spread evenly: the first ones take what is left over. */
int64_t lane_share(int64_t total, int parts, int part);

/* Lanes that `conns` connections need when they are spread evenly over `pairs` pairs of workers. */
int lanes_needed(int64_t conns, int pairs, int64_t capacity);

/* Spreads the connections evenly; `lanes` holds lanes_needed() of them. */
void lanes_fill(struct lane *lanes, int64_t conns, int pairs, int64_t capacity);

#endif
