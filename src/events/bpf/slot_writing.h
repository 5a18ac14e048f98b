/* slot_writing: how the programs in the kernel write to a slot. */
#ifndef EVENTS_BPF_SLOT_WRITING_H
#define EVENTS_BPF_SLOT_WRITING_H

#include "events/bpf/event_slot.h"

#include <bpf/bpf_helpers.h>

/* An index that the kernel's verifier sees to be less than `count`, whatever the compiler knows of it. */
#define WITHIN(count, index)                                                                                 \
    ({                                                                                                       \
        __u64 within_ = (index);                                                                             \
        asm volatile("" : "+r"(within_));                                                                    \
        within_ &((count)-1);                                                                                \
    })
#define SIDE(side)   WITHIN(SLOT_SIDES, (__u64)(side))
#define STATE(state) WITHIN(SLOT_STATES, state)
#define WHY(why)     WITHIN(SLOT_WHYS, why)
#define PORT(port)   WITHIN(PORTS, port)

/* Atomic: the other copy may run on this CPU in between. */
static __always_inline void add_one(event_count *count)
{
    __sync_fetch_and_add(count, 1);
}

#endif
