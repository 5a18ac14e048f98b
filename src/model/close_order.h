/* close_order: the orders in which connections can be closed, as data. A step is an act, the sides that
 * perform it, and the states in which every end of each side must be afterwards; "gone" is a state like any
 * other. Help, man page, completion, tests and plots follow from this table. */
#ifndef MODEL_CLOSE_ORDER_H
#define MODEL_CLOSE_ORDER_H

#include "kernel/act.h"
#include "kernel/histogram.h"
#include "kernel/kernel_counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_SET(side) (1U << (side))
#define BOTH_SIDES     (SIDE_SET(SIDE_SERVER) | SIDE_SET(SIDE_CLIENT))

struct order_step {
    enum act act;
    uint32_t by;                 /* the sides that act: SIDE_SET()s */
    uint32_t expect[SIDE_COUNT]; /* STATE_SET()s: every end of the side is in one of them */
    /* TIME_WAIT on both sides together, per connection; both 0: not looked at. */
    int time_wait_min, time_wait_max;
};

enum { ORDER_STEPS_MAX = 8 };

/* How the connections of an order come about: its step 0. */
enum opening {
    OPENING_FULL,       /* connect() and accept() */
    OPENING_NARROW,     /* likewise, and the client has room for 2 KB that it does not read */
    OPENING_UNACCEPTED, /* the server never calls accept() */
    OPENING_UNANSWERED, /* the listener drops all it would receive: no SYN is answered */
    OPENING_HALF,       /* the client does: the SYN is answered, and the answer is not heard */
    OPENING_LISTENERS,  /* there are none, but as many listening sockets */
    OPENING_COUNT,
};

/* "full", in messages. */
const char *opening_name(enum opening opening);
/* OPENING_COUNT when there is no such one. */
enum opening opening_parse(const char *name);
/* True when the server accepts each connection. */
bool opening_is_accepted(enum opening opening);

/* The kernel's, that ACT_WAIT waits for. */
enum order_clock {
    CLOCK_FIN_TIMEOUT,    /* of an orphaned FIN_WAIT2: net.ipv4.tcp_fin_timeout */
    CLOCK_RETRANSMISSION, /* until what is not acknowledged is given up: net.ipv4.tcp_retries2 */
};

/* What an order needs that not every run has. */
struct order_needs {
    const char *sysctl; /* a setting of the network namespace; NULL: none */
    int64_t value;      /* that it must have, and more where there are very many connections: see
                           order_sysctl_value(), */
    bool is_half;       /* or room for half of them */
    bool must_move;     /* a counter of the kernel that must have moved: */
    enum kernel_counter counter;
};

struct close_order {
    const char *name;
    const char *summary; /* one line: who does what */
    enum opening opening;
    struct order_needs needs;
    enum order_clock clock;
    const char *meaning;                      /* a sentence or two: what the states show */
    struct order_step steps[ORDER_STEPS_MAX]; /* after the opening; ACT_NONE ends them */
};

/* The i-th order, NULL past the last. */
const struct close_order *close_order_at(size_t i);

/* NULL when there is none of that name. */
const struct close_order *close_order_find(const char *name);

/* The name that was probably meant, or NULL. */
const char *close_order_nearest(const char *name);

/* Steps with the opening, which is step 0 of every order. */
int order_step_count(const struct close_order *order);
const struct order_step *order_step_at(const struct close_order *order, int step);

static inline bool order_step_is_by(const struct order_step *step, enum side side)
{
    return (step->by & SIDE_SET(side)) != 0;
}

/* True when its acts or its opening set a packet filter: see packet_drop_probe. */
bool order_needs_filter(const struct close_order *order);

/* True when the client connects again from the same ports. */
bool order_reconnects(const struct close_order *order);

/* True when ends stay closed and not acknowledged: without a descriptor in FIN_WAIT1, LAST_ACK or CLOSING. */
bool order_leaves_orphans(const struct close_order *order);

/* True when ends stay in FIN_WAIT2 without a descriptor. */
bool order_leaves_fin_wait2(const struct close_order *order);

/* True when the kernel keeps data that cannot be sent, without a descriptor. */
bool order_leaves_unsent_data(const struct close_order *order);

/* True when it is played by "all" on any machine: it needs no filter and no setting. */
bool order_needs_nothing(const struct close_order *order);

/* True when each of its connections can be played by itself: see script.h. */
bool order_can_flow(const struct close_order *order);

/* The value that needs.sysctl must have. */
int64_t order_sysctl_value(const struct close_order *order, int64_t conns);

struct step_label {
    char text[32];
};

/* "open", "server-close", "both-close": unique within an order. */
struct step_label order_step_label(const struct order_step *step);

/* True when this side's descriptor is closed in that step or before, by itself or by a crash: its FIN_WAIT2
 * is an orphan and ends after tcp_fin_timeout. *closing_step is the step that did it. */
bool order_side_closed(const struct close_order *order, int step, enum side side, int *closing_step);

/* The side that leaks when the second close() is left out: the one that does not send the first FIN or RST,
 * the server where both do. *step is the step of that close(). SIDE_COUNT when there is no second close(). */
enum side order_leak_side(const struct close_order *order, int *step);

/* The step from which on that side hears no answer to what it has sent, as its sockets drop all that comes;
 * -1: it hears, or has not sent anything by that step. */
int order_unanswered_since(const struct close_order *order, int step, enum side side);

/* The first step by which some end drops all that comes, and still does: its connection has an end that
 * answers nothing; -1: none does. */
int order_deaf_since(const struct close_order *order, int step);

/* True when that side's descriptors are released in that step or before. */
bool order_side_released(const struct close_order *order, int step, enum side side);

/* What ends of that side are in, and stay in, where that close() is left out: STATE_SET()s. */
uint32_t order_leak_states(const struct close_order *order, enum side side);

/* Timewait sockets that one connection may leave in the kernel at most: 0, 1 or 2. Orphaned FIN_WAIT2 counts.
 */
int order_time_wait_per_connection(const struct close_order *order);

struct state_set_text {
    char text[96];
};

/* "FIN_WAIT2", "TIME_WAIT or gone". */
struct state_set_text state_set_text(uint32_t set);

#endif
