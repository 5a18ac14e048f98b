/* watch_verdict: what a watch has to say besides its looks, and its exit code. */
#ifndef CMD_WATCH_VERDICT_H
#define CMD_WATCH_VERDICT_H

#include "cmd/watch_course.h"

#include <stdbool.h>

enum {
    WATCH_SURE_S = 10,    /* a slope over less is no reason to fail */
    WATCH_SURE_LOOKS = 8, /* nor is one over fewer looks: trend.h */
    WATCH_REST_SPANS =
        3, /* connections at rest must grow for so many times --idle: a pool that fills does not, and
              those that a server closes when they were idle for up to four times that have left */
};

/* So long the number of connections at rest has to grow. */
int64_t watch_rest_sure_ms(const struct watch_options *options);

/* All return an exit code, and tell where it is not EXIT_AS_EXPECTED. */

/* After a look: whether --fail-on is met. */
int watch_verdict_now(const struct watch_course *course);

/* Whether it is, without a word. */
bool watch_verdict_accuses(const struct watch_course *course);

/* How much longer than --duration the watch goes on: something grows for most of the time, but not for long
 * enough to be sure. 0: nothing does. */
int64_t watch_doubt_ms(const struct watch_course *course);

/* When the watch is over, or interrupted, and nothing was found. */
int watch_verdict_at_end(const struct watch_course *course);

/* Why the kernel, or the one process, can be looked at no longer: a negative errno of watch_take(). */
int watch_tell_blind(const struct watch_course *course, int error);

/* The same of a watch of `watched_s` seconds; 0: it has not begun. `error` is positive. */
int watch_tell_unwatched(const struct watch_options *options, int error, double watched_s);

#endif
