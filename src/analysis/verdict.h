/* verdict: what the states mean, in sentences: who owes a close(), where TIME_WAIT stays, and why a run
 * differs. Every sentence rests on counts that a look has shown. */
#ifndef ANALYSIS_VERDICT_H
#define ANALYSIS_VERDICT_H

#include "analysis/outcome.h"
#include "analysis/transition_report.h"
#include "kernel/lingering.h"

struct verdict {
    char text[6000]; /* sentences, one a line, without a last newline */
};

struct verdict_input {
    const struct experiment *experiment;
    enum outcome outcome;
    const char *difference; /* how the last step differs, "" when it does not */
    const char *fault;      /* "" when there is none */
    const char *step;       /* label of the step that was reached */
    int64_t opened;
    const struct histogram *sides; /* the last look; NULL when there was none */
    int64_t fds[SIDE_COUNT];
    bool aged;                       /* ends left by the kernel's clocks */
    bool late_close;                 /* a close() came after its peer's FIN_WAIT2 had ended */
    int64_t keepalive_s[SIDE_COUNT]; /* of each side's ends; 0: none */
    bool by_keepalive[SIDE_COUNT];   /* ghosts of that side are there because of it, for certain */
    int64_t assassinated;            /* TIME_WAIT that a late RST has ended */
    int64_t lasted_ms;               /* from the first step's beginning to the last look */
    bool rst_spares_time_wait;       /* net.ipv4.tcp_rfc1337 is set */
    bool has_own_namespace;          /* the counters are of this run's connections alone, softnet's apart */
    int64_t look_pause_us; /* the longest between two looks, made so as not to bend the storm; 0: none */
    int64_t look_took_us;  /* the last look */
    int64_t failed_looks;  /* dumps that failed or were interrupted; they count for nothing */
    int64_t ehash_entries; /* buckets of the kernel's table of sockets; 0: not known */
    int64_t fin_timeout_ms;
    const struct kernel_counters *moved;
    const struct lingering *lingering;
    int64_t leaked;                              /* connections left without their second close(), as asked */
    const struct flow_report *flow;              /* NULL: all connections at once */
    const struct transition_report *transitions; /* NULL: nobody counted them */
};

struct verdict verdict_of(const struct verdict_input *input);

#endif
