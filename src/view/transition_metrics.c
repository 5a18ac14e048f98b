#include "view/transition_metrics.h"

#include "model/dwell_time.h"
#include "model/transition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct metric_family moves = {
    "tcpstorm_transitions", METRIC_COUNTER, "side,from,to,why",
    "Transitions of sockets from one TCP state to another, as the kernel made them."};

/* On the page its help says in place of the full stop on how many of them. */
static const struct metric_family times = {"tcpstorm_state_dwell_seconds", METRIC_HISTOGRAM, "side,state",
                                           "How long sockets stayed in a state that they have left."};

void transition_metrics_each_family(metric_visit *visit, void *context)
{
    visit(context, &moves);
    visit(context, &times);
}

static void put_moves(const struct metric_page *page, const struct transition_counts *counts)
{
    metric_head(page, &moves);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++) {
                    struct metric_labels labels = {.text = ""};
                    int64_t count = counts->side[side].moved[from][to][why];
                    if (count == 0)
                        continue;
                    metric_labels_add(&labels, "side", side_name((enum side)side));
                    metric_labels_add(&labels, "from", tcp_state_column((enum tcp_state)from));
                    metric_labels_add(&labels, "to", tcp_state_column((enum tcp_state)to));
                    metric_labels_add(&labels, "why", transition_why_name((enum transition_why)why));
                    metric_sample(page, &moves, &labels, (double)count);
                }
}

/* Every second bucket, always the same ones. */
static void put_histogram(const struct metric_page *page, const struct metric_family *family,
                          const struct dwell *dwell, const struct metric_labels *labels)
{
    enum { TOLD = DWELL_BUCKETS / 2 };
    double bounds[TOLD];
    int64_t in[TOLD];
    for (int i = 0; i < TOLD; i++) {
        bounds[i] = i < TOLD - 1 ? (double)((int64_t)DWELL_FIRST_NS << (2 * i + 2)) / 1e9 : INFINITY;
        in[i] = dwell->in[2 * i] + dwell->in[2 * i + 1];
    }
    metric_histogram(page, family, labels,
                     &(struct metric_buckets){.bounds = bounds, .in = in, .count = TOLD, .sum = NAN});
}

static void put_times(const struct metric_page *page, const struct transition_counts *counts)
{
    char help[128];
    snprintf(help, sizeof help, "%.*s, measured on one in %" PRId64 ".", (int)strlen(times.help) - 1,
             times.help, counts->sampled_one_in);
    struct metric_family with_share = times;
    with_share.help = help;
    metric_head(page, &with_share);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
            enum tcp_state state = tcp_state_in_life_order(i);
            const struct dwell *dwell = &counts->side[side].dwell[state];
            struct metric_labels labels = {.text = ""};
            if (dwell_sampled(dwell) == 0)
                continue;
            metric_labels_add(&labels, "side", side_name((enum side)side));
            metric_labels_add(&labels, "state", tcp_state_column(state));
            put_histogram(page, &times, dwell, &labels);
        }
}

void transition_metrics_put(const struct metric_page *page, const struct transition_counts *counts)
{
    put_moves(page, counts);
    put_times(page, counts);
}
