/* scripted: the well-behaved behaviour: every connection plays its endpoint's script, one act at a time, and
 * is over when the script is. Leaked ones stop short of their close(). */
#ifndef WORKER_SCRIPTED_H
#define WORKER_SCRIPTED_H

#include "worker/endpoint.h"

extern const struct behaviour scripted_behaviour;

/* Likewise, of a client that comes again when it is refused. */
extern const struct behaviour insistent_behaviour;

#endif
