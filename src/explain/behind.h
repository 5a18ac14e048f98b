/* behind: connections that a server has opened to another, a proxy to its backend, and that it has forgotten:
 * they are open, something was asked or has come, and nobody would hear of it.
 *
 * A connection that waits in a pool looks much the same. That one was answered, and nothing is unread. Who
 * only writes to a server (logs, measured values) does not hear it either, but does so on a few connections.
 * So it takes many, more than there are threads that could be about to read, and fewer than half as many
 * accepted ones for which they could be. */
#ifndef EXPLAIN_BEHIND_H
#define EXPLAIN_BEHIND_H

#include "explain/facts.h"
#include "explain/loop.h"

enum {
    BEHIND_LEAST = 8,
    BEHIND_QUIET_MS = 5000, /* nothing has come or gone for so long */
};

/* Milliseconds in which no data has come or gone on an open connection; -1: not known. */
int64_t behind_quiet_ms(const struct fact_socket *socket);

/* Sets is_forgotten[i] of those of facts->sockets; `loops` has the state of each process's loop. */
void behind_find(const struct facts *facts, const enum loop_state *loops, bool *is_forgotten);

#endif
