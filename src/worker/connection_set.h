/* ends: a worker's ends of connections: descriptors, four bytes each and nothing else. An end gets an event
 * only while an act has to wait on it. */
#ifndef WORKER_CONNECTION_SET_H
#define WORKER_CONNECTION_SET_H

#include "kernel/act.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;

struct connection_set {
    int *fd; /* owned; -1 where the descriptor was released */
    int64_t count;
    int64_t capacity;
    int64_t open; /* descriptors held */
};

/* Takes the descriptor over. Returns 0 or -ENOMEM. */
int connection_set_add(struct connection_set *set, int fd);

/* How many descriptors are open on a socket that has left every table of the kernel. One system call each. */
int64_t connection_set_ghosts(const struct connection_set *set);

/* Resets (RST) what is still open, so that nothing stays behind in the kernel's tables, and frees the array.
 */
void connection_set_free(struct connection_set *set);

/* One act on every end, a batch at a time, so that the worker keeps hearing its controller. */
struct connection_act;

struct connection_act_report {
    int64_t done;   /* ends acted on, failures included */
    int64_t failed; /* of them */
    int last_errno; /* of the last failure, 0 for none */
};

/* Called after each batch; `finished` with the last one, after which the act is freed. */
typedef void on_connections_acted(void *context, const struct connection_act_report *report, bool finished);

struct connection_act_what {
    enum act act;
    bool backwards; /* begin with the end that was added last */
    int64_t spare;  /* leave out so many, those that were added last: they are leaked */
};

/* Starts; the first batch runs from the event loop. */
struct connection_act *connection_act_start(struct event_base *base, struct connection_set *set,
                                            const struct connection_act_what *what,
                                            on_connections_acted *on_acted, void *context);

/* Frees an act that has not finished, and the events of the ends that it waits for. Calls that wait in the
 * kernel are waited for: see act_blocks(). */
void connection_act_cancel(struct connection_act *running);

#endif
