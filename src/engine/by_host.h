/* by_host: a look, host by host. */
#ifndef ENGINE_BY_HOST_H
#define ENGINE_BY_HOST_H

#include "control/workers.h"
#include "engine/sampler.h"

#include <stdint.h>

struct host;

/* One side on one host: what its workers had reported when the look began, and what its kernel shows. Hosts
 * that see the same sockets have one together. */
struct host_part {
    const struct host *host;
    enum side side;
    int64_t opened, fds, errors, lost, nofile; /* as in struct sample */
    struct histogram histogram;
    int witness; /* index */
};

struct by_host {
    int count;                                           /* 0 where all of it is on this machine */
    struct host_part parts[SIDE_COUNT * LOOK_PARTS_MAX]; /* the server's first, then in the hosts' order */
};

/* Takes down what the workers have reported. `opened_by` gives the connections of a pair of workers. */
void by_host_note(struct by_host *by_host, const struct workers *workers,
                  int64_t (*opened_by)(const void *context, int pair), const void *context,
                  const int64_t nofile[SIDE_COUNT]);

/* Takes over what the witnesses have seen. */
void by_host_see(struct by_host *by_host, const struct look *look);

#endif
