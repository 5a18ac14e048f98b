/* metrics: what is there now, for a monitor: OpenMetrics over HTTP, at /metrics, while the run lasts. The
 * labels of tcpstorm_connection_states are those of node_exporter's node_tcp_connection_states. Who does not
 * ask for OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/) gets Prometheus's text
 * format. */
#include "base/clock.h"
#include "base/version.h"
#include "model/transition.h"
#include "view/page_server.h"
#include "view/snapshot.h"
#include "view/transition_metrics.h"
#include "view/view.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
    struct snapshot snapshot;
    bool has_transitions;
    struct transition_counts ended,
        under_way; /* transitions of the orders that have ended, and of the others */
    int listener;  /* the server's, once there is one */
    struct page_server *server;
};

/* ---- what is told ---- */

enum kind { KIND_GAUGE, KIND_COUNTER };

struct family {
    const char *name; /* after "tcpstorm_"; a counter's without "_total" */
    enum kind kind;
    const char *help;
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
    {"connections_gone", KIND_GAUGE, "Connections opened of which the kernel has no socket on this side.",
     gone, NULL},
    {"close_wait_unread", KIND_GAUGE, "Sockets in CLOSE_WAIT whose end of file was not read.", unread, NULL},
    {"close_wait_unowned", KIND_GAUGE, "Sockets in CLOSE_WAIT that were never accepted.", unowned, NULL},
    {"ghosts", KIND_GAUGE, "Descriptors still open on connections that have ended.", ghosts, NULL},
    {"open_fds", KIND_GAUGE, "Descriptors that the side holds on connections.", open_fds, NULL},
    {"max_fds", KIND_GAUGE, "Descriptors that the processes of the side may have together.", max_fds, NULL},
    {"errors", KIND_COUNTER, "Failed accept() on the server, failed connect() on the client.", errors, NULL},
    {"connections_wanted", KIND_GAUGE, "Connections that are to be opened.", NULL, wanted},
    {"connections_opened", KIND_GAUGE, "Calls of connect() that were started and have not failed.", NULL,
     opened},
    {"accept_queue", KIND_GAUGE, "Connections that wait in accept queues.", NULL, queued},
    {"listen_drops", KIND_COUNTER, "SYNs that listeners of this network namespace have dropped.", NULL,
     dropped},
    {"late_arrivals", KIND_COUNTER, "Connections that came more than 10 ms after their time.", NULL, late},
    {"looks", KIND_COUNTER, "Looks at the kernel's tables.", NULL, looks},
    {"look_seconds", KIND_GAUGE, "How long the last look took.", NULL, look_seconds},
    {"look_age_seconds", KIND_GAUGE, "Time since the last look began: so old are the numbers here.", NULL,
     look_age_seconds},
    {"run_seconds", KIND_GAUGE, "Time since the run began.", NULL, run_seconds},
};

/* ---- how it is written ---- */

struct page {
    struct evbuffer *out;
    bool open_metrics;
};

static void put_head(const struct page *page, const char *name, const char *type, const char *help,
                     bool has_suffix)
{
    const char *suffix = has_suffix && !page->open_metrics ? "_total" : "";
    evbuffer_add_printf(page->out, "# HELP tcpstorm_%s%s %s\n# TYPE tcpstorm_%s%s %s\n", name, suffix, help,
                        name, suffix, type);
}

static void put_states(const struct page *page, const struct snapshot_order *sum)
{
    put_head(page, "connection_states", "gauge", "Sockets in each TCP state, as the kernel reports them.",
             false);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
            enum tcp_state state = tcp_state_in_life_order(i);
            evbuffer_add_printf(
                page->out, "tcpstorm_connection_states{side=\"%s\",state=\"%s\"} %" PRId64 "\n",
                side_name((enum side)side), tcp_state_column(state), sum->sides[side].of[state]);
        }
}

static void put_family(const struct page *page, const struct family *family, const struct snapshot *snapshot,
                       const struct snapshot_order *sum)
{
    bool is_counter = family->kind == KIND_COUNTER;
    const char *total = is_counter ? "_total" : "";
    put_head(page, family->name, is_counter ? "counter" : "gauge", family->help, is_counter);
    if (family->of_run != NULL)
        evbuffer_add_printf(page->out, "tcpstorm_%s%s %.15g\n", family->name, total,
                            family->of_run(snapshot, sum));
    for (int side = 0; family->of_side != NULL && side < SIDE_COUNT; side++)
        evbuffer_add_printf(page->out, "tcpstorm_%s%s{side=\"%s\"} %.15g\n", family->name, total,
                            side_name((enum side)side), family->of_side(sum, (enum side)side));
}

/* In OpenMetrics an info's samples have a suffix that its name has not. */
static void put_info_head(const struct page *page, const char *name, const char *help)
{
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", name, page->open_metrics ? "" : "_info");
    put_head(page, whole, page->open_metrics ? "info" : "gauge", help, false);
}

static void put_infos(const struct page *page, const struct snapshot *snapshot)
{
    put_info_head(page, "build", "The version of tcpstorm.");
    evbuffer_add_printf(page->out, "tcpstorm_build_info{version=\"%s\"} 1\n", TCPSTORM_VERSION);
    put_info_head(page, "step", "The close orders under way, and the step that each is at.");
    for (int i = 0; i < snapshot->count; i++)
        evbuffer_add_printf(page->out, "tcpstorm_step_info{order=\"%s\",step=\"%s\",doing=\"%s\"} 1\n",
                            snapshot->orders[i].experiment->name, snapshot->orders[i].step,
                            snapshot->orders[i].doing);
}

static void put_transitions(const struct page *page, const struct metrics *metrics)
{
    struct transition_counts all = metrics->ended;
    transitions_add(&all, &metrics->under_way);
    transition_metrics_put(page->out, &all, page->open_metrics);
}

static void put_page(const struct page *page, const struct metrics *metrics)
{
    const struct snapshot *snapshot = &metrics->snapshot;
    struct snapshot_order sum = snapshot_sum(snapshot);
    put_infos(page, snapshot);
    put_states(page, &sum);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        put_family(page, &families[i], snapshot, &sum);
    if (metrics->has_transitions)
        put_transitions(page, metrics);
    if (page->open_metrics)
        evbuffer_add_printf(page->out, "# EOF\n");
}

/* ---- who asks ---- */

static bool make_page(void *context, const struct page_request *request, struct evbuffer *body,
                      const char **type)
{
    static const char *const types[] = {"text/plain; version=0.0.4; charset=utf-8",
                                        "application/openmetrics-text; version=1.0.0; charset=utf-8"};
    const struct metrics *metrics = context;
    struct page page = {.out = body,
                        .open_metrics = strstr(request->accept, "application/openmetrics-text") != NULL};
    if (strcmp(request->path, "/metrics") != 0) {
        evbuffer_add_printf(body, "the metrics are at /metrics\n");
        return false;
    }
    *type = types[page.open_metrics];
    put_page(&page, metrics);
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
