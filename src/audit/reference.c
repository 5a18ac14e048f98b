#include "audit/reference.h"

#include "audit/probe.h"

#include <stdlib.h>

enum { SPAN_LEAST_US = 10000 }; /* a server's timers are late by some milliseconds too */

/* Some servers reply when they have read EOF: all that comes after the client's own FIN is of the reply too.
 */
static bool is_over(const struct probe_crowd *crowd)
{
    return crowd->in_phase[PROBE_CONNECTING] + crowd->in_phase[PROBE_TALKING] +
               crowd->in_phase[PROBE_ACTED] ==
           0;
}

static void on_change(void *crowd, enum probe_phase from)
{
    (void)from;
    if (is_over(crowd))
        event_base_loopbreak(((const struct probe_crowd *)crowd)->base); /* means nothing before it turns */
}

static bool came_through(const struct probe *probe)
{
    return probe->connected_us > 0 && probe->end != END_FAILED && probe->end != END_TIMED_OUT;
}

static int by_time(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static void sum_up_idle(struct reference *reference, int64_t *times, int count)
{
    reference->idle_us = -1;
    if (count == 0)
        return;
    qsort(times, (size_t)count, sizeof *times, by_time);
    int64_t span_us = times[count - 1] - times[0];
    reference->idle_us = times[(count - 1) / 2];
    reference->idle_span_us = span_us > SPAN_LEAST_US ? span_us : SPAN_LEAST_US;
}

static void note_end(struct reference *reference, const struct probe *probe)
{
    if (reference->came_through == 1)
        reference->reply_end = probe->last;
    else if (!reply_end_equal(&reference->reply_end, &probe->last))
        reference->reply_end.length = 0;
}

static struct reference sum_up(const struct probe *probes)
{
    struct reference reference = {.reply_bytes = -1};
    int64_t times[REFERENCES];
    int closed = 0;
    for (int i = 0; i < REFERENCES; i++) {
        const struct probe *probe = &probes[i];
        if (!came_through(probe))
            continue;
        if (reference.came_through++ == 0 || probe->bytes < reference.reply_bytes)
            reference.reply_bytes = probe->bytes;
        note_end(&reference, probe);
        if (probe->end == END_FIN)
            times[closed++] = probe_idle_us(probe);
    }
    sum_up_idle(&reference, times, closed);
    return reference;
}

struct reference reference_play(struct event_base *base, const struct audit_settings *settings,
                                enum audit_order order)
{
    struct audit_settings waiting = *settings;
    struct probe_crowd crowd = {
        .settings = &waiting, .base = base, .on_change = on_change, .context = &crowd};
    struct probe probes[REFERENCES];
    waiting.order = order;
    for (int i = 0; i < REFERENCES; i++)
        probe_start(&probes[i], &crowd);
    if (!is_over(&crowd))
        event_base_dispatch(base);
    struct reference reference = sum_up(probes);
    for (int i = 0; i < REFERENCES; i++)
        probe_stop(&probes[i]);
    return reference;
}
