#include "view/watch_metrics.h"

#include "base/clock.h"
#include "view/closing_view.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* ---- of the watch itself ---- */

struct own_family {
    struct metric_family is;
    double (*of)(const struct watch_metrics *metrics);
};

static double up(const struct watch_metrics *metrics)
{
    return metrics->is_up;
}

static double looks(const struct watch_metrics *metrics)
{
    return (double)metrics->looks;
}

static double lost_looks(const struct watch_metrics *metrics)
{
    return (double)metrics->lost;
}

static double look_seconds(const struct watch_metrics *metrics)
{
    return metrics->look.took_s;
}

static double rest_seconds(const struct watch_metrics *metrics)
{
    return metrics->look.rest_s;
}

static double look_age_seconds(const struct watch_metrics *metrics)
{
    return metrics->looks > 0 ? (double)(monotonic_us() - metrics->look_began_us) / 1e6 : NAN;
}

static double cpu_seconds(const struct watch_metrics *metrics)
{
    struct timespec used = {0};
    (void)metrics;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double sockets(const struct watch_metrics *metrics)
{
    return (double)metrics->look.sockets;
}

static double hidden_sockets(const struct watch_metrics *metrics)
{
    return (double)metrics->look.hidden;
}

static double hidden_processes(const struct watch_metrics *metrics)
{
    return (double)metrics->look.refused;
}

static double uncounted_ghosts(const struct watch_metrics *metrics)
{
    const struct watch_look *look = &metrics->look;
    return look->ghosts_error != 0 || look->unlooked > 0 || look->doomed > 0;
}

static const struct own_family own_families[] = {
    {{"tcpstorm_watch_up", METRIC_GAUGE, "",
      "1 if the last look succeeded, 0 if the kernel's tables could not be read."},
     up},
    {{"tcpstorm_watch_looks", METRIC_COUNTER, "", "Looks at the kernel's tables."}, looks},
    {{"tcpstorm_watch_lost_looks", METRIC_COUNTER, "",
      "Looks that failed because the kernel's tables changed too fast."},
     lost_looks},
    {{"tcpstorm_watch_look_seconds", METRIC_GAUGE, "", "How long the last look took."}, look_seconds},
    {{"tcpstorm_watch_look_age_seconds", METRIC_GAUGE, "",
      "Time since the last look began. The numbers here are that old."},
     look_age_seconds},
    {{"tcpstorm_watch_rest_seconds", METRIC_GAUGE, "",
      "By so much ESTABLISHED, TIME_WAIT, connections at rest and bytes in queues are older than the look."},
     rest_seconds},
    {{"tcpstorm_watch_cpu_seconds", METRIC_COUNTER, "", "Processor time that the watch has used."},
     cpu_seconds},
    {{"tcpstorm_watch_sockets", METRIC_GAUGE, "", "TCP sockets in all rows, without listeners."}, sockets},
    {{"tcpstorm_watch_hidden_sockets", METRIC_GAUGE, "",
      "Sockets whose process the watch may not look into."},
     hidden_sockets},
    {{"tcpstorm_watch_hidden_processes", METRIC_GAUGE, "", "Processes that the watch may not look into."},
     hidden_processes},
    {{"tcpstorm_watch_ghosts_uncounted", METRIC_GAUGE, "",
      "1 if there may be ghosts that cannot be counted."},
     uncounted_ghosts},
};

/* ---- of a row ---- */

/* "netns" where there are several. */
#define OF_ROW "side,port,service,program,netns"

struct row_family {
    struct metric_family is;
    double (*of)(const struct watch_series_row *row);
};

static double unread(const struct watch_series_row *row)
{
    return (double)row->now.unread;
}

static double unowned(const struct watch_series_row *row)
{
    return (double)row->now.unowned;
}

/* Below 0: not known. */
static double if_known(int64_t count)
{
    return count < 0 ? NAN : count == INT64_MAX ? INFINITY : (double)count;
}

static double open_fds(const struct watch_series_row *row)
{
    return if_known(row->now.descriptors);
}

static double max_fds(const struct watch_series_row *row)
{
    return if_known(row->now.descriptors_most);
}

static double accept_queue(const struct watch_series_row *row)
{
    return if_known(row->now.queue_length);
}

static double accept_queue_limit(const struct watch_series_row *row)
{
    return if_known(row->now.queue_limit);
}

static double fds_gone(const struct watch_series_row *row)
{
    return watch_series_forecast(row).s;
}

static double fds_gone_least(const struct watch_series_row *row)
{
    return watch_series_forecast(row).earliest_s;
}

static double fds_gone_most(const struct watch_series_row *row)
{
    return watch_series_forecast(row).latest_s;
}

static const struct row_family row_families[] = {
    {{"tcpstorm_watch_close_wait_unread", METRIC_GAUGE, OF_ROW,
      "Sockets in CLOSE_WAIT whose end of file the program has not read."},
     unread},
    {{"tcpstorm_watch_close_wait_unowned", METRIC_GAUGE, OF_ROW,
      "Sockets in CLOSE_WAIT that were never accepted."},
     unowned},
    {{"tcpstorm_watch_open_fds", METRIC_GAUGE, OF_ROW,
      "Descriptors of the process that has the sockets; NaN if several processes have them."},
     open_fds},
    {{"tcpstorm_watch_max_fds", METRIC_GAUGE, OF_ROW,
      "Descriptors that this process may have (RLIMIT_NOFILE)."},
     max_fds},
    {{"tcpstorm_watch_fds_exhausted_seconds", METRIC_GAUGE, OF_ROW,
      "Time until the process has no descriptors left, if the growth goes on; +Inf if nothing grows."},
     fds_gone},
    {{"tcpstorm_watch_fds_exhausted_earliest_seconds", METRIC_GAUGE, OF_ROW,
      "The lower end of the 95% interval of that time."},
     fds_gone_least},
    {{"tcpstorm_watch_fds_exhausted_latest_seconds", METRIC_GAUGE, OF_ROW,
      "The upper end of the 95% interval of that time."},
     fds_gone_most},
    {{"tcpstorm_watch_accept_queue", METRIC_GAUGE, OF_ROW,
      "Connections in the fullest accept queue of the port."},
     accept_queue},
    {{"tcpstorm_watch_accept_queue_limit", METRIC_GAUGE, OF_ROW,
      "The backlog that listen() got for that queue. It has room for one more."},
     accept_queue_limit},
};

static struct metric_labels labels_of(const struct watch_series_row *row)
{
    struct metric_labels labels = {.text = ""};
    metric_labels_add(&labels, "side", row->side);
    metric_labels_add(&labels, "port", row->port);
    metric_labels_add(&labels, "service", row->service);
    metric_labels_add(&labels, "program", row->program);
    if (row->netns[0] != '\0')
        metric_labels_add(&labels, "netns", row->netns);
    return labels;
}

/* ---- all rows, family by family ---- */

typedef void put_row(const struct metric_page *page, const struct metric_family *family,
                     const struct watch_series_row *row);

static void put_rows(const struct metric_page *page, const struct metric_family *family,
                     const struct watch_series *series, put_row *put)
{
    metric_head(page, family);
    for (int i = 0; i <= WATCH_SERIES_OTHER; i++)
        if (series->rows[i].is_used)
            put(page, family, &series->rows[i]);
}

/* Those that a connection can be in. */
static void put_states(const struct metric_page *page, const struct metric_family *family,
                       const struct watch_series_row *row)
{
    const struct metric_labels of_row = labels_of(row);
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = tcp_state_in_life_order(i);
        struct metric_labels labels = of_row;
        if (state == STATE_LISTEN || state == STATE_CLOSE)
            continue;
        metric_labels_add(&labels, "state", tcp_state_column(state));
        metric_sample(page, family, &labels, (double)row->now.of[state]);
    }
}

static void put_groups(const struct metric_page *page, const struct metric_family *family,
                       const struct watch_series_row *row)
{
    const struct metric_labels of_row = labels_of(row);
    for (int group = 0; group < WATCH_GROUPS; group++) {
        struct metric_labels labels = of_row;
        if (!watch_groups[group].is_leak)
            continue;
        metric_labels_add(&labels, "group", watch_groups[group].name);
        metric_sample(page, family, &labels, (double)row->now.count[group]);
    }
}

static void put_ages(const struct metric_page *page, const struct metric_family *family,
                     const struct watch_series_row *row)
{
    const struct metric_labels labels = labels_of(row);
    metric_histogram(page, family, &labels,
                     &(struct metric_buckets){.bounds = watch_age_bounds_s,
                                              .in = row->now.ages,
                                              .count = WATCH_AGES,
                                              .sum = (double)row->now.ages_ms / 1e3});
}

/* ---- growth ---- */

static double growing(const struct watch_series_row *row, enum watch_group group)
{
    return watch_series_grows(row, group);
}

static double if_told(const struct trend *trend, double per_s)
{
    return trend->kind == TREND_UNKNOWN ? NAN : per_s;
}

static double growth(const struct watch_series_row *row, enum watch_group group)
{
    struct trend trend = watch_series_trend(row, group);
    return if_told(&trend, trend.slope_per_s);
}

static double growth_low(const struct watch_series_row *row, enum watch_group group)
{
    struct trend trend = watch_series_trend(row, group);
    return if_told(&trend, trend.low_per_s);
}

static double growth_high(const struct watch_series_row *row, enum watch_group group)
{
    struct trend trend = watch_series_trend(row, group);
    return if_told(&trend, trend.high_per_s);
}

struct growth_family {
    struct metric_family is;
    double (*of)(const struct watch_series_row *row, enum watch_group group);
};

static const struct growth_family growth_families[] = {
    {{"tcpstorm_watch_growing", METRIC_GAUGE, OF_ROW ",group",
      "1 if the group has grown significantly for 10 s or more, in the last 10 minutes at most; otherwise "
      "0."},
     growing},
    {{"tcpstorm_watch_growth_per_second", METRIC_GAUGE, OF_ROW ",group",
      "How fast the group has grown in the last 10 minutes at most; NaN if there were too few looks."},
     growth},
    {{"tcpstorm_watch_growth_low_per_second", METRIC_GAUGE, OF_ROW ",group",
      "The lower end of the 95% interval of that growth."},
     growth_low},
    {{"tcpstorm_watch_growth_high_per_second", METRIC_GAUGE, OF_ROW ",group",
      "The upper end of the 95% interval of that growth."},
     growth_high},
};

/* Of groups that ever had any. */
static void put_growth(const struct metric_page *page, const struct growth_family *family,
                       const struct watch_series *series)
{
    metric_head(page, &family->is);
    for (int i = 0; i < WATCH_SERIES_MAX; i++) {
        const struct watch_series_row *row = &series->rows[i];
        if (!row->is_used)
            continue;
        const struct metric_labels of_row = labels_of(row);
        for (int group = 0; group < WATCH_GROUPS; group++) {
            struct metric_labels labels = of_row;
            if (row->trends[group] == NULL)
                continue;
            metric_labels_add(&labels, "group", watch_groups[group].name);
            metric_sample(page, &family->is, &labels, family->of(row, (enum watch_group)group));
        }
    }
}

/* ---- the page ---- */

static void put_of_row(const struct metric_page *page, const struct row_family *family,
                       const struct watch_series *series)
{
    metric_head(page, &family->is);
    for (int i = 0; i <= WATCH_SERIES_OTHER; i++) {
        const struct watch_series_row *row = &series->rows[i];
        if (!row->is_used)
            continue;
        const struct metric_labels labels = labels_of(row);
        metric_sample(page, &family->is, &labels, family->of(row));
    }
}

static const struct metric_family states = {"tcpstorm_watch_connection_states", METRIC_GAUGE, OF_ROW ",state",
                                            "Sockets in each TCP state, as the kernel reports them."},
                                  groups = {"tcpstorm_watch_held", METRIC_GAUGE, OF_ROW ",group",
                                            "What programs hold and should close or read, by group."},
                                  ages = {"tcpstorm_watch_close_wait_age_seconds", METRIC_GAUGE_HISTOGRAM,
                                          OF_ROW, "How long sockets have been in CLOSE_WAIT, at least."};

void watch_metrics_each_family(metric_visit *visit, void *context)
{
    visit(context, &metric_build);
    for (size_t i = 0; i < sizeof own_families / sizeof own_families[0]; i++)
        visit(context, &own_families[i].is);
    visit(context, &states);
    visit(context, &groups);
    visit(context, &ages);
    for (size_t i = 0; i < sizeof row_families / sizeof row_families[0]; i++)
        visit(context, &row_families[i].is);
    for (size_t i = 0; i < sizeof growth_families / sizeof growth_families[0]; i++)
        visit(context, &growth_families[i].is);
}

void watch_metrics_put(const struct metric_page *page, const struct watch_metrics *metrics)
{
    const struct watch_series *series = &metrics->series;
    metric_build_info(page);
    for (size_t i = 0; i < sizeof own_families / sizeof own_families[0]; i++) {
        metric_head(page, &own_families[i].is);
        metric_sample(page, &own_families[i].is, NULL, own_families[i].of(metrics));
    }
    put_rows(page, &states, series, put_states);
    put_rows(page, &groups, series, put_groups);
    put_rows(page, &ages, series, put_ages);
    for (size_t i = 0; i < sizeof row_families / sizeof row_families[0]; i++)
        put_of_row(page, &row_families[i], series);
    for (size_t i = 0; i < sizeof growth_families / sizeof growth_families[0]; i++)
        put_growth(page, &growth_families[i], series);
    if (metrics->closings != NULL) {
        struct closing_rows closings = watch_closings_rows(metrics->closings, monotonic_us());
        closing_view_put_metrics(page, &closings);
    }
}

/* ---- what is told ---- */

void watch_metrics_free(struct watch_metrics *metrics)
{
    watch_series_free(&metrics->series);
}

int watch_metrics_note(struct watch_metrics *metrics, const struct watch_look *look)
{
    metrics->look = *look;
    memset(metrics->look.sets, 0, sizeof metrics->look.sets);
    metrics->is_up = true;
    metrics->looks++;
    metrics->look_began_us = monotonic_us() - (int64_t)(look->took_s * 1e6);
    return watch_series_note(&metrics->series, look);
}

void watch_metrics_note_lost(struct watch_metrics *metrics)
{
    metrics->is_up = false;
    metrics->lost++;
}
