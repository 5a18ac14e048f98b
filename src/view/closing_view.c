#include "view/closing_view.h"

#include "base/number_text.h"
#include "model/dwell_time.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_MAX = 8,
    ENOUGH = 10,       /* closings for a middle */
    ENOUGH_99 = 100,   /* for one in a hundred */
    LONG_US = 60000000 /* "took over" */
};

/* ---- in words ---- */

struct words {
    char text[64];
};

/* "3 ms", "1 s to 2 s", "under 1 s", "over 40 s" */
static struct words bounds_words(const struct closing_bounds *bounds)
{
    struct words words = {"not known"};
    struct dwell_text least = dwell_text_of((double)bounds->least_us / 1e6),
                      most = dwell_text_of((double)bounds->most_us / 1e6);
    if (bounds->most_us == INT64_MAX && bounds->least_us > 0)
        snprintf(words.text, sizeof words.text, "over %s", least.text);
    else if (bounds->most_us != INT64_MAX && bounds->least_us == 0)
        snprintf(words.text, sizeof words.text, "under %s", most.text);
    else if (bounds->most_us != INT64_MAX)
        snprintf(words.text, sizeof words.text, "%s to %s", least.text, most.text);
    return words;
}

static void print_share(FILE *out, const struct closing_row *row)
{
    const struct closing_over over = closing_row_over(row, LONG_US);
    double all = (double)closing_row_count(row);
    struct words least, most;
    snprintf(least.text, sizeof least.text, "%.1f%%", 100 * (double)over.least / all);
    snprintf(most.text, sizeof most.text, "%.1f%%", 100 * (double)over.most / all);
    if (strcmp(least.text, most.text) == 0)
        fprintf(out, ", %s took over 60 s", least.text);
    else
        fprintf(out, ", %s to %s took over 60 s", least.text, most.text);
}

static void print_row(FILE *out, const struct closing_row *row, double since_s)
{
    int64_t count = closing_row_count(row);
    const struct closing_bounds middle = closing_row_quantile(row, 0.5),
                                last = closing_row_quantile(row, 0.99);
    fprintf(out, "closings %s :%u: %s", row->side == SIDE_SERVER ? "of" : "to", row->port,
            grouped(count).text);
    if (row->open.count > 0)
        fprintf(out, " (%s not ended)", grouped(row->open.count).text);
    if (count >= ENOUGH)
        fprintf(out, ", p50 %s", bounds_words(&middle).text);
    if (count >= ENOUGH_99)
        fprintf(out, ", p99 %s", bounds_words(&last).text);
    if (count >= ENOUGH && since_s > LONG_US / 1e6)
        print_share(out, row);
    fputc('\n', out);
}

static int by_count(const void *a, const void *b)
{
    const struct closing_row *one = *(const struct closing_row *const *)a,
                             *other = *(const struct closing_row *const *)b;
    int64_t difference = closing_row_count(other) - closing_row_count(one);
    if (one->side != other->side)
        return one->side == SIDE_SERVER ? -1 : 1;
    return difference > 0 ? 1 : difference < 0 ? -1 : (int)one->port - (int)other->port;
}

void closing_view_print(FILE *out, const struct closing_rows *rows)
{
    const struct closing_row *sorted[CLOSING_ROWS_MAX] = {NULL};
    int count = 0;
    for (int i = 0; i < rows->count; i++)
        if (closing_row_count(&rows->each[i]) > 0)
            sorted[count++] = &rows->each[i];
    qsort(sorted, (size_t)count, sizeof sorted[0], by_count);
    for (int i = 0; i < count && i < LINES_MAX; i++)
        print_row(out, sorted[i], rows->since_s);
    if (rows->lost == 1)
        fprintf(out, "closings: the kernel's reports of ends were lost once: counting again since %.0f s\n",
                rows->since_s);
    else if (rows->lost > 1)
        fprintf(out,
                "closings: the kernel's reports of ends were lost %" PRId64
                " times: counting again since %.0f s\n",
                rows->lost, rows->since_s);
    else if (count == 0)
        fprintf(out, "closings: none so far\n");
}

/* ---- JSON ---- */

static void put_bounds(struct json_writer *json, const char *least, const char *most,
                       const struct closing_bounds *bounds)
{
    json_number(json, least, (double)bounds->least_us / 1e6);
    if (bounds->most_us != INT64_MAX)
        json_number(json, most, (double)bounds->most_us / 1e6);
}

void closing_view_put_json(struct json_writer *json, const struct closing_rows *rows)
{
    json_open(json, "closings", '[');
    for (int i = 0; i < rows->count; i++) {
        const struct closing_row *row = &rows->each[i];
        const struct closing_over over = closing_row_over(row, LONG_US);
        if (closing_row_count(row) == 0)
            continue;
        const struct closing_bounds p50 = closing_row_quantile(row, 0.5),
                                    p99 = closing_row_quantile(row, 0.99);
        json_open(json, NULL, '{');
        json_string(json, "side", side_name(row->side));
        json_integer(json, "port", row->port);
        json_integer(json, "count", closing_row_count(row));
        json_integer(json, "open", row->open.count);
        put_bounds(json, "p50_least_s", "p50_most_s", &p50);
        put_bounds(json, "p99_least_s", "p99_most_s", &p99);
        json_integer(json, "over_60s_least", over.least);
        json_integer(json, "over_60s_most", over.most);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_integer(json, "closings_lost", rows->lost);
    json_number(json, "closings_since_s", rows->since_s);
}

/* ---- for a monitor ---- */

/* Every third octave, from 1 ms to 4.8 h: bounds of buckets, so that nothing is shared out. */
enum { BOUNDS = 10, OCTAVES_APART = 3 };

static const struct metric_family
    least = {"tcpstorm_watch_closing_least_seconds", METRIC_HISTOGRAM, "side,port",
             "Time from the peer's FIN to the end of the socket, at least."},
    most = {"tcpstorm_watch_closing_most_seconds", METRIC_HISTOGRAM, "side,port",
            "Time from the peer's FIN to the end of the socket, at most."},
    still_open = {"tcpstorm_watch_closing_open", METRIC_GAUGE, "side,port",
                  "Sockets that have not ended although their peer has closed since the count began."},
    lost = {"tcpstorm_watch_closings_lost", METRIC_COUNTER, "",
            "How often the kernel lost reports of closed sockets. The count then started again."};

void closing_view_each_family(metric_visit *visit, void *context)
{
    const struct metric_family *const all[] = {&least, &most, &still_open, &lost};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        visit(context, all[i]);
}

static struct metric_labels labels_of(const struct closing_row *row)
{
    struct metric_labels labels = {.text = ""};
    char port[8];
    snprintf(port, sizeof port, "%u", row->port);
    metric_labels_add(&labels, "side", side_name(row->side));
    metric_labels_add(&labels, "port", port);
    return labels;
}

static void put_times(const struct metric_page *page, const struct metric_family *family,
                      const struct closing_row *row, const struct closing_times *times)
{
    double bounds[BOUNDS];
    int64_t in[BOUNDS];
    const struct metric_labels labels = labels_of(row);
    int64_t above = times->count;
    for (int i = 0; i < BOUNDS; i++) {
        int64_t bound_us = (int64_t)1 << (CLOSING_OCTAVE_FIRST + OCTAVES_APART * i);
        int64_t left = i < BOUNDS - 1 ? closing_times_above_least(times, bound_us) : 0;
        bounds[i] = i < BOUNDS - 1 ? (double)bound_us / 1e6 : INFINITY;
        in[i] = above - left;
        above = left;
    }
    metric_histogram(page, family, &labels,
                     &(struct metric_buckets){.bounds = bounds, .in = in, .count = BOUNDS, .sum = NAN});
}

void closing_view_put_metrics(const struct metric_page *page, const struct closing_rows *rows)
{
    metric_head(page, &least);
    for (int i = 0; i < rows->count; i++)
        put_times(page, &least, &rows->each[i], &rows->each[i].least);
    metric_head(page, &most);
    for (int i = 0; i < rows->count; i++)
        put_times(page, &most, &rows->each[i], &rows->each[i].most);
    metric_head(page, &still_open);
    for (int i = 0; i < rows->count; i++) {
        const struct metric_labels labels = labels_of(&rows->each[i]);
        metric_sample(page, &still_open, &labels, (double)rows->each[i].open.count);
    }
    metric_head(page, &lost);
    metric_sample(page, &lost, NULL, (double)rows->lost);
}
