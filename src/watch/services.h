/* services: the ports of this network namespace on which somebody listens, and who does. */
#ifndef WATCH_SERVICES_H
#define WATCH_SERVICES_H

#include "kernel/process.h"

#include <stdint.h>

struct service {
    uint16_t port;
    uint64_t inode;                 /* of one of its listeners */
    pid_t pid;                      /* 0: not found, or not ours to look into */
    struct process_command command; /* "" where pid is 0 */
};

/* By port, each once. */
struct services {
    struct service *each;
    int count;
};

/* Returns 0 or a negative errno; free it with services_free() in any case. */
int services_find(struct services *services);
void services_free(struct services *services);

/* NULL when nobody listens there. */
const struct service *services_at(const struct services *services, uint16_t port);

#endif
