/* controller_transitions: what the second witness of an order says, where there is one. */
#include "engine/controller_state.h"

enum agreement controller_compare_witnesses(struct controller *c)
{
    return event_witness_compare(&c->event_witness, c->look.sides, &c->disagreement);
}

bool controller_note_agreement(struct controller *c, enum agreement agreement)
{
    if (event_witness_note(&c->event_witness, agreement, &c->disagreement))
        return true;
    c->difference = c->disagreement;
    return false;
}

/* Where clocks of the kernel have bent the order, or its course leaves counts open, any arrow that TCP has
 * will do. */
bool controller_transitions_are_as_expected(struct controller *c)
{
    struct event_witness *witness = &c->event_witness;
    if (witness->events == NULL)
        return true;
    bool are_listeners = c->order->opening == OPENING_LISTENERS;
    const struct order_transitions_input input = {
        .conns = controller_opened(c),
        .leaked = c->plan->settings->leak,
        .listeners = are_listeners ? c->plan->settings->conns : c->plan->lane_count,
        .failed_connects = c->at_look.errors[SIDE_CLIENT],
        .last_step = c->step,
        .sees_small = socket_events_level(witness->events) == EVENTS_ALL,
    };
    const struct order_transitions expected = order_transitions_of(c->order, &input);
    bool is_counted = c->mode == &batch && !c->aged && !c->late_close;
    return event_witness_is_as_expected(witness, input.conns, is_counted ? &expected : NULL, &c->difference);
}
