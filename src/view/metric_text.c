#include "view/metric_text.h"

#include "base/printable.h"
#include "base/version.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What belongs to a kind: how each format calls it, and how its samples end. */
struct kind {
    const char *open_metrics, *prometheus;
    const char *ending; /* of a histogram: see metric_histogram */
};

static const struct kind kinds[] = {
    [METRIC_GAUGE] = {"gauge", "gauge", ""},
    [METRIC_COUNTER] = {"counter", "counter", "_total"},
    [METRIC_INFO] = {"info", "gauge", "_info"},
    [METRIC_HISTOGRAM] = {"histogram", "histogram", ""},
    [METRIC_GAUGE_HISTOGRAM] = {"gaugehistogram", "histogram", ""},
};

/* ---- the page ---- */

bool metric_page_begin(struct metric_page *page, const struct page_request *request, struct evbuffer *body,
                       const char **type)
{
    static const char *const types[] = {"text/plain; version=0.0.4; charset=utf-8",
                                        "application/openmetrics-text; version=1.0.0; charset=utf-8"};
    *page = (struct metric_page){
        .out = body, .open_metrics = strstr(request->accept, "application/openmetrics-text") != NULL};
    if (strcmp(request->path, "/metrics") != 0) {
        evbuffer_add_printf(body, "the metrics are at /metrics\n");
        return false;
    }
    *type = types[page->open_metrics];
    return true;
}

void metric_page_end(const struct metric_page *page)
{
    if (page->open_metrics)
        evbuffer_add_printf(page->out, "# EOF\n");
}

/* ---- labels ---- */

/* Appends the character, or what stands for it. False where it does not fit. */
static bool put_escaped(char *text, size_t room, const char *at, size_t length)
{
    const char *escape = *at == '\n' ? "\\n" : *at == '\\' ? "\\\\" : *at == '"' ? "\\\"" : NULL;
    size_t kept = strlen(text);
    int wanted = escape != NULL ? snprintf(text + kept, room - kept, "%s", escape)
                                : snprintf(text + kept, room - kept, "%.*s", length > 0 ? (int)length : 1,
                                           length > 0 ? at : "?");
    return (size_t)wanted < room - kept;
}

void metric_labels_add(struct metric_labels *labels, const char *name, const char *value)
{
    const size_t room = sizeof labels->text - 2; /* for the quote and the brace at the end */
    size_t kept = strlen(labels->text);
    size_t begin = kept > 0 ? kept - 1 : 0; /* the brace goes */
    bool fits = kept < room && (size_t)snprintf(labels->text + begin, room - begin, "%s%s=\"",
                                                kept > 0 ? "," : "{", name) < room - begin;
    for (size_t length; fits && *value != '\0'; value += length > 0 ? length : 1) {
        length = utf8_length(value);
        fits = put_escaped(labels->text, room, value, length);
    }
    if (fits)
        strcat(labels->text, "\"}");
    else
        snprintf(labels->text + begin, sizeof labels->text - begin, "%s", kept > 0 ? "}" : "");
}

/* ---- families and samples ---- */

void metric_head(const struct metric_page *page, const struct metric_family *family)
{
    static const char unit[] = "_seconds";
    const struct kind *kind = &kinds[family->kind];
    const char *ending = page->open_metrics ? "" : kind->ending;
    size_t length = strlen(family->name), end = sizeof unit - 1;
    evbuffer_add_printf(page->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, ending, family->help,
                        family->name, ending, page->open_metrics ? kind->open_metrics : kind->prometheus);
    if (page->open_metrics && length > end && strcmp(family->name + length - end, unit) == 0)
        evbuffer_add_printf(page->out, "# UNIT %s seconds\n", family->name);
}

/* Both formats spell them so. */
static void put_value(const struct metric_page *page, double value)
{
    if (isnan(value))
        evbuffer_add_printf(page->out, "NaN\n");
    else if (isinf(value))
        evbuffer_add_printf(page->out, "%sInf\n", value > 0 ? "+" : "-");
    else
        evbuffer_add_printf(page->out, "%.15g\n", value);
}

void metric_sample(const struct metric_page *page, const struct metric_family *family,
                   const struct metric_labels *labels, double value)
{
    evbuffer_add_printf(page->out, "%s%s%s ", family->name, kinds[family->kind].ending,
                        labels != NULL ? labels->text : "");
    put_value(page, value);
}

const struct metric_family metric_build = {"tcpstorm_build", METRIC_INFO, "version",
                                           "The version of tcpstorm."};

void metric_build_info(const struct metric_page *page)
{
    struct metric_labels labels = {.text = ""};
    metric_labels_add(&labels, "version", TCPSTORM_VERSION);
    metric_head(page, &metric_build);
    metric_sample(page, &metric_build, &labels, 1);
}

static void put_bucket(const struct metric_page *page, const struct metric_family *family,
                       const struct metric_labels *labels, double bound, int64_t so_far)
{
    struct metric_labels bucket = {.text = ""};
    char text[32];
    snprintf(text, sizeof text, isinf(bound) ? "+Inf" : "%.9g", bound);
    if (labels != NULL)
        bucket = *labels;
    metric_labels_add(&bucket, "le", text);
    evbuffer_add_printf(page->out, "%s_bucket%s %" PRId64 "\n", family->name, bucket.text, so_far);
}

void metric_histogram(const struct metric_page *page, const struct metric_family *family,
                      const struct metric_labels *labels, const struct metric_buckets *buckets)
{
    const char *g = page->open_metrics && family->kind == METRIC_GAUGE_HISTOGRAM ? "g" : "";
    const char *of = labels != NULL ? labels->text : "";
    int64_t so_far = 0;
    for (int i = 0; i < buckets->count; i++)
        put_bucket(page, family, labels, buckets->bounds[i], so_far += buckets->in[i]);
    evbuffer_add_printf(page->out, "%s_%scount%s %" PRId64 "\n", family->name, g, of, so_far);
    if (isnan(buckets->sum))
        return;
    evbuffer_add_printf(page->out, "%s_%ssum%s ", family->name, g, of);
    put_value(page, buckets->sum);
}

/* ---- the manual ---- */

void metric_put_markdown(FILE *out, const struct metric_family *family)
{
    const struct kind *kind = &kinds[family->kind];
    const char *left = family->labels[0] != '\0' ? "{" : "", *right = family->labels[0] != '\0' ? "}" : "";
    fprintf(out, "- `%s%s%s%s%s`: %s. %s\n", family->name, kind->ending, left, family->labels, right,
            kind->open_metrics, family->help);
}
