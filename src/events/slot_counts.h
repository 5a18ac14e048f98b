/* slot_counts: from what the kernel's programs have written to the life of connections. Pure. */
#ifndef EVENTS_SLOT_COUNTS_H
#define EVENTS_SLOT_COUNTS_H

#include "events/bpf/event_slot.h"
#include "events/transition_counts.h"

#include <stddef.h>

/* The sum of the CPUs' slots, and the longest of their longest stays. They may be written to meanwhile. */
void slot_counts_sum(const struct event_slot *slots, size_t count, struct event_slot *sum);

/* `skipped` is what programs_skipped has told before the slots were summed: it becomes `unheard`, unless a
 * second copy has heard it. */
void slot_counts_tell(const struct event_slot *sum, int64_t skipped, struct transition_counts *counts);

#endif
