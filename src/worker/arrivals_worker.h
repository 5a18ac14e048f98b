/* flow_worker: what the two roles have in common where connections come one by one: a party, its script, its
 * reports. */
#ifndef WORKER_ARRIVALS_WORKER_H
#define WORKER_ARRIVALS_WORKER_H

#include "worker/endpoint.h"
#include "worker/worker.h"

/* The first member of each role's state. */
struct flow_worker {
    struct worker *worker;
    struct party party;
    struct event *beat; /* reports are due */
    void (*report)(struct worker *worker);
};

/* Returns false when the behaviour cannot start. `report` is called every REPORT_MS. */
bool flow_worker_start(struct worker *worker, struct flow_worker *flow,
                       void (*report)(struct worker *worker));
void flow_worker_stop(struct flow_worker *flow);

/* A role's `ghosts`. */
int64_t flow_worker_ghosts(const struct worker *worker);

/* Takes the lines that both roles know: script, nofile. */
bool flow_worker_on_line(struct worker *worker, const struct wire_line *line);

#endif
