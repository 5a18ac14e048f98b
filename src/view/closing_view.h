/* closing_view: how long connections wait for their close(), in lines below the table, as JSON and for a
 * monitor. */
#ifndef VIEW_CLOSING_VIEW_H
#define VIEW_CLOSING_VIEW_H

#include "base/json_writer.h"
#include "view/metric_text.h"
#include "watch/watch_closings.h"

#include <stdio.h>

/* "closings of :8080: 1,234, p50 under 1 s, p99 39 s to 41 s, 0.6% took over 60 s". A time is told where
 * there are enough of them, as the bounds between which it lies. The server's first, those with the most
 * closings first. */
void closing_view_print(FILE *out, const struct closing_rows *rows);

/* Array "closings", integer "closings_lost", number "closings_since_s". */
void closing_view_put_json(struct json_writer *json, const struct closing_rows *rows);

/* Families tcpstorm_watch_closing_... */
void closing_view_put_metrics(const struct metric_page *page, const struct closing_rows *rows);
void closing_view_each_family(metric_visit *visit, void *context);

#endif
