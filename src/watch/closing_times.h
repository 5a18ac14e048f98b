/* closing_times: times of any number of things in memory that stays flat: each is counted in a bucket an
 * eighth of an octave wide, so that a time is known to within 13 %. All in microseconds. */
#ifndef WATCH_CLOSING_TIMES_H
#define WATCH_CLOSING_TIMES_H

#include <stdint.h>

/* All below 1,024 us, up to 2^38 us (3 days), and all above. */
enum { CLOSING_OCTAVE_FIRST = 10, CLOSING_OCTAVES = 28, CLOSING_BUCKETS = 2 + 8 * CLOSING_OCTAVES };

/* Zero-initialised: none. */
struct closing_times {
    int64_t in[CLOSING_BUCKETS];
    int64_t count;
};

void closing_times_add(struct closing_times *times, int64_t us);

/* The bounds of what a bucket holds: from the first up to, not including, the second; the last one's is
 * INT64_MAX. */
int64_t closing_bucket_begin_us(int bucket);
int64_t closing_bucket_end_us(int bucket);

/* The bucket that the time of that rank (from 0, the shortest) is in. The rank is below the count. */
int closing_times_bucket(const struct closing_times *times, int64_t rank);

/* How many took so long or longer, at least: those of the bucket that the time is in are left out; and at
 * most. */
int64_t closing_times_above_least(const struct closing_times *times, int64_t us);
int64_t closing_times_above_most(const struct closing_times *times, int64_t us);

#endif
