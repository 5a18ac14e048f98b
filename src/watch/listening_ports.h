/* listening_ports: the ports of this network namespace on which somebody listens, and who does. */
#ifndef WATCH_LISTENING_PORTS_H
#define WATCH_LISTENING_PORTS_H

#include "kernel/process.h"

#include <stdint.h>

struct listening_port {
    uint16_t port;
    uint64_t inode;                 /* of one of its listeners */
    pid_t pid;                      /* 0: not found, or not ours to look into */
    struct process_command command; /* "" where pid is 0 */
};

/* By port, each once. */
struct listening_ports {
    struct listening_port *each;
    int count;
};

/* Returns 0 or a negative errno; free it with listening_ports_free() in any case. */
int listening_ports_find(struct listening_ports *ports);
void listening_ports_free(struct listening_ports *ports);

/* NULL when nobody listens there. */
const struct listening_port *listening_ports_at(const struct listening_ports *ports, uint16_t port);

#endif
