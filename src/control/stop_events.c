#include "control/stop_events.h"

#include <errno.h>

int stop_events_open(struct stop_events *events, struct event_base *base, event_callback_fn on_stop,
                     void *context)
{
    for (int i = 0; i < STOP_SIGNALS; i++) {
        if (stop_signal_stays_ignored(stop_signals[i]))
            continue;
        events->each[i] = evsignal_new(base, stop_signals[i], on_stop, context);
        if (events->each[i] == NULL || event_add(events->each[i], NULL) != 0)
            return -ENOMEM;
    }
    return 0;
}

void stop_events_close(struct stop_events *events)
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        if (events->each[i] != NULL)
            event_free(events->each[i]);
    *events = (struct stop_events){0};
}
