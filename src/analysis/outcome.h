/* outcome: what a run, or an order of it, has come to. */
#ifndef ANALYSIS_OUTCOME_H
#define ANALYSIS_OUTCOME_H

#include "analysis/outage.h"
#include "model/experiment.h"

enum outcome {
    OUTCOME_AS_EXPECTED,
    OUTCOME_DIFFERS,     /* the states are not what the order says */
    OUTCOME_FAULT,       /* this machine could not run it */
    OUTCOME_INTERRUPTED, /* by a signal */
};

/* "as expected", "differs", "fault", "interrupted". */
const char *outcome_name(enum outcome outcome);

/* What connections that came one by one have come to. */
struct flow_report {
    const struct flow_settings *asked;
    struct flow_tally sums[SIDE_COUNT];
    double achieved_rate;           /* connections a second, begun over the time that it took */
    struct trend trend[SIDE_COUNT]; /* of what the side holds: see outage_held */
    int64_t held[SIDE_COUNT];       /* at the end */
    int64_t nofile;                 /* descriptors that the server's processes may have together */
    enum side at_fault;             /* where the leak is, asked for or by a cause; SIDE_COUNT: nowhere */
    const struct timeline *timeline;
    bool shows_signature;    /* of the cause that was played; false: none was */
    bool is_shown_by_ghosts; /* only by descriptors whose CLOSE_WAIT keep-alive has ended */
};

#endif
