/* gathering: what a tracer knows at this moment, as a report. */
#ifndef TRACE_GATHERING_H
#define TRACE_GATHERING_H

#include "trace/tracing.h"

/* Fills a report, and reads who has the connections now. trace_report_free() it before the tracing goes on:
 * the sites are the tracing's; `code` is NULL. Returns 0, or a negative errno: not all has been kept. */
int trace_report_gather(struct tracing *tracing, struct trace_report *report);

#endif
