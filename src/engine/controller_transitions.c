/* controller_transitions: what the second witness of an order says, where there is one. */
#include "engine/controller_state.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>

enum { GAUGE_MS = 100 };

/* Sockets of others are counted as well until lanes are aimed at, and closing down is no part of the order.
 * What small sockets have become is known only where they are counted. */
static void on_gauge(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    struct histogram sides[SIDE_COUNT];
    if (c->phase < PHASE_ACTING || c->phase > PHASE_ASKING)
        return;
    event_witness_gauge(&c->event_witness, c->look.sides, sides);
    const struct gauge gauge = {
        .experiment = c->experiment,
        .step = c->label.text,
        .opened = socket_events_level(c->event_witness.events) == EVENTS_ALL ? controller_opened(c) : -1,
        .sides = sides,
    };
    observers_gauge(c->observers, &gauge);
}

int controller_begin_gauge(struct controller *c)
{
    struct timeval every = timeval_of_us(GAUGE_MS * 1000);
    if (c->plan->settings->events == NULL || !observers_want_gauge(c->observers))
        return 0;
    c->gauge_timer = event_new(c->base, -1, EV_PERSIST, on_gauge, c);
    return c->gauge_timer != NULL && evtimer_add(c->gauge_timer, &every) == 0 ? 0 : -ENOMEM;
}

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
