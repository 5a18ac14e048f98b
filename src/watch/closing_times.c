#include "watch/closing_times.h"

static int bucket_of(int64_t us)
{
    if (us < 1 << CLOSING_OCTAVE_FIRST)
        return 0;
    int octave = 63 - __builtin_clzll((unsigned long long)us);
    if (octave >= CLOSING_OCTAVE_FIRST + CLOSING_OCTAVES)
        return CLOSING_BUCKETS - 1;
    return 1 + 8 * (octave - CLOSING_OCTAVE_FIRST) + (int)(us >> (octave - 3) & 7);
}

void closing_times_add(struct closing_times *times, int64_t us)
{
    times->in[bucket_of(us)]++;
    times->count++;
}

int64_t closing_bucket_begin_us(int bucket)
{
    int octave = CLOSING_OCTAVE_FIRST + (bucket - 1) / 8;
    return bucket == 0 ? 0 : (8 + (int64_t)((bucket - 1) % 8)) << (octave - 3);
}

int64_t closing_bucket_end_us(int bucket)
{
    return bucket == CLOSING_BUCKETS - 1 ? INT64_MAX : closing_bucket_begin_us(bucket + 1);
}

int closing_times_bucket(const struct closing_times *times, int64_t rank)
{
    int bucket = 0;
    for (int64_t before = times->in[0]; before <= rank && bucket < CLOSING_BUCKETS - 1;)
        before += times->in[++bucket];
    return bucket;
}

static int64_t from_bucket(const struct closing_times *times, int bucket)
{
    int64_t count = 0;
    for (; bucket < CLOSING_BUCKETS; bucket++)
        count += times->in[bucket];
    return count;
}

int64_t closing_times_above_least(const struct closing_times *times, int64_t us)
{
    int bucket = bucket_of(us);
    return from_bucket(times, closing_bucket_begin_us(bucket) >= us ? bucket : bucket + 1);
}

int64_t closing_times_above_most(const struct closing_times *times, int64_t us)
{
    return from_bucket(times, bucket_of(us));
}
