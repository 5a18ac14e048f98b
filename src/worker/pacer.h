/* arrivals: when connections are due. The schedule is fixed beforehand: one that is late does not push the
 * next ones back, it is counted. */
#ifndef WORKER_PACER_H
#define WORKER_PACER_H

#include <stdbool.h>
#include <stdint.h>

enum { ARRIVAL_LATE_US = 10000 }; /* from then on an arrival counts as late */

struct pacer {
    int64_t began_us;
    int64_t total;
    int64_t rate_milli; /* connections in 1,000 s */
    int64_t next;       /* the first that has not come */
    int64_t late;
    int64_t worst_us; /* the latest was so late */
    int64_t span_us;  /* from began_us to the last that has come */
};

/* When the n-th, from 0, is due, on the clock of began_us. */
int64_t pacer_due_us(const struct pacer *pacer, int64_t nth);

/* True when there is one to come and its time has come; it is then taken. */
bool pacer_take(struct pacer *pacer, int64_t now_us);

#endif
