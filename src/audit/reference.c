#include "audit/reference.h"

#include "audit/probe.h"

enum { REFERENCES = 3 };

struct asking {
    struct probe_crowd crowd;
    struct probe probes[REFERENCES];
    bool is_told; /* all have begun */
};

static int64_t under_way(const int64_t in_phase[PROBE_PHASE_COUNT])
{
    return in_phase[PROBE_CONNECTING] + in_phase[PROBE_TALKING] + in_phase[PROBE_ACTED];
}

/* Some servers reply when they have read EOF: all that comes after the client's own FIN is of the reply too.
 */
static void on_change(void *context, enum probe_phase from)
{
    (void)from;
    struct asking *asking = context;
    const int64_t *in_phase = asking->crowd.in_phase;
    if (asking->is_told && under_way(in_phase) == 0)
        event_base_loopbreak(asking->crowd.base);
}

int64_t reference_reply(struct event_base *base, const struct audit_settings *settings)
{
    struct audit_settings waiting = *settings;
    struct asking asking = {
        .crowd = {.settings = &waiting, .base = base, .on_change = on_change, .context = &asking}};
    int64_t shortest = INT64_MAX;
    waiting.order = AUDIT_HALF_CLOSE;
    for (int i = 0; i < REFERENCES; i++)
        probe_start(&asking.probes[i], &asking.crowd);
    asking.is_told = true;
    if (under_way(asking.crowd.in_phase) > 0)
        event_base_dispatch(base);
    for (int i = 0; i < REFERENCES; i++) {
        shortest = asking.probes[i].bytes < shortest ? asking.probes[i].bytes : shortest;
        probe_stop(&asking.probes[i]);
    }
    return shortest;
}
