/* exhaustion: when what grows will have used up the room that is left.
 *
 * A leak is taken for steps of any size at times of their own (a compound Poisson process): what it does in t
 * seconds has the mean rate * t and the variance spread * t. From the looks of T seconds, its rate is the
 * rise over T, and its spread how much the rises of equal spans differ, or where that is little, as much as
 * chance alone has. What is to come differs from what the rate says by spread * (t + t * t / T), of which t
 * is chance to come and t * t / T what is not known of the rate; the times at which the room lies within the
 * 95 % quantile of that are the interval. */
#ifndef ANALYSIS_EXHAUSTION_H
#define ANALYSIS_EXHAUSTION_H

#include "analysis/trend.h"

#include <stdbool.h>

struct exhaustion {
    bool is_known; /* it grows, and the interval of its rate excludes 0 */
    double per_s, low_per_s, high_per_s;
    double in_s, earliest_s, latest_s; /* from the last look on */
};

/* `room`: how much more fits in, at least 0. Nothing is known unless trend_of() says leak. */
struct exhaustion exhaustion_of(const struct trend_line *line, double room);

struct exhaustion_text {
    char text[96];
};

/* "+4.1/min (3.8 to 4.4)" */
struct exhaustion_text exhaustion_rate_words(const struct exhaustion *forecast);

/* "3 h 12 m (2 h 58 m to 3 h 27 m)" */
struct exhaustion_text exhaustion_time_words(const struct exhaustion *forecast);

#endif
