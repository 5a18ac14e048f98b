/* worker: a process that holds one side's ends of some of the connections and does to them what its
 * controller says. What differs between the sides is in constant structs, one a role. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "control/link.h"
#include "kernel/address.h"
#include "worker/connection_set.h"

#include <stdbool.h>
#include <stdint.h>

struct behaviour;

struct worker {
    struct event_base *base;
    struct link *link;
    const struct worker_role *role;
    void *role_state;                  /* the role's own */
    const struct behaviour *behaviour; /* where connections come one by one: see endpoint.h */
    bool fixed;
    struct connection_set connections;
    struct connection_act *running; /* NULL when no act is under way */
    int64_t act_serial;
    int64_t acted_reported;
    int64_t report_every; /* ends */
    int64_t keepalive_s;  /* of connections to come; 0: none */
    int64_t errors;       /* failed accept() or connect() so far */
    int refusal;          /* of a connect() that waits to be told: errno */
    uint16_t refused_port;
};

enum { NICE_BEHIND_THE_WITNESS = 5 }; /* a look would take as long as a hundred workers let it */

/* What a side does beyond acting on its ends. */
struct worker_role {
    const char *name; /* "server", "client", "server-flow", "client-flow" */
    bool is_punctual; /* exact timers */
    int nice;         /* it stands behind those who keep a schedule, or look */
    int64_t slice_us; /* it keeps a schedule, and is to run soon when it wakes; 0: like everybody */
    bool (*start)(struct worker *worker);
    void (*stop)(struct worker *worker);
    /* Of the messages that concern this role alone; the context is the worker. */
    message_handler *const *handlers;
    /* Does what is not done to ends (act.h), and reports by worker_acted(). False: it can not. NULL: nothing
     * of that kind. */
    bool (*act)(struct worker *worker, enum act act);
    /* Begins nothing more: no connect(). What is open stays. NULL: it begins nothing by itself. */
    void (*halt)(struct worker *worker);
    /* Descriptors beside worker->connections whose socket is in no table any more. NULL: none. */
    int64_t (*ghosts)(const struct worker *worker);
};

/* All connections at once. */
extern const struct worker_role batch_server;
extern const struct worker_role batch_client;
/* One by one. */
extern const struct worker_role arrivals_server;
extern const struct worker_role arrivals_client;

/* Tells the controller that this worker cannot go on, and why. */
void worker_fault(struct worker *worker, const char *call, int error, uint16_t port);

/* Of an act under way, an on_connections_acted: tells the controller how far it is. */
void worker_acted(void *worker, const struct connection_act_report *report, bool finished);

/* Serves the controller at descriptor `control` until it says quit or is gone. Returns 0, or a negative errno
 * when the worker could not start. */
int worker_run(const struct worker_role *role, const struct behaviour *behaviour, bool fixed, int control);

#endif
