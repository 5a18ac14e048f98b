/* metrics: what is there now, for a monitor: OpenMetrics over HTTP, at /metrics, while the run lasts. The
 * labels of tcpstorm_connection_states are those of node_exporter's node_tcp_connection_states. */
#include "view/metrics.h"
#include "base/clock.h"
#include "model/transition.h"
#include "view/metric_text.h"
#include "view/page_server.h"
#include "view/snapshot.h"
#include "view/transition_metrics.h"
#include "view/view.h"

#include <errno.h>
#include <stdlib.h>

struct metrics {
    struct snapshot snapshot;
    bool has_transitions;
    struct transition_counts ended,
        under_way; /* transitions of the orders that have ended, and of the others */
    int listener;  /* the server's, once there is one */
    struct page_server *server;
};

/* ---- what is told ---- */

struct family {
    struct metric_family is;
    /* One of them: */
    double (*of_side)(const struct snapshot_order *sum, enum side side);
    double (*of_run)(const struct snapshot *snapshot, const struct snapshot_order *sum);
};

static double gone(const struct snapshot_order *sum, enum side side)
{
    return (double)snapshot_count(sum, side, STATE_GONE);
}

static double unread(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->sides[side].unread;
}

static double unowned(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->sides[side].unowned;
}

static double ghosts(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->sides[side].ghosts;
}

static double open_fds(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->look.fds[side];
}

static double max_fds(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->look.nofile[side];
}

static double errors(const struct snapshot_order *sum, enum side side)
{
    return (double)sum->look.errors[side];
}

static double wanted(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return (double)sum->conns;
}

static double opened(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return (double)sum->look.opened;
}

static double queued(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return (double)sum->sides[SIDE_SERVER].queued;
}

static double dropped(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return (double)sum->look.dropped;
}

static double late(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return (double)sum->look.late;
}

static double looks(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)sum;
    return (double)snapshot->looks;
}

static double look_seconds(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return sum->look.look_s;
}

static double look_age_seconds(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)snapshot;
    return sum->has_look ? (double)(monotonic_us() - sum->look_began_us) / 1e6 : 0;
}

static double run_seconds(const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    (void)sum;
    return (double)(monotonic_us() - snapshot->run_began_us) / 1e6;
}

static const struct family families[] = {
    {{"tcpstorm_connections_gone", METRIC_GAUGE, "side",
      "Opened connections that have no socket on this side."},
     gone,
     NULL},
    {{"tcpstorm_close_wait_unread", METRIC_GAUGE, "side",
      "Sockets in CLOSE_WAIT whose end of file the program has not read."},
     unread,
     NULL},
    {{"tcpstorm_close_wait_unowned", METRIC_GAUGE, "side", "Sockets in CLOSE_WAIT that were never accepted."},
     unowned,
     NULL},
    {{"tcpstorm_ghosts", METRIC_GAUGE, "side", "Descriptors still open on connections that have ended."},
     ghosts,
     NULL},
    {{"tcpstorm_open_fds", METRIC_GAUGE, "side", "Descriptors that this side has on connections."},
     open_fds,
     NULL},
    {{"tcpstorm_max_fds", METRIC_GAUGE, "side",
      "Descriptors that all processes of this side together may have."},
     max_fds,
     NULL},
    {{"tcpstorm_errors", METRIC_COUNTER, "side",
      "Failed accept() calls on the server, failed connect() calls on the client."},
     errors,
     NULL},
    {{"tcpstorm_connections_wanted", METRIC_GAUGE, "", "Connections to open."}, NULL, wanted},
    {{"tcpstorm_connections_opened", METRIC_GAUGE, "",
      "connect() calls that were started and have not failed."},
     NULL,
     opened},
    {{"tcpstorm_accept_queue", METRIC_GAUGE, "", "Connections that wait in accept queues."}, NULL, queued},
    {{"tcpstorm_listen_drops", METRIC_COUNTER, "",
      "SYNs that listeners of this network namespace have dropped."},
     NULL,
     dropped},
    {{"tcpstorm_late_arrivals", METRIC_COUNTER, "", "Connections that were opened more than 10 ms too late."},
     NULL,
     late},
    {{"tcpstorm_looks", METRIC_COUNTER, "", "Looks at the kernel's tables."}, NULL, looks},
    {{"tcpstorm_look_seconds", METRIC_GAUGE, "", "How long the last look took."}, NULL, look_seconds},
    {{"tcpstorm_look_age_seconds", METRIC_GAUGE, "",
      "Time since the last look began. The numbers here are that old."},
     NULL,
     look_age_seconds},
    {{"tcpstorm_run_seconds", METRIC_GAUGE, "", "Time since the run began."}, NULL, run_seconds},
};

static const struct metric_family states = {"tcpstorm_connection_states", METRIC_GAUGE, "side,state",
                                            "Sockets in each TCP state, as the kernel reports them."};

static const struct metric_family step = {"tcpstorm_step", METRIC_INFO, "order,step,doing",
                                          "The orders that are running, and the step of each."};

void metrics_each_family(metric_visit *visit, void *context)
{
    visit(context, &metric_build);
    visit(context, &step);
    visit(context, &states);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        visit(context, &families[i].is);
}

/* ---- how it is written ---- */

static struct metric_labels of_side(int side)
{
    struct metric_labels labels = {.text = ""};
    metric_labels_add(&labels, "side", side_name((enum side)side));
    return labels;
}

static void put_states(const struct metric_page *page, const struct snapshot_order *sum)
{
    metric_head(page, &states);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
            enum tcp_state state = tcp_state_in_life_order(i);
            struct metric_labels labels = of_side(side);
            metric_labels_add(&labels, "state", tcp_state_column(state));
            metric_sample(page, &states, &labels, (double)sum->sides[side].of[state]);
        }
}

static void put_family(const struct metric_page *page, const struct family *family,
                       const struct snapshot *snapshot, const struct snapshot_order *sum)
{
    metric_head(page, &family->is);
    if (family->of_run != NULL)
        metric_sample(page, &family->is, NULL, family->of_run(snapshot, sum));
    for (int side = 0; family->of_side != NULL && side < SIDE_COUNT; side++) {
        struct metric_labels labels = of_side(side);
        metric_sample(page, &family->is, &labels, family->of_side(sum, (enum side)side));
    }
}

static void put_steps(const struct metric_page *page, const struct snapshot *snapshot)
{
    metric_head(page, &step);
    for (int i = 0; i < snapshot->count; i++) {
        struct metric_labels labels = {.text = ""};
        metric_labels_add(&labels, "order", snapshot->orders[i].experiment->name);
        metric_labels_add(&labels, "step", snapshot->orders[i].step);
        metric_labels_add(&labels, "doing", snapshot->orders[i].doing);
        metric_sample(page, &step, &labels, 1);
    }
}

static void put_transitions(const struct metric_page *page, const struct metrics *metrics)
{
    struct transition_counts all = metrics->ended;
    transitions_add(&all, &metrics->under_way);
    transition_metrics_put(page, &all);
}

/* ---- who asks ---- */

static bool make_page(void *context, const struct page_request *request, struct evbuffer *body,
                      const char **type)
{
    const struct metrics *metrics = context;
    const struct snapshot *snapshot = &metrics->snapshot;
    struct metric_page page;
    if (!metric_page_begin(&page, request, body, type))
        return false;
    struct snapshot_order sum = snapshot_sum(snapshot);
    metric_build_info(&page);
    put_steps(&page, snapshot);
    put_states(&page, &sum);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        put_family(&page, &families[i], snapshot, &sum);
    if (metrics->has_transitions)
        put_transitions(&page, metrics);
    metric_page_end(&page);
    return true;
}

static int metrics_run_start(void *view, const struct run_start *start)
{
    struct metrics *metrics = view;
    snapshot_run_start(&metrics->snapshot);
    metrics->server = page_server_new(start->base, metrics->listener, make_page, metrics);
    return metrics->server != NULL ? 0 : -ENOMEM;
}

static int metrics_order_start(void *view, const struct order_start *start)
{
    snapshot_order_start(&((struct metrics *)view)->snapshot, start);
    return 0;
}

static int metrics_sample(void *view, const struct sample *sample)
{
    struct metrics *metrics = view;
    snapshot_sample(&metrics->snapshot, sample);
    metrics->has_transitions |= sample->transitions != NULL;
    if (sample->transitions != NULL)
        metrics->under_way = *sample->transitions->counts;
    return 0;
}

static void metrics_progress(void *view, const struct progress *progress)
{
    snapshot_progress(&((struct metrics *)view)->snapshot, progress);
}

static int metrics_order_end(void *view, const struct order_end *end)
{
    struct metrics *metrics = view;
    snapshot_order_end(&metrics->snapshot, end);
    if (end->transitions != NULL)
        transitions_add(&metrics->ended, end->transitions->counts);
    metrics->under_way = (struct transition_counts){.sampled_one_in = metrics->ended.sampled_one_in};
    return 0;
}

static int metrics_run_end(void *view, const struct run_end *end)
{
    (void)end;
    struct metrics *metrics = view;
    page_server_free(metrics->server);
    metrics->server = NULL;
    return 0;
}

static const struct observer_ops metrics_ops = {
    .run_start = metrics_run_start,
    .order_start = metrics_order_start,
    .sample = metrics_sample,
    .progress = metrics_progress,
    .order_end = metrics_order_end,
    .run_end = metrics_run_end,
};

struct observer metrics_view(int listener)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics != NULL)
        metrics->listener = listener;
    return (struct observer){.ops = &metrics_ops, .view = metrics, .name = "--metrics"};
}
