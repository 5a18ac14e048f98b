/* experiment: what is played, and how. */
#ifndef MODEL_EXPERIMENT_H
#define MODEL_EXPERIMENT_H

#include "model/fault_case.h"

/* Connections that come one by one. */
struct flow_settings {
    int64_t rate; /* connections per second; 0: all connections at once */
    int64_t duration_ms;
    int64_t life_ms; /* of a connection, until its end is begun */
    int64_t connect_timeout_ms;
    int64_t server_nofile;               /* descriptors of each server worker; 0: as many as it may have */
    int64_t backlog;                     /* of each listener; 0: by the plan */
    const struct fault_case *fault_case; /* NULL: an order is played */
    bool fixed;                          /* the twin without the bug */
};

#endif
