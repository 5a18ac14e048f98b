/* free_ports: server ports that nothing in the kernel's tables is on. */
#ifndef KERNEL_FREE_PORTS_H
#define KERNEL_FREE_PORTS_H

#include "kernel/witness.h"

/* Why there are none. They are no errnos: reading the tables may fail with any of those. */
enum { PORTS_LISTENED = 1, PORTS_CROWDED = 2 };

/* Finds `count` consecutive ports from `from` to `last` that hold no socket of the kernel with that address,
 * TIME_WAIT left by an earlier run included. Returns 0 and the first of them; PORTS_LISTENED with *first the
 * port of a listener in the way; PORTS_CROWDED when there are not enough; or the witness's negative errno. */
int free_ports_find(const struct witness_backend *witness, const struct address *address, uint16_t from,
                    uint16_t last, int count, uint16_t *first);

#endif
