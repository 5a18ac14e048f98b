/* transition_metrics: transitions for a monitor: a counter for each move, and a histogram of the time in each
 * state. */
#ifndef VIEW_TRANSITION_METRICS_H
#define VIEW_TRANSITION_METRICS_H

#include "events/transition_counts.h"
#include "view/metric_text.h"

/* Families tcpstorm_transitions and tcpstorm_state_dwell_seconds. */
void transition_metrics_put(const struct metric_page *page, const struct transition_counts *counts);
void transition_metrics_each_family(metric_visit *visit, void *context);

#endif
