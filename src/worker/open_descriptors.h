/* open_descriptors: those that a process holds on connections which come and go one by one. It knows them by
 * number, so that a connection whose owner forgot it is still counted, and reset at the end. */
#ifndef WORKER_OPEN_DESCRIPTORS_H
#define WORKER_OPEN_DESCRIPTORS_H

#include "kernel/tcp_state.h"

#include <stdbool.h>
#include <stdint.h>

struct open_descriptors {
    bool *is_held; /* by descriptor number */
    int capacity;
    int64_t count;
};

/* Returns 0 or -ENOMEM. */
int open_descriptors_add(struct open_descriptors *descriptors, int fd);

/* Forgets it without closing it. */
void open_descriptors_remove(struct open_descriptors *descriptors, int fd);

/* How many of them are ghosts: open, and their socket in no table of the kernel any more. One system call a
 * descriptor. */
int64_t open_descriptors_ghosts(const struct open_descriptors *descriptors);

/* Counts them by state; ghosts are those in CLOSE. Likewise. */
void open_descriptors_count(const struct open_descriptors *descriptors, int64_t of[STATE_COUNT]);

/* Resets (RST) what is held, so that nothing stays behind in the kernel's tables. */
void open_descriptors_abort_all(struct open_descriptors *descriptors);

#endif
