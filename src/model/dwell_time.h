/* dwell_time: how long sockets stayed in a state, from the buckets that the kernel counted. */
#ifndef MODEL_DWELL_TIME_H
#define MODEL_DWELL_TIME_H

#include "events/transition_counts.h"

/* Sockets of the sample that have left the state. */
int64_t dwell_sampled(const struct dwell *dwell);

/* The time, in seconds, that this share of them (0 to 1) stayed at most: right to within its bucket, a factor
 * of two, and never more than the longest. Negative when none has left. */
double dwell_quantile_s(const struct dwell *dwell, double share);

/* Of the longest; negative when none has left. */
double dwell_longest_s(const struct dwell *dwell);

struct dwell_text {
    char text[24];
};

/* "120 us", "3 ms", "40 s", "2.5 min". */
struct dwell_text dwell_text_of(double seconds);

#endif
