/* audit_tracing: --trace: the server that --run starts is traced, and what is held is told with the lines of
 * code that it was left at. */
#ifndef CMD_AUDIT_TRACING_H
#define CMD_AUDIT_TRACING_H

#include "audit/audit_trace.h"
#include "cmd/audit_options.h"
#include "control/program.h"
#include "trace/tracer.h"

/* Whether the server can be traced. Returns an exit code, not EXIT_AS_EXPECTED after telling; so does: */
int audit_tracing_check(const struct audit_options *options);

/* Starts the tracer where it is asked for, and has the place let it take the program. */
int audit_tracing_start(struct audit_options *options, struct program_place *place);

/* The program could not be started: whether that was for want of a right to trace; then it is told. */
bool audit_tracing_tells(const struct audit_options *options, int error);

/* What an audit asks for at the moment at which it is decided what is held; audit_tracing_compare()
 * afterwards. */
struct audit_tracing {
    struct tracer *tracer;
    struct audit_trace *trace;
};
void audit_tracing_ask(void *tracing);

/* Whether the tracer has ended by itself, and the server with it: that says nothing of the server. */
bool audit_tracing_has_failed(const struct audit_options *options);

/* Ends the tracer, and with it what is left of the program. */
void audit_tracing_stop(struct audit_options *options);

#endif
