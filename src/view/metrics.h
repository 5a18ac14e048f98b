/* metrics: the families that metrics_view (view.h) serves, but those of transitions. */
#ifndef VIEW_METRICS_H
#define VIEW_METRICS_H

#include "view/metric_text.h"

/* In the order of the page. */
void metrics_each_family(metric_visit *visit, void *context);

#endif
