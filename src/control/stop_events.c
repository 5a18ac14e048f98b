#include "control/stop_events.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A signal that is blocked has no handler; a descriptor is readable while one waits, and the loop ends with
 * it or the next one begins with it. */
static int open_held(struct stop_events *events, struct event_base *base, event_callback_fn on_stop,
                     void *context)
{
    const sigset_t set = stop_signals_set();
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    events->held = event_new(base, fd, EV_READ, on_stop, context);
    if (events->held == NULL)
        close(fd);
    return events->held != NULL && event_add(events->held, NULL) == 0 ? 0 : -ENOMEM;
}

int stop_events_open(struct stop_events *events, struct event_base *base, event_callback_fn on_stop,
                     void *context)
{
    if (stop_signals_are_held())
        return open_held(events, base, on_stop, context);
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
    if (events->held != NULL) {
        int fd = event_get_fd(events->held);
        event_free(events->held);
        close(fd);
    }
    *events = (struct stop_events){0};
}
