/* tracing: what the tracer's process knows. One thread reads and writes it: ptrace() is by thread. */
#ifndef TRACE_TRACING_H
#define TRACE_TRACING_H

#include "trace/call_history.h"
#include "trace/node_hook.h"
#include "trace/tracee.h"

#include <stdint.h>

struct tracing {
    struct code *code;
    struct call_history history;
    struct tracees tracees;
    int64_t calls, unknown_sockets; /* these as in struct trace_report */
    int rings, foreign, set_user, attaches;
    pid_t parent; /* whose end is ours */
    struct node_hook hook;
    int error; /* a negative errno: not all has been kept */
};

/* The stack of a stopped thread; NULL: not known. */
const struct site *tracing_site(struct tracing *tracing, const struct tracee *tracee);

/* The connection that has this inode, if it is one of those met so far. */
struct known_connection *tracing_connection(const struct tracing *tracing, uint64_t inode);

/* Adds to its history; out of memory is kept in `error`. */
void tracing_note(struct tracing *tracing, struct known_connection *connection,
                  const struct traced_note *note);

/* A descriptor of a stopped thread, as a connection: one that was not met so far is met here. `act` is what
 * is done with it. NULL: it is none, or cannot be looked up (unknown_sockets). */
struct known_connection *tracing_socket(struct tracing *tracing, struct tracee *tracee, int fd,
                                        enum traced_act act);

/* Asks for the addresses of a connection that has them by now. */
void tracing_addresses(struct tracing *tracing, struct tracee *tracee, int fd,
                       struct known_connection *connection);

/* Nothing of what was read of the process's code holds any more; it is read in the name of that thread. */
void tracing_turn(struct tracing *tracing, struct traced_process *process, pid_t face);

/* The same, in the name of this thread of it, if the one in whose name it was has ended. */
void tracing_save_face(struct tracing *tracing, const struct tracee *tracee);

/* Calls that the threads of a process have begun will not return. */
void tracing_end_calls(struct tracing *tracing, const struct traced_process *process);

/* The thread has ended, or is gone without a word. */
void tracing_forget(struct tracing *tracing, struct tracee *tracee);

#endif
