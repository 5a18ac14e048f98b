/* arrivals_worker: what the two roles have in common where connections come one by one: an endpoint, its
 * script, its reports. */
#ifndef WORKER_ARRIVALS_WORKER_H
#define WORKER_ARRIVALS_WORKER_H

#include "worker/endpoint.h"
#include "worker/worker.h"

/* The first member of each role's state. */
struct arrivals_worker {
    struct worker *worker;
    struct endpoint endpoint;
    struct event *beat; /* reports are due */
    void (*report)(struct worker *worker);
};

/* Returns false when the behaviour cannot start. `report` is called every REPORT_MS. */
bool arrivals_worker_start(struct worker *worker, struct arrivals_worker *flow,
                           void (*report)(struct worker *worker));
void arrivals_worker_stop(struct arrivals_worker *flow);

/* A role's `ghosts`. */
int64_t arrivals_worker_ghosts(const struct worker *worker);

/* Takes the lines that both roles know: script, nofile. */
bool arrivals_worker_on_line(struct worker *worker, const struct link_line *line);

#endif
