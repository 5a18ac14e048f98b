#include "worker/pacer.h"

enum { MICROSECONDS_IN_1000_S = 1000000000 };

int64_t arrivals_due_us(const struct arrivals *arrivals, int64_t nth)
{
    int64_t rate = arrivals->rate_milli, whole = nth / rate, rest = nth % rate;
    return arrivals->began_us + whole * MICROSECONDS_IN_1000_S + rest * MICROSECONDS_IN_1000_S / rate;
}

bool arrivals_take(struct arrivals *arrivals, int64_t now_us)
{
    if (arrivals->next >= arrivals->total)
        return false;
    int64_t late_us = now_us - arrivals_due_us(arrivals, arrivals->next);
    if (late_us < 0)
        return false;
    arrivals->next++;
    arrivals->span_us = now_us - arrivals->began_us;
    arrivals->late += late_us >= ARRIVAL_LATE_US;
    arrivals->worst_us = late_us > arrivals->worst_us ? late_us : arrivals->worst_us;
    return true;
}
