/* order_transitions: which transitions a close order makes, and how many, from its row: each step leads every
 * end from a state in which the step before it left it to one that the step expects, by the arrows that the
 * step's act allows. */
#ifndef MODEL_ORDER_TRANSITIONS_H
#define MODEL_ORDER_TRANSITIONS_H

#include "events/transition_counts.h"
#include "model/close_order.h"

#include <stdbool.h>

struct transition_range {
    int64_t least, most;
};

struct order_transitions {
    struct transition_range of[SIDE_COUNT][STATE_COUNT][STATE_COUNT][WHY_COUNT];
    struct transition_range to_time_wait; /* of both sides together; most 0: not looked at */
};

/* What an order makes of so many connections when all its steps up to `last_step` are done. */
struct order_transitions_input {
    int64_t conns;
    int64_t leaked;          /* of them, left without their second close() */
    int64_t listeners;       /* sockets that listen */
    int64_t failed_connects; /* that were begun besides */
    int last_step;
    bool sees_small; /* requests and timewait sockets are counted too (EVENTS_ALL) */
};

struct order_transitions order_transitions_of(const struct close_order *order,
                                              const struct order_transitions_input *input);

/* True when the side's ends can get from what the step before expects to what this step does. Of every row of
 * the tables this is so. */
bool order_step_has_path(const struct close_order *order, int step, enum side side);

#endif
