/* lingering: the ends of connections that are still there, in classes, and the processes that hold them.
 *
 * A lingering socket is an end of a connection on the lanes in any state but TIME_WAIT: something still has
 * to happen before it can go. So is a listening socket on the lanes that none of the pids that were given
 * has: it was left to another process. Its owner is the process that has a descriptor on it. */
#ifndef KERNEL_LINGERING_H
#define KERNEL_LINGERING_H

#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LINGERING_MAX = 32 };

/* Sockets that agree in side, state, unread, stalled, fin_with_data, owned, listed and command. */
struct lingering_class {
    enum side side;
    enum tcp_state state;
    bool unread;        /* Recv-Q >= 1 */
    bool fin_with_data; /* of CLOSE_WAIT with Recv-Q 0: the FIN came with the last data, for all that is
                           known, so that perhaps nobody has read EOF (see tcp_life.h) */
    bool stalled;       /* it has data to send, and the peer's window is closed */
    bool owned;         /* a process has a descriptor on it */
    bool listed;        /* that process is one of the pids that were given */
    pid_t pid;         /* the lowest of the processes; 0: none, or none that we may look into (owned tells) */
    int processes;     /* how many */
    char command[16];  /* as process_command() gives it; "" when not known */
    char host[48];     /* where the process is; "": here, or on several hosts */
    int64_t count;     /* sockets */
    int64_t oldest_ms; /* the longest time for which one of them heard nothing from its peer; -1: not known */
};

struct lingering {
    int count;     /* classes */
    int64_t total; /* lingering sockets: more than in all classes when there were more than LINGERING_MAX of
                      them, of which the largest are kept */
    struct lingering_class each[LINGERING_MAX]; /* by side, then the largest first */
};

/* For at least so long the oldest of them has been in its state; -1: not known. Silence tells that of
 * CLOSE_WAIT and FIN_WAIT2 only, which begin with a segment of the peer's. */
int64_t lingering_since_ms(const struct lingering_class *class);

/* True when the owner is known and none of the pids that were given. */
bool lingering_is_strange(const struct lingering_class *class);

/* Adds a class that another kernel has told of, to one that agrees with it where there is one; `total` is the
 * caller's. */
void lingering_add(struct lingering *lingering, const struct lingering_class *class);

/* Looks once at the sockets, then into `pids`, then into every other process while a socket still has no
 * known owner: of several owners the first one of `pids` counts. About 50 bytes of memory a socket that has
 * an owner. Returns as each() does, or -ENOMEM; then `out` is empty. */
int lingering_look(const struct witness_backend *backend, const struct look_target *target, const pid_t *pids,
                   int pid_count, struct lingering *out);

#endif
