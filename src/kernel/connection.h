/* connection: one connection and its two ends, as the kernel's tables show them. */
#ifndef KERNEL_CONNECTION_H
#define KERNEL_CONNECTION_H

#include "kernel/address.h"
#include "kernel/histogram.h"
#include "kernel/witness.h"

#include <stdint.h>

struct connection {
    struct address address[SIDE_COUNT];
    uint16_t port[SIDE_COUNT];
};

/* One end at one moment. */
struct end_sight {
    enum tcp_state state; /* STATE_GONE: it is in no table */
    int64_t
        ends_in_ms; /* until the kernel's timer ends TIME_WAIT or an orphaned FIN_WAIT2; -1: no such timer */
};

/* The connection that a connected socket is one end of. Returns 0 or a negative errno. */
int connection_of(int fd, enum side side_of_fd, struct connection *connection);

/* Looks at both ends. Returns 0, or the witness's negative errno. */
int connection_look(const struct witness_backend *witness, const struct connection *connection,
                    struct end_sight ends[SIDE_COUNT]);

#endif
