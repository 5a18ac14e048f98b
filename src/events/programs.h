/* programs: loads the programs of events/bpf/ into the kernel, attaches them and maps what they write. They
 * are detached when their last descriptor is closed, so with this process; descriptors do not survive exec(),
 * but a child of fork() shares them. */
#ifndef EVENTS_PROGRAMS_H
#define EVENTS_PROGRAMS_H

#include "events/bpf/event_slot.h"
#include "events/socket_events.h"

#include <stddef.h>
#include <stdint.h>

enum { PROGRAMS_MAX = 16 };

struct programs {
    const struct event_slot *slots; /* mapped; row after row */
    size_t rows, slots_per_row;
    struct event_target *target; /* mapped; writing it needs no right */
    int fd[PROGRAMS_MAX];
    int fd_count;
    void *skeleton;
    void (*destroy)(void *skeleton);
};

/* `rows`: 1, or one for each port and one for all other sockets, at most ROWS_MAX.
 * Returns 0 or a negative errno: ENOSYS, this build has none; EPERM, the right is missing, or the kernel
 * allows no programs of that kind. Nothing is left loaded then. */
int programs_load(enum events_level level, size_t rows, struct programs *programs);
void programs_unload(struct programs *programs);

/* How often the kernel has skipped programs that ran already, of those that are no second copies: nobody has
 * heard what happened then but the second copy, if there is one. One system call for each program. */
int64_t programs_skipped(const struct programs *programs);

#endif
