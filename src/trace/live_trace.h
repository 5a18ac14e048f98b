/* live_trace: what a program that runs already does with the connections that it accepts, from its system
 * calls, as call_events has them: nothing is stopped, and the program was not started for it.
 *
 * What came before is not seen. Descriptors that are passed on in messages are not followed. */
#ifndef TRACE_LIVE_TRACE_H
#define TRACE_LIVE_TRACE_H

#include "trace/parting.h"
#include "trace/trace_report.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct live_trace;

/* What has become of the connections that were accepted meanwhile. */
struct live_result {
    struct trace_report report;
    struct parting_sample *samples; /* one for each connection of the report */
    int64_t lingering;              /* the peer has closed, the program has not: for lingering_ms at least */
    int64_t lingering_ms;
    int64_t closed, open; /* open: the peer has not closed, or not for so long */
    int64_t unknown;      /* what became of them is not known */
    int64_t earlier;      /* that linger too, and were accepted before */
    int64_t lost;         /* calls that came too fast to be read */
    int64_t unplaced;     /* calls on connections whose place in the source is not known */
};

/* Begins to follow a process, and all that descends from it. NULL with errno: EACCES, this user may not;
 * ENOENT, the kernel has no tracepoints; ESRCH, there is no such process; EXDEV, it is in another network
 * namespace; EMFILE, ENOMEM, ENOTSUP. */
struct live_trace *live_trace_start(pid_t pid);

/* Hears what the program does, for so long, or until *is_over. Returns 0, or a negative errno: ENOMEM; ESRCH,
 * the program has ended. */
int live_trace_run(struct live_trace *trace, int64_t ms, const volatile sig_atomic_t *is_over);

/* Asks the kernel what became of the connections, twice within lingering_ms, between which it goes on
 * hearing. The trace is over with it. Returns 0, or a negative errno: nothing is in the result then. */
int live_trace_end(struct live_trace *trace, int64_t lingering_ms, struct live_result *result);

void live_trace_free(struct live_trace *trace);
void live_result_free(struct live_result *result);

#endif
