/* transition_counts: what the kernel has counted of the life of connections: every transition, on which side,
 * the sockets in each state now, and how long they stayed. */
#ifndef EVENTS_TRANSITION_COUNTS_H
#define EVENTS_TRANSITION_COUNTS_H

#include "kernel/histogram.h"

#include <stdint.h>

/* Why a socket went to CLOSE: sk_err at that moment. Other transitions are orderly. */
enum transition_why {
    WHY_ORDERLY, /* by itself: FINs, or its own close() or RST */
    WHY_RESET, /* ECONNRESET, EPIPE, ECONNREFUSED: the peer's RST; of a request, of TIME_WAIT and an orphaned
                  FIN_WAIT2: ended by a segment */
    WHY_TIMED_OUT,      /* ETIMEDOUT, EHOSTUNREACH, ENETUNREACH: nobody answered; of a request and an orphaned
                           FIN_WAIT2: its timer, in which nobody answered either */
    WHY_DESTROYED,      /* ECONNABORTED: another process ended it by SOCK_DESTROY, as "ss -K" does */
    WHY_UNACKNOWLEDGED, /* of LAST_ACK: no ACK of its FIN came; its own side gave it up, or the kernel had no
                           room for orphans */
    WHY_COUNT,
};

/* A time of 2^i * 500 ns up to twice that falls into bucket i; all longer ones into the last. */
enum { DWELL_BUCKETS = 40, DWELL_FIRST_NS = 500 };

struct dwell {
    int64_t in[DWELL_BUCKETS]; /* of a sample of the sockets that have left the state */
    int64_t longest_ns;        /* of that sample */
};

struct side_transitions {
    /* From the first state to the second. A socket begins and ends in STATE_GONE; CLOSE is passed through and
     * is no state of its own here: a connection that ends goes to STATE_GONE. A socket that the kernel goes
     * on with as a small one (TIME_WAIT, an orphan in FIN_WAIT2) has not ended. */
    int64_t moved[STATE_COUNT][STATE_COUNT][WHY_COUNT];
    int64_t now[STATE_COUNT]; /* sockets in that state: begun there or come, minus gone on */
    struct dwell dwell[STATE_COUNT];
};

struct transition_counts {
    struct side_transitions side[SIDE_COUNT];
    int64_t sampled_one_in; /* sockets whose times are taken: one in so many */
    int64_t resets_sent, resets_received, retransmitted;
    int64_t unheard; /* transitions that both programs were deaf to, as the kernel counts them: any makes the
                      * rest a lower bound */
    int64_t doubled; /* that the second program heard in the first one's place */
    int64_t holes;   /* sampled sockets that left another state than they were seen to enter */
    int64_t dropped; /* sampled sockets for which the table had no room */
};

#endif
