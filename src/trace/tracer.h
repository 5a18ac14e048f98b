/* tracer: a process that watches a program which is started for it, from its first step.
 *
 *   this process --- tracer          stops the program, and all that comes from it, at the calls of
 * traced_call.h (ptrace), |             :             and notes them for each connection
 *        +--- keeper --- the program
 *
 * The tracer is a child of this process. The program cannot live on without it, and does not
 * (PTRACE_O_EXITKILL): when it ends, in whatever way, the kernel ends the program and all that comes from it.
 * It ends when this process does; what it has seen can be had of it after the program has ended too. */
#ifndef TRACE_TRACER_H
#define TRACE_TRACER_H

#include "trace/node_hook.h"
#include "trace/trace_report.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Zero-initialised: none. */
struct tracer {
    pid_t pid; /* 0: not started */
    int stream;
    int program;     /* the end of the stream that the program's process has, until it executes; -1: closed */
    uint32_t serial; /* of the last report */
    struct node_hook hook;
};

/* Starts the tracer. Returns 0, or a negative errno: EPERM, this system allows no tracing here. */
int tracer_start(struct tracer *tracer);

/* In the process that will be the program, before it executes: waits until the tracer has it, and sets the
 * filter. It fits struct program_place's before_execution. Returns 0, or a negative errno. */
int tracer_take_this_process(void *tracer);

/* What has been seen so far; the program goes on. Returns 0, or a negative errno: ESRCH, the tracer is gone;
 * ETIMEDOUT, it has not answered for patience_ms. */
int tracer_report(struct tracer *tracer, int64_t patience_ms, struct trace_report *report);

/* False: it has ended by itself, which has ended the program too. */
bool tracer_is_there(const struct tracer *tracer);

/* Ends it, and with it the program and all that came from it, if they are there. */
void tracer_stop(struct tracer *tracer);

#endif
