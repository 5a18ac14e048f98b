/* backend: a server behind a proxy, in a process of its own. It reads a request until its EOF, answers it and
 * closes. */
#ifndef CAUSE_BACKEND_H
#define CAUSE_BACKEND_H

#include <stdint.h>
#include <sys/types.h>

struct backend {
    pid_t pid;
    uint16_t port; /* on 127.0.0.1, chosen by the kernel */
};

/* Returns 0 or a negative errno. */
int backend_start(struct backend *backend);

/* Returns a connected descriptor, or a negative errno. */
int backend_connect(const struct backend *backend);

void backend_stop(struct backend *backend);

#endif
