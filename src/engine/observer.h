/* observer: what a view must implement. The storm tells each of its observers what happens, in this order:
 *
 *   run_start { order_start { sample* step_end }* order_end }* run_end
 *
 * run_end comes whatever happens. A function may be NULL. Those that write return 0 or a negative errno: the
 * storm then stops and says which output failed. Pointers are valid during the call only. */
#ifndef ENGINE_OBSERVER_H
#define ENGINE_OBSERVER_H

#include "analysis/expectation.h"
#include "analysis/outcome.h"
#include "analysis/transition_report.h"
#include "engine/plan.h"
#include "kernel/kernel_counters.h"
#include "kernel/lingering.h"
#include "model/experiment.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct host_part;

struct run_start {
    const struct plan *plan; /* of the first experiment */
    struct event_base *base; /* the loop that plays the run; a view may hear events of its own in it, and has
                                to be done with them at run_end */
};

struct order_start {
    const struct plan *plan;
    const struct experiment *experiment;
    struct port_range lanes;
};

/* One look, and what the workers had reported when it began. */
struct sample {
    const struct experiment *experiment;
    int64_t conns;
    double t_s; /* since the run began, when the look began */
    double look_s;
    const char *step;              /* label */
    bool settled;                  /* the expected sets hold on both sides */
    int64_t opened;                /* connect() calls started and not failed */
    const struct histogram *sides; /* SIDE_COUNT of them */
    int64_t fds[SIDE_COUNT];       /* descriptors that the side holds on connections */
    int64_t errors[SIDE_COUNT];    /* failed accept(), failed connect() */
    int64_t lost[SIDE_COUNT];      /* of a flow: acts so far that failed because the connection had ended */
    int64_t dropped;    /* SYNs dropped by listeners of this network namespace so far (ListenDrops) */
    int64_t late;       /* arrivals that came too late so far; 0 where all come at once */
    int64_t connect_us; /* for so long the oldest connect() has been waiting; likewise */
    const struct host_part *parts; /* host by host: see by_host.h */
    int part_count;                /* 0: all of it is on this machine */
    int64_t nofile[SIDE_COUNT];    /* descriptors that the side's processes may have together */
    double began_s;                /* when the order's first step began, on the clock of t_s */
    double failed_s[SIDE_COUNT];   /* of a flow, likewise: the first failed call of errors; 0: none */
    double dropped_s;              /* of a flow, likewise: the first of its SYNs that was dropped; 0: none */
    const struct transition_report *transitions; /* when the look was complete; NULL: nobody counts them */
};

/* What the events count at a moment, also while no look is taken: see transitions_gauge. */
struct gauge {
    const struct experiment *experiment;
    const char *step; /* label */
    int64_t opened;   /* as in a sample, now; negative: what is gone is not known before the next look */
    const struct histogram *sides; /* SIDE_COUNT of them */
};

struct step_end {
    const struct experiment *experiment;
    const char *step;
    const struct expectation *expectation;
    const struct histogram *sides; /* the last look of the step */
    bool ok;
    double settle_s;        /* from the last acknowledged act to the look that showed it */
    double act_s;           /* how long the act took, from the first call to the last acknowledgement */
    double rate_per_s;      /* connections per second that the act itself took */
    const char *difference; /* "" when ok */
};

struct progress {
    const struct experiment *experiment;
    const char *step;
    const char *doing;   /* "acting", "settling", "holding" */
    double elapsed_s;    /* of what it is doing */
    int64_t done, total; /* total 0: not countable */
    double left_s;       /* until that is done; negative: not known */
};

struct order_end {
    const struct experiment *experiment;
    enum outcome outcome;
    const char *verdict;           /* sentences, one a line */
    const struct histogram *sides; /* the last look; NULL: there was none */
    const struct kernel_counters *moved;
    int64_t failed_looks;              /* dumps that failed or were interrupted */
    const struct lingering *lingering; /* whose the lingering sockets are; total 0: none, or not asked */
    const struct flow_report *flow;    /* NULL: all connections at once */
    const struct transition_report *transitions; /* NULL: nobody counted them */
};

struct run_end {
    enum outcome outcome;
    double elapsed_s;
    bool at_once; /* a second signal came: there is no time left to wait for a reader */
};

struct observer_ops {
    int (*run_start)(void *view, const struct run_start *start);
    int (*order_start)(void *view, const struct order_start *start);
    int (*sample)(void *view, const struct sample *sample);
    int (*step_end)(void *view, const struct step_end *end);
    void (*progress)(void *view, const struct progress *progress);
    /* Some ten times a second, where events are counted. */
    void (*gauge)(void *view, const struct gauge *gauge);
    int (*order_end)(void *view, const struct order_end *end);
    int (*run_end)(void *view, const struct run_end *end);
    /* The reader takes no more: no look is to be taken until it does, or its row would have to be dropped. */
    bool (*is_clogged)(const void *view);
};

struct observer {
    const struct observer_ops *ops;
    void *view;       /* owned by whoever made the observer */
    const char *name; /* what a failed output is called, "--csv results/a.csv" */
};

enum { OBSERVERS_MAX = 8 };

struct observers {
    struct observer each[OBSERVERS_MAX];
    int count;
};

/* Each tells all observers. Returns 0, or the negative errno of the first that failed, with its name. */
int observers_run_start(const struct observers *observers, const struct run_start *start,
                        const char **failed);
int observers_order_start(const struct observers *observers, const struct order_start *start,
                          const char **failed);
int observers_sample(const struct observers *observers, const struct sample *sample, const char **failed);
int observers_step_end(const struct observers *observers, const struct step_end *end, const char **failed);
int observers_order_end(const struct observers *observers, const struct order_end *end, const char **failed);
int observers_run_end(const struct observers *observers, const struct run_end *end, const char **failed);
void observers_progress(const struct observers *observers, const struct progress *progress);

void observers_gauge(const struct observers *observers, const struct gauge *gauge);

/* True when one of them wants to be told. */
bool observers_want_gauge(const struct observers *observers);

/* The name of one that is clogged; NULL: none is. */
const char *observers_clogged(const struct observers *observers);

#endif
