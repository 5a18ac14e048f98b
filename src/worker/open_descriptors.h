/* held: the descriptors that a process holds on connections which come and go one by one. It knows them by
 * number, so that a connection whose owner forgot it is still counted, and reset at the end. */
#ifndef WORKER_OPEN_DESCRIPTORS_H
#define WORKER_OPEN_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

struct held {
    bool *is_held; /* by descriptor number */
    int capacity;
    int64_t count;
};

/* Returns 0 or -ENOMEM. */
int held_add(struct held *held, int fd);

/* Forgets it without closing it. */
void held_remove(struct held *held, int fd);

/* How many of them are ghosts: open, and their socket in no table of the kernel any more. One system call a
 * descriptor. */
int64_t held_ghosts(const struct held *held);

/* Resets (RST) what is held, so that nothing stays behind in the kernel's tables. */
void held_abort_all(struct held *held);

#endif
