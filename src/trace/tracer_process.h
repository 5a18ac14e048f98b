/* tracer_process: the tracer itself, and what goes between it and the process that has started it. */
#ifndef TRACE_TRACER_PROCESS_H
#define TRACE_TRACER_PROCESS_H

#include "trace/node_hook.h"

#include <stdint.h>
#include <sys/types.h>

/* To the tracer: a report is wanted. */
struct tracer_request {
    uint32_t serial; /* from 1 */
};

/* From the tracer: with a descriptor of a file that has the report (trace_report_write), from its beginning,
 * where there is no error. The answer 0 says that it has begun, or why it cannot. */
struct tracer_answer {
    uint32_t serial;
    int error; /* a negative errno, or 0 */
};

/* A process that shall be traced sends a byte on the other stream, and hears of an error: */
struct tracer_hold {
    int error; /* a negative errno, or 0: the tracer has it */
};

/* In a new process, a child of `parent`: all of its life, which ends with that process, or with the other end
 * of `stream`. Then it removes the hook, which its parent does else. */
_Noreturn void tracer_live(int stream, int program, pid_t parent, const struct node_hook *hook);

#endif
