/* connector: the client where connections come one by one. It connects when each is due and hands the
 * connection to its endpoint; a connect() that is not answered is waited for, as a client would, and given up
 * after a while. */
#ifndef WORKER_CONNECTOR_H
#define WORKER_CONNECTOR_H

#include "kernel/address.h"
#include "worker/endpoint.h"
#include "worker/pacer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct attempt;
struct destination;
struct event;

TAILQ_HEAD(attempt_list, attempt);

/* A call failed in a way that ends all: for a reason of this machine, or one that nobody expects of the
 * server. `port`: of the destination. */
typedef void on_connector_failure(void *owner, const char *call, int error, uint16_t port);

struct connector {
    struct endpoint *endpoint;
    on_connector_failure *on_failure;
    void *owner;
    struct destination *destinations; /* taken in turn */
    int destination_count;
    struct pacer pacer;
    struct event *due;
    struct attempt_list attempts; /* connect() calls that were not complete at once, the longest first */
    int64_t timeout_us;           /* for a connect() */
    int64_t keepalive_s;          /* of what is connected: see keepalive_begin() */
    int64_t started;              /* connect() called, and not failed */
    int64_t connected;
    int64_t timeouts;
    int64_t abandoned;     /* of them, those whose descriptor the behaviour has not closed */
    int64_t last_event_us; /* when a connection last began, was used again, or was given up */
    int64_t refused_us;    /* since when connect() has been refused whenever it was tried; 0: it has not */
    int64_t again_us;      /* nobody comes before that */
    bool is_stopped;       /* nothing more is begun */
};

/* The endpoint stays the caller's. */
void connector_start(struct connector *connector, struct endpoint *endpoint, on_connector_failure *on_failure,
                     void *owner);

void connector_add_destination(struct connector *connector, const struct address *address, uint16_t port);

/* So many connections from now on, so many in 1,000 s. There must be a destination. */
void connector_begin(struct connector *connector, int64_t total, int64_t rate_milli, int64_t timeout_us);

/* Gives up what has waited for the time-out or longer; to be called now and then. */
void connector_give_up_old(struct connector *connector);

/* For so long the oldest connect() has been waiting; 0: none does. */
int64_t connector_waiting_us(const struct connector *connector);

/* All have come, and have ended or had the time to. */
bool connector_is_over(const struct connector *connector);

/* Begins nothing more; what is open stays. */
void connector_halt(struct connector *connector);

/* Closes what is not connected yet and frees all. What is connected is the endpoint's. */
void connector_stop(struct connector *connector);

#endif
