/* watch_flow: which connections came and ended between two looks, by port, and how long they lived.
 *
 * A connection that is there in a look and was not in the one before came in between. Those that came and
 * ended in between are known from the kernel's news of sockets that end (kernel/socket_deaths.h). How long a
 * connection was open, until one side began to close it, lies between two bounds, which are as far apart as
 * the looks that saw it come and close; the histogram takes their middle. */
#ifndef WATCH_WATCH_FLOW_H
#define WATCH_WATCH_FLOW_H

#include "kernel/histogram.h"
#include "kernel/sock_diag.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FLOW_LIVES =
        32, /* lives[i]: those below 2^i milliseconds, and not below half of that; the last: all others */
    FLOW_PORTS_MAX = 512, /* what is beyond is counted in `dropped` */
};

/* The ends of connections of one port: of a server that port is theirs, of clients it is the peer's. */
struct flow_port {
    uint16_t port;
    enum side side;
    int64_t came, ended;
    int64_t lives[FLOW_LIVES]; /* of those that came since the first look, and began to close */
};

/* Since it was last taken. */
struct flow_counts {
    double over_s; /* between the looks at both ends; 0: there was one look so far */
    int count;
    const struct flow_port *ports; /* the flow's own */
    int64_t dropped;               /* connections that came to ports beyond FLOW_PORTS_MAX */
    int64_t lost;                  /* times that the kernel dropped news of ended sockets */
    bool has_news; /* false: there are no such news here; what is shorter than a look is not seen */
};

/* The bucket of a life of so many milliseconds, 0 or more. */
int flow_bucket(int64_t life_ms);

struct watch_flow;

/* NULL without memory. */
struct watch_flow *watch_flow_new(void);
void watch_flow_free(struct watch_flow *flow);

/* One look: begin (again, where the tables are read again), each connection's end, end. `serves`: of 65536
 * ports those whose connections are a server's ends. Return 0 or -ENOMEM. */
void watch_flow_begin(struct watch_flow *flow);
int watch_flow_note(struct watch_flow *flow, const struct socket_entry *entry);
int watch_flow_end(struct watch_flow *flow, int64_t now_us, const bool *serves);

/* What has come together. What it points to holds until the next look, whose counts begin at 0. */
void watch_flow_take(struct watch_flow *flow, struct flow_counts *counts);

/* For tests: news from elsewhere than the kernel. */
int watch_flow_note_death(struct watch_flow *flow, const struct socket_life *dead);

#endif
