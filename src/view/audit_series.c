/* audit_series: several orders of an audit, for people and for scripts. */
#include "base/json_writer.h"
#include "base/number_text.h"
#include "base/version.h"
#include "base/wrap.h"
#include "view/audit_view.h"
#include "view/json_events.h"
#include "view/parting_view.h"
#include "view/view.h"
#include "view/xml_text.h"

#include <string.h>

enum { TEXT_WIDTH = 78, ORDER_WIDTH = 21, COLUMN_LEAST = 7, TIME_WIDTH = 9 };

static double elapsed_s(const struct audit_series *series)
{
    double sum = 0;
    for (int i = 0; i < series->count; i++)
        sum += series->reports[i].result->elapsed_s;
    return sum;
}

/* ---- for people ---- */

static bool has_class(const struct audit_series *series, enum audit_class class)
{
    for (int i = 0; i < series->count; i++)
        if (series->reports[i].result->by_class[class] > 0)
            return true;
    return false;
}

/* "never accepted". */
static struct number_text title_of(enum audit_class class)
{
    struct number_text title;
    snprintf(title.text, sizeof title.text, "%s", audit_class_name(class));
    for (char *c = title.text; *c != '\0'; c++)
        *c = *c == '_' ? ' ' : *c;
    return title;
}

static int width_of(enum audit_class class)
{
    int length = (int)strlen(audit_class_name(class));
    return length > COLUMN_LEAST ? length : COLUMN_LEAST;
}

static const char *word_of(const struct audit_report *report)
{
    static const char *const words[] = {
        [AUDIT_CLOSES] = "closes",           [AUDIT_LEAKS] = "leaks",       [AUDIT_LOSES] = "loses replies",
        [AUDIT_ENDED] = "server ended",      [AUDIT_OFF_TIME] = "off time", [AUDIT_NO_VERDICT] = "no verdict",
        [AUDIT_INTERRUPTED] = "interrupted",
    };
    const char *keeps = audit_order_row(report->settings->order)->keeps;
    return report->outcome == AUDIT_LEAKS && keeps != NULL ? "keeps them" : words[report->outcome];
}

/* To close, of those whose close was seen: the median. */
static struct number_text time_of(const struct audit_result *result)
{
    struct number_text text = {"-"};
    if (result->max_us >= 1000000)
        snprintf(text.text, sizeof text.text, "%.2f s", (double)result->p50_us / 1e6);
    else if (result->max_us >= 0)
        snprintf(text.text, sizeof text.text, "%.1f ms", (double)result->p50_us / 1e3);
    return text;
}

static bool series_is_traced(const struct audit_series *series)
{
    return series->count > 0 && series->reports[0].trace != NULL;
}

static void print_titles(FILE *out, const struct audit_series *series)
{
    fprintf(out, "  %-*s", ORDER_WIDTH, "order");
    for (int class = 0; class < CLASS_COUNT; class ++)
        if (has_class(series, (enum audit_class) class))
            fprintf(out, "  %*s", width_of((enum audit_class) class),
                    title_of((enum audit_class) class).text);
    fprintf(out, "  %*s  %s\n", TIME_WIDTH, series_is_traced(series) ? "p50 traced" : "p50", "the server");
}

static void print_order(FILE *out, const struct audit_series *series, const struct audit_report *report)
{
    fprintf(out, "  %-*s", ORDER_WIDTH, audit_order_names[report->settings->order]);
    for (int class = 0; class < CLASS_COUNT; class ++)
        if (has_class(series, (enum audit_class) class))
            fprintf(out, "  %*s", width_of((enum audit_class) class),
                    grouped(report->result->by_class[class]).text);
    fprintf(out, "  %*s  %s\n", TIME_WIDTH, time_of(report->result).text, word_of(report));
}

/* More than a headline that all is well. */
static bool has_more_to_say(const struct audit_report *report, const struct audit_verdict *verdict)
{
    const char *end = strchr(verdict->text, '\n');
    return report->outcome != AUDIT_CLOSES || (end != NULL && end[1] != '\0');
}

static void print_verdict(FILE *out, const struct audit_report *report)
{
    struct audit_verdict verdict = audit_verdict_of(report);
    if (!has_more_to_say(report, &verdict))
        return;
    fprintf(out, "  %s:\n", audit_order_names[report->settings->order]);
    wrap_print(out, verdict.text, 4, TEXT_WIDTH);
    if (report->trace != NULL && report->outcome != AUDIT_CLOSES)
        parting_print(out, report->trace, 4);
    if (report->trace != NULL)
        fputc('\n', out);
}

int audit_print_text_of_all(FILE *out, const struct audit_series *series)
{
    if (series->count > 0) {
        const struct audit_settings *settings = series->reports[0].settings;
        const struct audit_result *result = series->reports[0].result;
        fprintf(out, "%s: %s per order%s, grace %s", settings->target,
                counted(settings->conns, "connection").text, settings->repeat > 1 ? " and round" : "",
                duration_text(settings->grace_ms).text);
        if (result->listener > 0)
            fprintf(out, "; %s pid %d listens", result->listener_command, (int)result->listener);
        else if (!result->server_is_here)
            fprintf(out, "; the server is not in this network namespace");
        fputs("\n\n", out);
        print_titles(out, series);
    }
    for (int i = 0; i < series->count; i++)
        print_order(out, series, &series->reports[i]);
    for (int i = 0; i < series->untried_count; i++)
        fprintf(out, "  %-*s  not tried: %s\n", ORDER_WIDTH, audit_order_names[series->untried[i].order],
                series->untried[i].why);
    fputc('\n', out);
    for (int i = 0; i < series->count; i++)
        print_verdict(out, &series->reports[i]);
    return view_flush(out);
}

/* ---- for scripts ---- */

static void put_orders(struct json_writer *w, const struct audit_series *series)
{
    json_open(w, "orders", '[');
    for (int i = 0; i < series->count; i++) {
        json_open(w, NULL, '{');
        json_string(w, "order", audit_order_names[series->reports[i].settings->order]);
        json_string(w, "outcome", audit_outcome_name(series->reports[i].outcome));
        json_close(w, '}');
    }
    json_close(w, ']');
    json_open(w, "not_tried", '[');
    for (int i = 0; i < series->untried_count; i++) {
        json_open(w, NULL, '{');
        json_string(w, "order", audit_order_names[series->untried[i].order]);
        json_string(w, "why", series->untried[i].why);
        json_close(w, '}');
    }
    json_close(w, ']');
}

int audit_print_json_of_all(FILE *out, const struct audit_series *series)
{
    struct json_writer w = {.out = out};
    int rc = 0;
    for (int i = 0; i < series->count && rc == 0; i++)
        rc = audit_print_json(out, &series->reports[i]);
    if (rc != 0)
        return rc;
    json_event_open(&w, JSON_AUDITS);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_number(&w, "elapsed_s", elapsed_s(series));
    put_orders(&w, series);
    json_string(&w, "outcome", audit_outcome_name(series->outcome));
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}

int audit_print_csv_of_all(FILE *out, const struct audit_series *series)
{
    csv_put_header(out, audit_columns);
    for (int i = 0; i < series->count; i++)
        for (int64_t k = 0; k < series->reports[i].result->count; k++) {
            fprintf(out, "%s,", audit_order_names[series->reports[i].settings->order]);
            audit_put_csv_row(out, &series->reports[i].result->connections[k],
                              !audit_is_unix(series->reports[i].settings));
        }
    return view_flush(out);
}

static int count_of(const struct audit_series *series, bool (*is)(enum audit_outcome))
{
    int count = 0;
    for (int i = 0; i < series->count; i++)
        count += is(series->reports[i].outcome);
    return count;
}

static void put_skipped(FILE *out, const struct audit_series *series, const struct audit_untried *untried)
{
    fputs("  <testcase classname=\"", out);
    xml_put_text(out, series->count > 0 ? series->reports[0].settings->target : "");
    fprintf(out, "\" name=\"closes after %s\" time=\"0\">\n    <skipped message=\"",
            audit_order_names[untried->order]);
    xml_put_text(out, untried->why);
    fputs("\"/>\n  </testcase>\n", out);
}

int audit_print_junit_of_all(FILE *out, const struct audit_series *series)
{
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tcpstorm audit\" tests=\"%d\" "
            "failures=\"%d\" errors=\"%d\" skipped=\"%d\" time=\"%.3f\">\n",
            series->count + series->untried_count, count_of(series, audit_is_failure),
            count_of(series, audit_is_void), series->untried_count, elapsed_s(series));
    for (int i = 0; i < series->count; i++)
        audit_put_testcase(out, &series->reports[i]);
    for (int i = 0; i < series->untried_count; i++)
        put_skipped(out, series, &series->untried[i]);
    fputs("</testsuite>\n", out);
    return view_flush(out);
}
