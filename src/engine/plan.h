/* plan: what a storm needs, held against what this machine allows, before any socket is opened. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/lane.h"
#include "engine/settings.h"
#include "kernel/host_limits.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_sentence {
    char text[400];
};

enum { PLAN_SENTENCES_MAX = 8 };

struct plan_sentences {
    int count;
    struct plan_sentence each[PLAN_SENTENCES_MAX];
};

struct plan {
    const struct run_settings *settings;
    struct host_limits limits;
    const struct witness_backend *witness;
    int pairs;               /* server workers, and as many client workers */
    int64_t worker_capacity; /* connection ends that one worker may hold */
    int64_t lane_capacity;
    int64_t on_lanes; /* connections that may be on the lanes at one time, TIME_WAIT included */
    int lane_count;
    uint16_t last_port;      /* lanes stay at or below it */
    int backlog;             /* of each listener */
    int64_t window;          /* connections a client may be ahead of accept(), per lane */
    int64_t memory;          /* bytes, an estimate */
    int64_t time_wait_most;  /* timewait sockets that one order leaves at most */
    int64_t time_wait_total; /* over all orders of the run */
    struct plan_sentences
        obstacles; /* each says what does not fit and what to change; any: it cannot be run */
    struct plan_sentences warnings; /* what will bend the result */
};

/* Sizes the storm. Returns 0, or -1 when there are obstacles. */
int plan_make(struct plan *plan, const struct run_settings *settings);

/* Chooses the ports of the next order at or above `from`. Returns 0, or -1 and why not. */
int plan_choose_ports(const struct plan *plan, uint16_t from, uint16_t *first, struct plan_sentence *why);

/* Timewait sockets that the experiment leaves at most at one time. */
int64_t plan_time_wait_of(const struct run_settings *settings, const struct experiment *experiment);

/* How long the kernel may take to show a step's states. By size: 5 s, and a minute above 100,000 connections,
 * where loopback drops packets and a FIN may have to wait for its retransmission. */
int64_t plan_settle_ms(const struct run_settings *settings);

/* True where the server is made to run out of something: its failures are what is to be shown. */
bool plan_expects_outage(const struct run_settings *settings);

/* Descriptors that a process of that side may have. */
int64_t plan_nofile(const struct plan *plan, enum side side);

/* True for the last step of the last order under --hold forever. */
bool plan_holds_forever(const struct plan *plan, const struct close_order *order, int step, int order_index);

#endif
