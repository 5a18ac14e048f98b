/* experiment: what is played on a run's connections: a close order, a kept state, or a cause or its fixed
 * twin. All have a name, a summary and a meaning, and an order that says how connections open and which steps
 * follow; what only one kind has is reached by its pointer. How connections arrive is the same for all
 * experiments of a run: struct flow_settings. */
#ifndef MODEL_EXPERIMENT_H
#define MODEL_EXPERIMENT_H

#include "model/close_order.h"
#include "model/fault_case.h"
#include "model/kept_state.h"
#include "model/script.h"

#include <stdbool.h>
#include <stdint.h>

/* Connections that come one by one. */
struct flow_settings {
    int64_t rate; /* connections per second; 0: all connections at once */
    int64_t duration_ms;
    int64_t life_ms; /* of a connection, until its end is begun */
    int64_t connect_timeout_ms;
    int64_t server_nofile; /* descriptors of each server worker; 0: as many as it may have */
    int64_t backlog;       /* of each listener; 0: by the plan */
};

struct experiment {
    const char *name, *summary, *meaning;
    const struct close_order *order; /* never NULL; of a cause it has the opening and no steps */
    const struct kept_state *kept;   /* whose steps `order` has; NULL: nothing is kept */
    const struct fault_case *cause;  /* NULL: the steps of `order` are played */
    bool is_fixed;                   /* the cause's twin without the bug */
};

/* Each keeps pointers into what it is made of. */
struct experiment experiment_of_order(const struct close_order *order);
struct experiment experiment_of_state(const struct kept_state *kept);
struct experiment experiment_of_cause(const struct fault_case *cause, bool is_fixed);

/* What that side does to each connection where they come one by one. */
struct script experiment_script(const struct experiment *experiment, enum side side);

/* True when it leaves every connection open on one side at least: an order without a second close(). Of a
 * cause that is not known. */
bool experiment_leaves_all(const struct experiment *experiment);

/* True when that side keeps its ends of a cause, because that is what brings it out: its script has no
 * close(). What it holds is then nobody's fault. */
bool experiment_keeps(const struct experiment *experiment, enum side side);

/* True when sockets are to be left over: by the bug, by `leak` connections that were asked for, or because
 * the order leaves all. */
bool experiment_leaks(const struct experiment *experiment, int64_t leak);

/* The side whose sockets those are; SIDE_COUNT: none are, or those of neither side more than the other's. */
enum side experiment_side_at_fault(const struct experiment *experiment, int64_t leak);

/* Timewait sockets that one connection may leave in the kernel at most: see order_time_wait_per_connection.
 */
int experiment_time_wait_per_connection(const struct experiment *experiment);

#endif
