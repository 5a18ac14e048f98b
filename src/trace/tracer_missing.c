/* Until there is a tracer. */
#include "trace/tracer.h"

#include <errno.h>

__attribute__((weak)) int tracer_start(struct tracer *tracer)
{
    (void)tracer;
    return -ENOTSUP;
}

__attribute__((weak)) int tracer_take_this_process(void *tracer)
{
    (void)tracer;
    return -ENOTSUP;
}

__attribute__((weak)) int tracer_report(struct tracer *tracer, int64_t patience_ms,
                                        struct trace_report *report)
{
    (void)tracer, (void)patience_ms, (void)report;
    return -ESRCH;
}

__attribute__((weak)) void tracer_stop(struct tracer *tracer)
{
    (void)tracer;
}

__attribute__((weak)) void trace_report_free(struct trace_report *report)
{
    (void)report;
}
