/* expectation: what a look should show at a step of an order, and how a look that differs does so. It knows
 * the kernel's clocks: an orphaned FIN_WAIT2 ends after tcp_fin_timeout, TIME_WAIT after 60 s, and a side
 * that closes after its peer's FIN_WAIT2 has ended is answered by RST, so that no TIME_WAIT follows. */
#ifndef ANALYSIS_EXPECTATION_H
#define ANALYSIS_EXPECTATION_H

#include "kernel/histogram.h"
#include "model/close_order.h"

#include <stdbool.h>
#include <stdint.h>

/* When each step's act was begun and acknowledged by all, on one monotonic clock in milliseconds. */
struct act_times {
    int64_t began_ms[ORDER_STEPS_MAX + 1];
    int64_t ended_ms[ORDER_STEPS_MAX + 1];
};

/* What bends the rule of the table. */
struct circumstances {
    int64_t conns; /* asked for */
    int64_t opened;
    int64_t fin_timeout_ms; /* net.ipv4.tcp_fin_timeout */
    int64_t retries2;       /* net.ipv4.tcp_retries2 */
    /* RSTs that this kernel has sent since the order began and that may have ended a TIME_WAIT (RFC 1337); 0
     * where net.ipv4.tcp_rfc1337 forbids it. */
    int64_t resets;
    int64_t keepalive_s[SIDE_COUNT]; /* of each side's ends; 0: none */
    int64_t leaked;                  /* connections whose second close() was left out: see order_leak_side */
    bool is_flow;   /* connections came one by one, over a time that may outlast the kernel's clocks */
    bool is_outage; /* and the server was made to break: whatever states follow are no surprise */
};

struct expectation {
    uint32_t allowed[SIDE_COUNT];            /* STATE_SET()s */
    bool by_clock[SIDE_COUNT];               /* gone is allowed only because time has passed */
    bool by_late_close[SIDE_COUNT];          /* and that is because a close() came after its peer had left */
    int64_t time_wait_least, time_wait_most; /* on both sides together; most 0: not looked at */
    int64_t time_wait_promised;              /* least, if no TIME_WAIT were ended by a late RST */
    bool by_keepalive[SIDE_COUNT];           /* or because keep-alive had no answer, or an RST for one */
    int64_t opened;
    int64_t leaked; /* exactly so many are held on leak_side; looked at where it is not SIDE_COUNT, */
    enum tcp_state leak_state; /* in that state; STATE_GONE: as ghosts */
    enum side leak_side;
    int64_t listeners;              /* exactly so many; 0: not looked at */
    bool holds_all[SIDE_COUNT];     /* every end has its descriptor, on its socket or on none */
    bool holds_nothing[SIDE_COUNT]; /* no process of that side has a descriptor, on a socket or on none */
};

/* What a look that ended at now_ms may show. */
struct expectation expectation_at(const struct close_order *order, int step, const struct act_times *times,
                                  int64_t now_ms, const struct circumstances *circumstances);

struct difference {
    char text[320];
};

/* True when the look is as expected. Otherwise, with a difference that is not NULL, says how it is not. */
bool expectation_holds(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                       struct difference *difference);

/* True when ends of that side have in fact left by the clock. */
bool expectation_aged(const struct expectation *expectation, const struct histogram *histogram,
                      enum side side);

/* True when ends of that side are gone that only keep-alive can have ended. */
bool expectation_lost_by_keepalive(const struct expectation *expectation, const struct histogram *histogram,
                                   enum side side);

/* TIME_WAIT that the order promises and that a late RST has ended early; 0 when none is missing. */
int64_t expectation_assassinated(const struct expectation *expectation,
                                 const struct histogram sides[SIDE_COUNT]);

#endif
