/* closing: how long the connections that ended in a window stood between their peer's FIN and their end. */
#ifndef EXPLAIN_CLOSING_H
#define EXPLAIN_CLOSING_H

#include "explain/facts.h"

enum {
    CLOSING_QUICK_MS = 100, /* between two looks of a window: what was never seen in CLOSE_WAIT was faster, or
                               closed first, and counts as 0 */
    CLOSING_LEAST = 8,      /* connections, below which nothing is told */
};

struct closing {
    int ended; /* accepted connections; 0: there was no window, or nothing ended in it */
    int64_t p50_ms, p90_ms, p99_ms, most_ms;
};

/* Returns 0 or -ENOMEM. */
int closing_of(const struct facts *facts, struct closing *closing);

#endif
