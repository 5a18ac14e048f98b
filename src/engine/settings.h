/* settings: what the user asked for: the experiments of a run, how their connections come, and where. */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "kernel/address.h"
#include "kernel/host_limits.h"
#include "model/experiment.h"

#include <stdbool.h>
#include <stdint.h>

enum { HOLD_FOREVER = -1, SETTLE_BY_SIZE = -1, RUN_EXPERIMENTS_MAX = 64 };

struct hosts;
struct socket_events;

struct run_settings {
    const char *command;             /* as it can be typed again; NULL: not known */
    int64_t conns;                   /* of each experiment, in all */
    int64_t leak;                    /* of them, so many are left without their second close() */
    int64_t keepalive_s[SIDE_COUNT]; /* of each side's ends: see keepalive_begin(); 0: none */
    struct flow_settings flow;
    struct experiment experiments[RUN_EXPERIMENTS_MAX]; /* a cause is the only one of its run */
    int experiment_count;
    bool all_orders; /* asked for as "all" */
    struct address address;
    struct hosts *hosts; /* that it is played on; the servers' addresses are theirs, `address` is the first */
    int64_t port;        /* the first one to try */
    const char *look_inside; /* the run has a network namespace of its own, and this before a command runs it
                                there; NULL: it has not */
    struct shared_limits shared; /* read before that namespace was entered, where there is one */
    const char *const *sysctls;  /* "name=value" that the user set there: they stay as they are */
    int sysctl_count;
    bool hold_last_only; /* steps before the last are not held */
    int64_t hold_ms;     /* after each settled step; HOLD_FOREVER: the last step of the last order stays */
    int64_t settle_ms;   /* SETTLE_BY_SIZE: plan_settle_ms decides */
    int64_t interval_ms;
    int witness;                  /* index into witness_choices */
    struct socket_events *events; /* that count every transition beside the looks; borrowed, NULL: none do */
};

/* True when connections arrive one by one, at flow.rate; otherwise all are opened at once. */
static inline bool run_is_arriving(const struct run_settings *settings)
{
    return settings->flow.rate > 0;
}

#endif
