/* event_slot: what the programs in the kernel write and the process reads: the layout of their maps. Included
 * by both; plain C types of fixed size, no header but this. */
#ifndef EVENTS_BPF_EVENT_SLOT_H
#define EVENTS_BPF_EVENT_SLOT_H

typedef unsigned long long event_count;

/* Powers of two, so that the programs can show the kernel by a mask that an index is in its range. */
enum {
    SLOT_SIDES = 2,   /* server, client */
    SLOT_STATES = 16, /* 12 of them in use */
    SLOT_WHYS = 8,    /* orderly, reset, timed out, destroyed, unacknowledged */
    SLOT_SMALL = 2,   /* states of a small socket: FIN_WAIT2, TIME_WAIT */
    SLOT_BUCKETS = 64,
};

enum {
    SLOT_FIRST_NS = 500, /* bucket i: this times 2^i up to twice that */
    SLOTS_MAX = 64,      /* of a row: CPUs share them beyond that */
    ROWS_MAX = 1024,     /* of 35 KiB a slot */
    PORTS = 65536,
    PORTS_IN_WORD = 64,
    PORT_WORDS = PORTS / PORTS_IN_WORD,
    THREAD_TOKENS = 65536,
    SAMPLE_SETS = 1 << 17,
    SAMPLES_IN_SET = 4,
    SAMPLED_ONE_IN = 16,
};

enum { SMALL_FIN_WAIT2, SMALL_TIME_WAIT };

/* Of one row and one CPU, since the programs were loaded. Written by atomic additions: CPUs may share one. */
struct event_slot {
    /* Full sockets, as the tracepoint tells them: from which state to which, and to CLOSE, why. */
    event_count moved[SLOT_SIDES][SLOT_STATES][SLOT_STATES];
    event_count ended[SLOT_SIDES][SLOT_STATES][SLOT_WHYS];
    /* Small sockets (struct inet_timewait_sock), by the state that the full one was in, and why[] of its
     * end. */
    event_count small_begun[SLOT_SIDES][SLOT_STATES][SLOT_SMALL][SLOT_WHYS];
    event_count small_moved[SLOT_SIDES];                        /* FIN_WAIT2 -> TIME_WAIT */
    event_count small_ended[SLOT_SIDES][SLOT_SMALL][SLOT_WHYS]; /* reset: by a segment; timed out: FIN_WAIT2,
                                                                   by its timer */
    /* Requests (struct request_sock in SYN_RECV, before the full socket). */
    event_count request_begun[SLOT_SIDES];
    event_count request_became_socket[SLOT_SIDES];
    event_count request_dropped[SLOT_SIDES][SLOT_WHYS];

    event_count dwell[SLOT_SIDES][SLOT_STATES][SLOT_BUCKETS];
    event_count longest_ns[SLOT_SIDES][SLOT_STATES];

    event_count resets_sent, resets_received, retransmitted;
    event_count doubled; /* of the sockets counted: the second program heard it in the first one's place */
    event_count holes, dropped;
    /* In row 0, of all sockets of the machine, as the kernel counts misses: heard by the second program
     * alone.
     */
    event_count replaced, small_replaced;
};

/* Which sockets are counted. */
struct event_target {
    event_count netns;      /* inode number of the network namespace; 0: none */
    unsigned long long all; /* every port: who listens, or did, is a server, others are clients */
    unsigned long long serves[PORT_WORDS]; /* ports of servers, a bit each */
    /* Row 0 is of all ports that have no row of their own. With `all` whoever listens gets one, while there
     * are any. */
    unsigned int row_of[PORTS];       /* 0: none */
    unsigned int rows_used;           /* row 0 included; may be more than there are */
    unsigned short port_of[ROWS_MAX]; /* of a row in use; an empty one where row_of names another */
};

#endif
