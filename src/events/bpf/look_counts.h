/* look_counts: what the program that looks is asked and has counted: the layout of its map. Included by it
 * and by the process; plain C types of fixed size, no header but this. */
#ifndef EVENTS_BPF_LOOK_COUNTS_H
#define EVENTS_BPF_LOOK_COUNTS_H

enum {
    LOOK_STATES = 16,
    LOOK_PULSE = 16384, /* sockets, those of others too, after which read() comes back */
};

/* As struct histogram. */
struct side_counts {
    unsigned long long of[LOOK_STATES];
    unsigned long long owned, unread, unowned, half_closed, queued;
};

struct look_counts {
    unsigned int family; /* as in the kernel's sockets: AF_INET, AF_INET6 */
    unsigned int first_port, last_port;
    unsigned int address[4]; /* of the lanes, as on the wire; of AF_INET the first */
    unsigned long long seen; /* in all */
    struct side_counts side[2];
};

#endif
