/* stop_events: the signals of stop_signals.h as events of a loop. */
#ifndef CONTROL_STOP_EVENTS_H
#define CONTROL_STOP_EVENTS_H

#include "base/stop_signals.h"

#include <event2/event.h>

/* Zero-initialised: none. */
struct stop_events {
    struct event *each[STOP_SIGNALS]; /* NULL: it stays ignored */
};

/* From now on each of them calls `on_stop`. Returns 0, or -ENOMEM with those that are there for
 * stop_events_close(). */
int stop_events_open(struct stop_events *events, struct event_base *base, event_callback_fn on_stop,
                     void *context);
void stop_events_close(struct stop_events *events);

#endif
