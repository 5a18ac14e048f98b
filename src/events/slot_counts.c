#include "events/slot_counts.h"

#include <string.h>

_Static_assert((int)SLOT_SIDES == SIDE_COUNT && (int)SLOT_STATES >= STATE_COUNT &&
                   (int)SLOT_WHYS >= WHY_COUNT,
               "a row for each");
_Static_assert((int)SLOT_BUCKETS >= DWELL_BUCKETS && (int)SLOT_FIRST_NS == DWELL_FIRST_NS,
               "the same buckets");
_Static_assert(sizeof(struct event_slot) % sizeof(event_count) == 0, "nothing but counts");

static const enum tcp_state small_states[SLOT_SMALL] = {
    [SMALL_FIN_WAIT2] = STATE_FIN_WAIT2, [SMALL_TIME_WAIT] = STATE_TIME_WAIT};

static event_count read_count(const event_count *count)
{
    return __atomic_load_n(count, __ATOMIC_RELAXED);
}

void slot_counts_sum(const struct event_slot *slots, size_t count, struct event_slot *sum)
{
    *sum = (struct event_slot){.doubled = 0};
    event_count *sums = (event_count *)sum;
    for (size_t slot = 0; slot < count; slot++) {
        const event_count *counts = (const event_count *)&slots[slot];
        for (size_t i = 0; i < sizeof *sum / sizeof *sums; i++)
            sums[i] += read_count(&counts[i]);
    }
    event_count *longest = &sum->longest_ns[0][0];
    for (size_t i = 0; i < sizeof sum->longest_ns / sizeof *longest; i++) {
        longest[i] = 0;
        for (size_t slot = 0; slot < count; slot++) {
            event_count ns = read_count(&(&slots[slot].longest_ns[0][0])[i]);
            longest[i] = ns > longest[i] ? ns : longest[i];
        }
    }
}

/* CLOSE is passed through. */
static enum tcp_state as_end(int state)
{
    return state == STATE_CLOSE ? STATE_GONE : (enum tcp_state)state;
}

static void tell_full_sockets(const struct event_slot *sum, int side, struct side_transitions *told)
{
    for (int from = 0; from < STATE_COUNT; from++) {
        for (int to = 0; to < STATE_COUNT; to++) {
            /* The listener's clone: the listener itself stays. */
            bool is_clone = from == STATE_LISTEN && to == STATE_SYN_RECV;
            told->moved[is_clone ? STATE_GONE : as_end(from)][to][WHY_ORDERLY] +=
                (int64_t)sum->moved[side][from][to];
        }
        for (int why = 0; why < WHY_COUNT; why++)
            told->moved[as_end(from)][STATE_GONE][why] += (int64_t)sum->ended[side][from][why];
    }
}

/* The full socket that a request becomes is not another one. */
static void tell_requests(const struct event_slot *sum, int side, struct side_transitions *told)
{
    told->moved[STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY] +=
        (int64_t)(sum->request_begun[side] - sum->request_became_socket[side]);
    for (int why = 0; why < WHY_COUNT; why++)
        told->moved[STATE_SYN_RECV][STATE_GONE][why] += (int64_t)sum->request_dropped[side][why];
}

/* Where a small socket takes over, the end of the full one is none. */
static void tell_small_sockets(const struct event_slot *sum, int side, struct side_transitions *told)
{
    for (int from = 0; from < STATE_COUNT; from++)
        for (int small = 0; small < SLOT_SMALL; small++)
            for (int why = 0; why < WHY_COUNT; why++) {
                int64_t begun = (int64_t)sum->small_begun[side][from][small][why];
                told->moved[from][STATE_GONE][why] -= begun;
                if ((int)small_states[small] != from)
                    told->moved[from][small_states[small]][WHY_ORDERLY] += begun;
            }
    told->moved[STATE_FIN_WAIT2][STATE_TIME_WAIT][WHY_ORDERLY] += (int64_t)sum->small_moved[side];
    for (int small = 0; small < SLOT_SMALL; small++)
        for (int why = 0; why < WHY_COUNT; why++)
            told->moved[small_states[small]][STATE_GONE][why] += (int64_t)sum->small_ended[side][small][why];
}

static void tell_now(struct side_transitions *told)
{
    for (int from = 0; from < STATE_COUNT; from++)
        for (int to = 0; to < STATE_COUNT; to++)
            for (int why = 0; why < WHY_COUNT; why++) {
                told->now[from] -= told->moved[from][to][why];
                told->now[to] += told->moved[from][to][why];
            }
    told->now[STATE_GONE] = 0;
}

static void tell_stays(const struct event_slot *sum, int side, struct side_transitions *told)
{
    for (int state = 0; state < STATE_COUNT; state++) {
        struct dwell *dwell = &told->dwell[state];
        for (int i = 0; i < SLOT_BUCKETS; i++)
            dwell->in[i < DWELL_BUCKETS ? i : DWELL_BUCKETS - 1] += (int64_t)sum->dwell[side][state][i];
        dwell->longest_ns = (int64_t)sum->longest_ns[side][state];
    }
}

void slot_counts_tell(const struct event_slot *sum, int64_t skipped, struct transition_counts *counts)
{
    *counts = (struct transition_counts){
        .sampled_one_in = SAMPLED_ONE_IN,
        .resets_sent = (int64_t)sum->resets_sent,
        .resets_received = (int64_t)sum->resets_received,
        .retransmitted = (int64_t)sum->retransmitted,
        .unheard = skipped - (int64_t)(sum->replaced + sum->small_replaced),
        .doubled = (int64_t)sum->doubled,
        .holes = (int64_t)sum->holes,
        .dropped = (int64_t)sum->dropped,
    };
    if (counts->unheard < 0)
        counts->unheard = 0; /* more was heard between both readings */
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct side_transitions *told = &counts->side[side];
        tell_full_sockets(sum, side, told);
        tell_requests(sum, side, told);
        tell_small_sockets(sum, side, told);
        tell_now(told);
        tell_stays(sum, side, told);
    }
}
