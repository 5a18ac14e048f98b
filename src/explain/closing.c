#include "explain/closing.h"

#include <errno.h>
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* The nearest rank. */
static int64_t percentile(const int64_t *sorted, int count, int percent)
{
    int rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

int closing_of(const struct facts *facts, struct closing *closing)
{
    *closing = (struct closing){0};
    int64_t *times = calloc((size_t)facts->ended_count + 1, sizeof *times);
    if (times == NULL)
        return -ENOMEM;
    for (int i = 0; i < facts->ended_count; i++)
        if (facts->ended[i].way == WAY_ACCEPTED)
            times[closing->ended++] = facts->ended[i].closing_ms > 0 ? facts->ended[i].closing_ms : 0;
    if (closing->ended > 0) {
        qsort(times, (size_t)closing->ended, sizeof *times, by_number);
        closing->p50_ms = percentile(times, closing->ended, 50);
        closing->p90_ms = percentile(times, closing->ended, 90);
        closing->p99_ms = percentile(times, closing->ended, 99);
        closing->most_ms = times[closing->ended - 1];
    }
    free(times);
    return 0;
}
