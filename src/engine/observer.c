#include "engine/observer.h"

#include <stddef.h>

#define TELL_ALL(what, argument_type)                                                                        \
    int observers_##what(const struct observers *observers, const struct argument_type *argument,            \
                         const char **failed)                                                                \
    {                                                                                                        \
        int first = 0;                                                                                       \
        for (int i = 0; i < observers->count; i++) {                                                         \
            const struct observer *observer = &observers->each[i];                                           \
            int rc = observer->ops->what != NULL ? observer->ops->what(observer->view, argument) : 0;        \
            if (rc < 0 && first == 0) {                                                                      \
                first = rc;                                                                                  \
                *failed = observer->name;                                                                    \
            }                                                                                                \
        }                                                                                                    \
        return first;                                                                                        \
    }

TELL_ALL(run_start, run_start)
TELL_ALL(order_start, order_start)
TELL_ALL(sample, sample)
TELL_ALL(step_end, step_end)
TELL_ALL(order_end, order_end)
TELL_ALL(run_end, run_end)

void observers_progress(const struct observers *observers, const struct progress *progress)
{
    for (int i = 0; i < observers->count; i++)
        if (observers->each[i].ops->progress != NULL)
            observers->each[i].ops->progress(observers->each[i].view, progress);
}

void observers_gauge(const struct observers *observers, const struct gauge *gauge)
{
    for (int i = 0; i < observers->count; i++)
        if (observers->each[i].ops->gauge != NULL)
            observers->each[i].ops->gauge(observers->each[i].view, gauge);
}

bool observers_want_gauge(const struct observers *observers)
{
    for (int i = 0; i < observers->count; i++)
        if (observers->each[i].ops->gauge != NULL)
            return true;
    return false;
}

const char *observers_clogged(const struct observers *observers)
{
    for (int i = 0; i < observers->count; i++) {
        const struct observer *observer = &observers->each[i];
        if (observer->ops->is_clogged != NULL && observer->ops->is_clogged(observer->view))
            return observer->name;
    }
    return NULL;
}
