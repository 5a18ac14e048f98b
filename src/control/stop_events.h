/* stop_events: the signals of stop_signals.h as events of a loop. Where they are held (stop_signals_hold),
 * one that came before the loop is heard by it too. */
#ifndef CONTROL_STOP_EVENTS_H
#define CONTROL_STOP_EVENTS_H

#include "base/stop_signals.h"

#include <event2/event.h>

/* Zero-initialised: none. */
struct stop_events {
    struct event *each[STOP_SIGNALS]; /* NULL: it stays ignored */
    struct event *held;               /* where they are held: one for all */
};

/* From now on each of them calls `on_stop`. Returns 0, or a negative errno with those that are there for
 * stop_events_close(). */
int stop_events_open(struct stop_events *events, struct event_base *base, event_callback_fn on_stop,
                     void *context);
void stop_events_close(struct stop_events *events);

#endif
