#include "view/transition_metrics.h"

#include "model/dwell_time.h"
#include "model/transition.h"

#include <event2/buffer.h>
#include <inttypes.h>

static void put_moves(struct evbuffer *out, const struct transition_counts *counts, bool open_metrics)
{
    const char *suffix = open_metrics ? "" : "_total";
    evbuffer_add_printf(
        out,
        "# HELP tcpstorm_transitions%s Moves of sockets from one TCP state to another, as the kernel "
        "made them.\n# TYPE tcpstorm_transitions%s counter\n",
        suffix, suffix);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++) {
                    int64_t count = counts->side[side].moved[from][to][why];
                    if (count != 0)
                        evbuffer_add_printf(out,
                                            "tcpstorm_transitions_total{side=\"%s\",from=\"%s\",to=\"%s\","
                                            "why=\"%s\"} %" PRId64 "\n",
                                            side_name((enum side)side),
                                            tcp_state_column((enum tcp_state)from),
                                            tcp_state_column((enum tcp_state)to),
                                            transition_why_name((enum transition_why)why), count);
                }
}

/* Every second bucket, always the same ones: each holds those before it. */
static void put_histogram(struct evbuffer *out, const struct dwell *dwell, enum side side,
                          enum tcp_state state)
{
    int64_t sampled = dwell_sampled(dwell), so_far = 0;
    for (int i = 0; i < DWELL_BUCKETS - 1; i++) {
        so_far += dwell->in[i];
        if (i % 2 == 1)
            evbuffer_add_printf(
                out,
                "tcpstorm_state_dwell_seconds_bucket{side=\"%s\",state=\"%s\",le=\"%.9g\"} %" PRId64 "\n",
                side_name(side), tcp_state_column(state), (double)((int64_t)DWELL_FIRST_NS << (i + 1)) / 1e9,
                so_far);
    }
    evbuffer_add_printf(out,
                        "tcpstorm_state_dwell_seconds_bucket{side=\"%s\",state=\"%s\",le=\"+Inf\"} %" PRId64
                        "\ntcpstorm_state_dwell_seconds_count{side=\"%s\",state=\"%s\"} %" PRId64 "\n",
                        side_name(side), tcp_state_column(state), sampled, side_name(side),
                        tcp_state_column(state), sampled);
}

static void put_times(struct evbuffer *out, const struct transition_counts *counts)
{
    evbuffer_add_printf(
        out,
        "# HELP tcpstorm_state_dwell_seconds How long sockets stayed in a state that they have left: "
        "one in %" PRId64 " of them.\n# TYPE tcpstorm_state_dwell_seconds histogram\n",
        counts->sampled_one_in);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
            enum tcp_state state = tcp_state_in_life_order(i);
            const struct dwell *dwell = &counts->side[side].dwell[state];
            if (dwell_sampled(dwell) > 0)
                put_histogram(out, dwell, (enum side)side, state);
        }
}

void transition_metrics_put(struct evbuffer *out, const struct transition_counts *counts, bool open_metrics)
{
    put_moves(out, counts, open_metrics);
    put_times(out, counts);
}
