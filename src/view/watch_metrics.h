/* watch_metrics: what a watch has seen, for a monitor. Families are called tcpstorm_watch_...; the labels of
 * tcpstorm_watch_connection_states are those of node_exporter's node_tcp_connection_states. */
#ifndef VIEW_WATCH_METRICS_H
#define VIEW_WATCH_METRICS_H

#include "view/metric_text.h"
#include "view/watch_series.h"
#include "watch/watch_closings.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised: no look yet. */
struct watch_metrics {
    struct watch_series series;
    struct watch_look look; /* the last one; its rows are not kept */
    bool is_up;             /* the last look was one */
    int64_t looks, lost;
    int64_t look_began_us;                 /* monotonic */
    const struct watch_closings *closings; /* borrowed; NULL: none are told */
};

void watch_metrics_free(struct watch_metrics *metrics);

/* A look. Returns 0 or -ENOMEM. */
int watch_metrics_note(struct watch_metrics *metrics, const struct watch_look *look);

/* A look that could not be taken. */
void watch_metrics_note_lost(struct watch_metrics *metrics);

/* All families. */
void watch_metrics_put(const struct metric_page *page, const struct watch_metrics *metrics);
void watch_metrics_each_family(metric_visit *visit, void *context); /* but those of closings */

#endif
