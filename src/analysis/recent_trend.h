/* recent_trend: whether a count has grown of late, for who watches for ever: what was long ago would hide
 * what has begun now. Two lines are kept, of which the younger takes over from the older. What begins after a
 * long rest is told when the older line is of it alone, or nearly so: after five to ten minutes. */
#ifndef ANALYSIS_RECENT_TREND_H
#define ANALYSIS_RECENT_TREND_H

#include "analysis/trend.h"

#include <stdbool.h>

/* It tells of the last half of this to all of it; of less where there was less. */
enum { RECENT_TREND_S = 600 };

/* One line, and how many had come when it began. */
struct recent_line {
    struct trend_line line;
    int64_t came;
};

/* Zero-initialised: no looks yet. */
struct recent_trend {
    struct recent_line older, younger;
    int64_t came, count; /* at the last look */
};

/* As trend_line_add(). `came`: how many have come so far, all together, also those that have left again; what
 * is less than before begins anew. */
void recent_trend_add(struct recent_trend *recent, double t_s, int64_t count, int64_t came);

/* What the older line tells: for trend_of() and exhaustion_of(). */
static inline const struct trend_line *recent_trend_line(const struct recent_trend *recent)
{
    return &recent->older.line;
}

/* Whether of those that came while that line lasted three quarters have stayed: else the count grows as load
 * does. */
bool recent_trend_stays(const struct recent_trend *recent);

#endif
