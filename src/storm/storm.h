/* storm: a run: one or more close orders, one after the other, each on ports of its own. */
#ifndef STORM_STORM_H
#define STORM_STORM_H

#include "storm/observer.h"

/* Plays all orders of the plan. Faults are told as errors; the outcome is that of the worst order. */
enum outcome storm_run(const struct plan *plan, const struct observers *observers);

#endif
