/* histogram: how many sockets are in each state, per side of the connections. */
#ifndef KERNEL_HISTOGRAM_H
#define KERNEL_HISTOGRAM_H

#include "kernel/tcp_state.h"

#include <stdint.h>

/* The server end is the one that called listen() and accept(); the client end called connect(). */
enum side { SIDE_SERVER, SIDE_CLIENT, SIDE_COUNT };

/* "server" or "client". */
const char *side_name(enum side side);

static inline enum side side_other(enum side side)
{
    return side == SIDE_SERVER ? SIDE_CLIENT : SIDE_SERVER;
}

/* of[STATE_GONE] is not used: gone is what a count of sockets cannot show, see histogram_gone. */
struct histogram {
    int64_t of[STATE_COUNT];
    int64_t owned;       /* sockets other than LISTEN on which a process has a descriptor */
    int64_t unread;      /* in CLOSE_WAIT with Recv-Q >= 1: the peer's FIN, and perhaps data, was not read */
    int64_t unowned;     /* in CLOSE_WAIT and never accepted: no process owes their close() */
    int64_t half_closed; /* in FIN_WAIT2, and a process has a descriptor: it has called shutdown() and not
                            close(), so that tcp_fin_timeout does not run */
    int64_t queued;      /* connections that wait in accept queues */
    int64_t elsewhere;   /* descriptors on connections to others than the lanes', as the processes tell that
                            hold them, where those are what is looked for; else 0 */
    int64_t abandoned;   /* descriptors of connect() calls that were given up, as the processes tell that hold
                            them: in SYN_SENT, or in what has become of that */
    int64_t ghosts; /* descriptors whose socket is in no table (see ghost.h): not from a look at the tables,
                       but from the processes that hold them */
};

/* Adds all of it. */
void histogram_add(struct histogram *to, const struct histogram *from);

/* Connection ends counted: every state but LISTEN. */
int64_t histogram_ends(const struct histogram *histogram);

/* opened minus the ends counted; negative means that more sockets were seen than connections opened. */
int64_t histogram_gone(const struct histogram *histogram, int64_t opened);

/* The count of one state, gone included. */
int64_t histogram_of(const struct histogram *histogram, enum tcp_state state, int64_t opened);

#endif
