/* transition_metrics: transitions for a monitor: a counter for each move, and a histogram of the time in each
 * state. */
#ifndef VIEW_TRANSITION_METRICS_H
#define VIEW_TRANSITION_METRICS_H

#include "events/transition_counts.h"

#include <stdbool.h>

struct evbuffer;

/* Families tcpstorm_transitions and tcpstorm_state_dwell_seconds, in OpenMetrics or in Prometheus's text
 * format. */
void transition_metrics_put(struct evbuffer *out, const struct transition_counts *counts, bool open_metrics);

#endif
