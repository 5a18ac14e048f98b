/* samples: for how long some of the sockets stay in each state, as the programs in the kernel note it. */
#ifndef EVENTS_BPF_SAMPLES_H
#define EVENTS_BPF_SAMPLES_H

#include "events/bpf/kernel_types.h"

#include "events/bpf/event_slot.h"
#include "events/bpf/slot_writing.h"

#include <bpf/bpf_helpers.h>

/* `entered` is a time and what may be known beside it: the state, and whether the full socket has ended and a
 * small one, which has its cookie, goes on. */
struct sampled {
    __u64 cookie; /* 0: nobody */
    __u64 entered;
};

enum { IS_SMALL = SLOT_STATES, TIME_SHIFT = 5 };

/* A place for a socket is one of a few that its cookie tells: no lock, nothing to allocate, and one cache
 * line, since what can be mapped begins with a page. */
struct sample_set {
    struct sampled each[SAMPLES_IN_SET];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SAMPLE_SETS);
    __type(key, __u32);
    __type(value, struct sample_set);
} samples SEC(".maps");

/* Cookies are given in turn, the ends of a connection alternate: a hash, so that both are sampled. */
static __always_inline __u64 hash_of(__u64 cookie)
{
    return cookie * 0x9e3779b97f4a7c15ULL;
}

static __always_inline bool is_sampled(__u64 cookie)
{
    return cookie != 0 && hash_of(cookie) < ~0ULL / SAMPLED_ONE_IN;
}

static __always_inline struct sample_set *set_of(__u64 cookie)
{
    __u32 i = hash_of(cookie) >> 32 & (SAMPLE_SETS - 1);
    return bpf_map_lookup_elem(&samples, &i);
}

/* The kernel's verifier would follow every index on a way of its own. */
static __always_inline struct sampled *nth_sample(struct sample_set *set, __u64 n, __u64 cookie)
{
    n ^= cookie;
    asm volatile("" : "+r"(n));
    return &set->each[WITHIN(SAMPLES_IN_SET, n ^ cookie)];
}

static __always_inline struct sampled *find_sample(__u64 cookie)
{
    struct sample_set *set = set_of(cookie);
    __u64 found = SAMPLES_IN_SET;
    if (set == NULL)
        return NULL;
#pragma unroll
    for (__u32 i = 0; i < SAMPLES_IN_SET; i++)
        if (set->each[i].cookie == cookie)
            found = i;
    return found < SAMPLES_IN_SET ? nth_sample(set, found, cookie) : NULL;
}

/* NULL: all of its places are taken, or another CPU has just taken the same one. */
static __always_inline struct sampled *new_sample(__u64 cookie)
{
    struct sample_set *set = set_of(cookie);
    __u64 found = SAMPLES_IN_SET;
    if (set == NULL)
        return NULL;
#pragma unroll
    for (__u32 i = 0; i < SAMPLES_IN_SET; i++)
        if (set->each[i].cookie == 0)
            found = i;
    if (found == SAMPLES_IN_SET)
        return NULL;
    struct sampled *sampled = nth_sample(set, found, cookie);
    return __sync_val_compare_and_swap(&sampled->cookie, 0, cookie) == 0 ? sampled : NULL;
}

/* The logarithm to base 2, without a branch: the number of ones, when all bits below the highest are set. */
static __always_inline __u32 bucket_of(__u64 ns)
{
    __u64 n = ns / SLOT_FIRST_NS;
#pragma unroll
    for (__u32 step = 1; step <= 32; step *= 2)
        n |= n >> step;
    n >>= 1;
    n -= n >> 1 & 0x5555555555555555ULL;
    n = (n & 0x3333333333333333ULL) + (n >> 2 & 0x3333333333333333ULL);
    n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return n * 0x0101010101010101ULL >> 56;
}

static __always_inline void note_stay(struct event_slot *slot, int side, __u32 state, __u64 ns)
{
    add_one(&slot->dwell[SIDE(side)][STATE(state)][WITHIN(SLOT_BUCKETS, bucket_of(ns))]);
    event_count *longest = &slot->longest_ns[SIDE(side)][STATE(state)];
    if (ns > *longest)
        *longest = ns;
}

static __always_inline void begin_sample(struct event_slot *slot, __u64 cookie, __u32 state)
{
    struct sampled *sampled = new_sample(cookie);
    if (sampled != NULL)
        sampled->entered = bpf_ktime_get_ns() << TIME_SHIFT | state;
    else
        add_one(&slot->dropped);
}

/* It leaves `from`, and enters `to`; CLOSE: it ends. */
static __always_inline void move_sample(struct event_slot *slot, int side, struct sampled *sampled,
                                        __u32 from, __u32 to)
{
    __u64 now = bpf_ktime_get_ns(), entered = sampled->entered;
    if ((entered & (SLOT_STATES - 1)) == from)
        note_stay(slot, side, from, now - (entered >> TIME_SHIFT));
    else
        add_one(&slot->holes);
    if (to == CLOSE)
        sampled->cookie = 0;
    else if (to != from)
        sampled->entered = now << TIME_SHIFT | (entered & IS_SMALL) | to;
}

#endif
