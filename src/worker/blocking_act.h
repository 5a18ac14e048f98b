/* blocking_act: an act that waits in the kernel, such as close() with SO_LINGER, on many ends: threads wait,
 * each in one call at a time, and the event loop goes on. */
#ifndef WORKER_BLOCKING_ACT_H
#define WORKER_BLOCKING_ACT_H

#include "kernel/act.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct blocking_act;

enum { BLOCKING_THREADS_MAX = 1024 };

/* Called from the event loop when there is something to take. */
typedef void on_blocking_acted(void *context);

/* Begins the act on the first `count` of these descriptors, which stay the caller's; a negative one fails
 * with EBADF. Returns NULL and a negative errno in *error: EAGAIN when not one thread can be made. */
struct blocking_act *blocking_act_start(struct event_base *base, enum act act, const int *fd, int64_t count,
                                        on_blocking_acted *on_acted, void *context, int *error);

/* The next end that was acted on and what act_apply() returned; false: none at the moment. */
bool blocking_act_take(struct blocking_act *running, int64_t *index, int *rc);

/* Begins no further end and waits for the calls under way; what they came to can be taken. */
void blocking_act_stop(struct blocking_act *running);

/* Stops it. NULL is allowed. */
void blocking_act_free(struct blocking_act *running);

#endif
