/* runtime: what runs a process's program, as far as a command that dumps its tasks depends on it. */
#ifndef EXPLAIN_RUNTIME_H
#define EXPLAIN_RUNTIME_H

#include "explain/facts.h"

/* From the name of its program, and the note that Go's linker leaves in it. RUNTIME_UNKNOWN also where that
 * is not for us to see. */
enum fact_runtime runtime_of(pid_t pid);

#endif
