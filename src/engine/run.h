/* storm: a run: one or more close orders, one after the other, each on ports of its own. */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "engine/observer.h"

enum { RUN_TOGETHER_MAX = 16 };

/* One plan: plays all its orders, one after the other; hold_ms is not used. Several: plays the one order of
 * each, all at the same time, and holds them when all are at their last step. Faults are told as errors; the
 * outcome is that of the worst order. A setting that an order needs is made for it, and the plan's limits
 * then say so. */
enum outcome run_plans(struct plan *const *plans, int count, int64_t hold_ms,
                       const struct observers *observers);

#endif
