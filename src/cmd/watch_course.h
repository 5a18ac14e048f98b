/* watch_course: a watch from its first look to its last. */
#ifndef CMD_WATCH_COURSE_H
#define CMD_WATCH_COURSE_H

#include "cmd/watch_options.h"
#include "cmd/watch_outputs.h"
#include "watch/watch.h"

#include <signal.h>

/* The watch as it goes on. */
struct watch_course {
    const struct watch_options *options;
    const struct watch_outputs *outputs;
    const volatile sig_atomic_t *stopped_by; /* a signal's number; 0: none */
    struct watch *watch;
    struct watch_look look;
    int64_t detailed_us; /* the last detailed look */
    int lost_looks;      /* in a row */
    bool is_blind;       /* CLOSE_WAIT of hidden processes end as ghosts that cannot be counted */
    bool is_ended;       /* a sink has ended it */
    bool is_silent;      /* a verdict is asked for and not told */
};

/* Looks until it is over, and tells each look to the outputs. Returns the command's exit code, after telling.
 */
int watch_course_run(struct watch_course *course);

#endif
