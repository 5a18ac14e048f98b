/* audit_trace: what a tracer has seen of the connections of an audit, and where those that are held part from
 * the others. */
#ifndef AUDIT_AUDIT_TRACE_H
#define AUDIT_AUDIT_TRACE_H

#include "audit/audit_result.h"
#include "audit/audit_settings.h"
#include "base/number_set.h"
#include "trace/parting.h"

#include <stdbool.h>

struct audit_trace {
    bool is_there; /* the tracer has reported, when it was known what is held; else: */
    int error;     /* errno, why not */
    struct trace_report report;
    struct parting parting;
};

/* Of a report that is there: finds the connections of the audit in it, by the ports of their clients, and
 * compares them. Those in `earlier` (inodes) are of an audit before this one; all of the report are added to
 * it. Returns 0 or -ENOMEM. */
int audit_trace_compare(struct audit_trace *trace, const struct audit_result *result,
                        const struct audit_settings *settings, struct number_set *earlier);

void audit_trace_free(struct audit_trace *trace);

#endif
