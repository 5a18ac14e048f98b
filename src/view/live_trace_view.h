/* live_trace_view: what a live program did with the connections that it accepted, for people and for scripts.
 */
#ifndef VIEW_LIVE_TRACE_VIEW_H
#define VIEW_LIVE_TRACE_VIEW_H

#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "trace/live_trace.h"

#include <stdio.h>

struct live_trace_report {
    pid_t pid;
    struct process_command command; /* these two as they were when it began */
    struct cgroup_name service;
    int64_t traced_ms;
    const struct live_result *result;
    const struct parting *parting;
};

/* Both return 0, or a negative errno of what could not be written. */
int live_trace_print(FILE *out, const struct live_trace_report *report);
int live_trace_print_json(FILE *out, const struct live_trace_report *report);

#endif
