#include "audit/reference.h"

#include "audit/probe.h"

enum { REFERENCES = 3 };

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

int64_t reference_reply(struct event_base *base, const struct audit_settings *settings)
{
    struct audit_settings waiting = *settings;
    struct probe_crowd crowd = {
        .settings = &waiting, .base = base, .on_change = on_change, .context = &crowd};
    struct probe probes[REFERENCES];
    int64_t shortest = INT64_MAX;
    waiting.order = AUDIT_HALF_CLOSE;
    for (int i = 0; i < REFERENCES; i++)
        probe_start(&probes[i], &crowd);
    if (!is_over(&crowd))
        event_base_dispatch(base);
    for (int i = 0; i < REFERENCES; i++) {
        shortest = probes[i].bytes < shortest ? probes[i].bytes : shortest;
        probe_stop(&probes[i]);
    }
    return shortest;
}
