/* metric_text: a page for a monitor, as OpenMetrics 1.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/) or, for who does not ask for that, in Prometheus's
 * text format 0.0.4. In the former a counter's family is called without "_total", an info's without "_info",
 * and the page has an end. */
#ifndef VIEW_METRIC_TEXT_H
#define VIEW_METRIC_TEXT_H

#include "view/page_server.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum metric_kind {
    METRIC_GAUGE,
    METRIC_COUNTER,         /* its samples end in "_total" */
    METRIC_INFO,            /* theirs in "_info" */
    METRIC_HISTOGRAM,       /* in "_bucket", "_count" and "_sum" */
    METRIC_GAUGE_HISTOGRAM, /* its buckets go down too: in "_bucket", "_gcount" and "_gsum" */
};

struct metric_family {
    const char *name; /* without those endings; that of a time ends in "_seconds" */
    enum metric_kind kind;
    const char *labels; /* the names that its samples may have, "side,state"; "": none */
    const char *help;
};

/* For who lists families. */
typedef void metric_visit(void *context, const struct metric_family *family);

struct metric_page {
    struct evbuffer *out;
    bool open_metrics;
};

/* For page_server: false, and who asks is told where the metrics are, unless he asks for /metrics. */
bool metric_page_begin(struct metric_page *page, const struct page_request *request, struct evbuffer *body,
                       const char **type);
void metric_page_end(const struct metric_page *page);

/* "{port=\"80\",...}"; empty: none. Zero-initialised; what does not fit is left out, label by label. */
struct metric_labels {
    char text[512];
};

/* The value may be any text: bytes that are no UTF-8 become question marks. */
void metric_labels_add(struct metric_labels *labels, const char *name, const char *value);

/* HELP, TYPE and UNIT: once, before the samples of the family. */
void metric_head(const struct metric_page *page, const struct metric_family *family);

/* Of any kind but histograms. `labels` may be NULL. To 15 digits; NAN: not known. */
void metric_sample(const struct metric_page *page, const struct metric_family *family,
                   const struct metric_labels *labels, double value);

/* The version. */
extern const struct metric_family metric_build;
void metric_build_info(const struct metric_page *page);

struct metric_buckets {
    const double *bounds; /* upper ones, in rising order, the last INFINITY */
    const int64_t *in;    /* how many there are in each bucket alone */
    int count;
    double sum; /* of all that was measured; NAN: not known */
};

void metric_histogram(const struct metric_page *page, const struct metric_family *family,
                      const struct metric_labels *labels, const struct metric_buckets *buckets);

/* For the manual: an item of a list in Markdown, with labels, kind and help. */
void metric_put_markdown(FILE *out, const struct metric_family *family);

#endif
