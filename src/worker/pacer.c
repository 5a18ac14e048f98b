#include "worker/pacer.h"

enum { MICROSECONDS_IN_1000_S = 1000000000 };

int64_t pacer_due_us(const struct pacer *pacer, int64_t nth)
{
    int64_t rate = pacer->rate_milli, whole = nth / rate, rest = nth % rate;
    return pacer->began_us + whole * MICROSECONDS_IN_1000_S + rest * MICROSECONDS_IN_1000_S / rate;
}

bool pacer_take(struct pacer *pacer, int64_t now_us)
{
    if (pacer->next >= pacer->total)
        return false;
    int64_t late_us = now_us - pacer_due_us(pacer, pacer->next);
    if (late_us < 0)
        return false;
    pacer->next++;
    pacer->span_us = now_us - pacer->began_us;
    pacer->late += late_us >= ARRIVAL_LATE_US;
    pacer->worst_us = late_us > pacer->worst_us ? late_us : pacer->worst_us;
    return true;
}
