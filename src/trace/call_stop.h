/* call_stop: what a thread is about to do, or has done, that is stopped at a call of the table: read, and
 * noted for the connections that it is about. */
#ifndef TRACE_CALL_STOP_H
#define TRACE_CALL_STOP_H

#include "trace/tracing.h"

#include <stdbool.h>

/* Before the call. Returns whether the thread shall stop again when it returns. */
bool call_stop_entry(struct tracing *tracing, struct tracee *tracee);

/* When it returns. */
void call_stop_exit(struct tracing *tracing, struct tracee *tracee);

/* A process executes another program since now: `began` is what it had before (struct tracee). */
void call_stop_executed(struct tracing *tracing, struct traced_process *process,
                        const struct execution *began);

#endif
