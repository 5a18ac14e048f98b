/* peer: a worker or the witness as its controller sees it: a process, a stream, and what it has reported. */
#ifndef STORM_PEER_H
#define STORM_PEER_H

#include "storm/process.h"
#include "storm/wire.h"
#include "tcp/histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct controller;

struct peer {
    struct controller *controller;
    struct process process;
    struct wire *wire; /* NULL before the start */
    bool is_witness;
    enum side side; /* of a worker */
    bool said_hello;
    bool acting; /* has been told to act and has not said that it is done */
    int64_t fds;
    int64_t errors;
    int64_t acted; /* ends, in the act under way */
    int64_t failed;
    int failed_errno;
};

/* Starts the process and its stream. Returns 0 or a negative errno. */
int peer_start(struct peer *peer, struct event_base *base, wire_on_line *on_line, wire_on_end *on_end);

/* Asks it to leave. */
void peer_quit(struct peer *peer);

void peer_free(struct peer *peer);

#endif
