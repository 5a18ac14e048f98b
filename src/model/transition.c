#include "model/transition.h"

#include <stddef.h>

#define WHY(reason) (1U << WHY_##reason)

/* Both sides have the same arrows, but for `only_passive`: those of a connection that began in SYN_RECV. */
struct arrow {
    enum tcp_state from, to;
    uint32_t why;
    enum transition_kind kind;
    const char *event;
    bool only_passive;
};

#define DRAWN(a, b, what)                                                                                    \
    {                                                                                                        \
        .from = STATE_##a, .to = STATE_##b, .why = WHY(ORDERLY), .kind = TRANSITION_DIAGRAM, .event = (what) \
    }
#define ENDS(a, reason, of, what)                                                                            \
    {                                                                                                        \
        .from = STATE_##a, .to = STATE_GONE, .why = WHY(reason), .kind = TRANSITION_##of, .event = (what)    \
    }

static const struct arrow arrows[] = {
    DRAWN(GONE, LISTEN, "passive OPEN / create TCB"),
    DRAWN(GONE, SYN_SENT, "active OPEN / create TCB, snd SYN"),
    DRAWN(GONE, SYN_RECV, "rcv SYN / snd SYN,ACK"),
    DRAWN(LISTEN, GONE, "CLOSE / delete TCB"),
    DRAWN(LISTEN, SYN_SENT, "SEND / snd SYN"),
    DRAWN(LISTEN, SYN_RECV, "rcv SYN / snd SYN,ACK"),
    DRAWN(SYN_RECV, LISTEN, "rcv RST (note 1)"),
    DRAWN(SYN_RECV, ESTABLISHED, "rcv ACK of SYN"),
    DRAWN(SYN_RECV, FIN_WAIT1, "CLOSE / snd FIN"),
    DRAWN(SYN_SENT, GONE, "CLOSE / delete TCB"),
    DRAWN(SYN_SENT, SYN_RECV, "rcv SYN / snd SYN,ACK"),
    DRAWN(SYN_SENT, ESTABLISHED, "rcv SYN,ACK / snd ACK"),
    DRAWN(ESTABLISHED, FIN_WAIT1, "CLOSE / snd FIN"),
    DRAWN(ESTABLISHED, CLOSE_WAIT, "rcv FIN / snd ACK"),
    DRAWN(FIN_WAIT1, FIN_WAIT2, "rcv ACK of FIN"),
    DRAWN(FIN_WAIT1, CLOSING, "rcv FIN / snd ACK"),
    DRAWN(FIN_WAIT1, TIME_WAIT, "rcv FIN and ACK of FIN / snd ACK (note 2)"),
    DRAWN(FIN_WAIT2, TIME_WAIT, "rcv FIN / snd ACK"),
    DRAWN(CLOSING, TIME_WAIT, "rcv ACK of FIN"),
    DRAWN(CLOSE_WAIT, LAST_ACK, "CLOSE / snd FIN"),
    DRAWN(LAST_ACK, GONE, "rcv ACK of FIN / delete TCB"),
    DRAWN(TIME_WAIT, GONE, "Timeout=2MSL / delete TCB"),

    {STATE_SYN_RECV, STATE_GONE, WHY(RESET), TRANSITION_DIAGRAM, "rcv RST (note 1)", .only_passive = true},
    ENDS(SYN_RECV, RESET, RESET, "rcv RST"),
    ENDS(SYN_SENT, RESET, RESET, "rcv RST"),
    ENDS(ESTABLISHED, RESET, RESET, "rcv RST"),
    ENDS(FIN_WAIT1, RESET, RESET, "rcv RST"),
    ENDS(FIN_WAIT2, RESET, RESET, "rcv RST, or rcv data / snd RST"),
    ENDS(CLOSE_WAIT, RESET, RESET, "rcv RST"),
    ENDS(CLOSING, RESET, RESET, "rcv RST"),
    ENDS(LAST_ACK, RESET, RESET, "rcv RST"),

    ENDS(SYN_RECV, ORDERLY, ABORT, "the listener is closed"),
    ENDS(ESTABLISHED, ORDERLY, ABORT, "ABORT / snd RST"),
    ENDS(CLOSE_WAIT, ORDERLY, ABORT, "ABORT / snd RST"),
    ENDS(FIN_WAIT1, ORDERLY, ABORT, "ABORT / snd RST"),
    ENDS(LAST_ACK, UNACKNOWLEDGED, ABORT, "ABORT, or net.ipv4.tcp_max_orphans"),

    ENDS(SYN_SENT, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(SYN_RECV, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(ESTABLISHED, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(FIN_WAIT1, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(CLOSE_WAIT, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(CLOSING, TIMED_OUT, UNANSWERED, "user timeout"),
    ENDS(LAST_ACK, TIMED_OUT, UNANSWERED, "user timeout"),

    ENDS(FIN_WAIT2, ORDERLY, SHORTENED, "tcp_fin_timeout, tcp_max_tw_buckets, or ABORT / snd RST"),
    ENDS(FIN_WAIT2, TIMED_OUT, SHORTENED, "tcp_fin_timeout"),
    ENDS(TIME_WAIT, RESET, SHORTENED, "rcv RST, or SYN of a next connection"),
    ENDS(CLOSING, ORDERLY, SHORTENED, "tcp_max_tw_buckets"),
};

static const struct arrow *find_arrow(enum side side, enum tcp_state from, enum tcp_state to,
                                      enum transition_why why)
{
    for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++) {
        const struct arrow *arrow = &arrows[i];
        bool is_meant = !arrow->only_passive || side == SIDE_SERVER;
        if (arrow->from == from && arrow->to == to && (arrow->why & 1U << why) != 0 && is_meant)
            return arrow;
    }
    return NULL;
}

enum transition_kind transition_kind(enum side side, enum tcp_state from, enum tcp_state to,
                                     enum transition_why why, bool sees_small)
{
    const struct arrow *arrow = find_arrow(side, from, to, why);
    if (arrow == NULL)
        return TRANSITION_OUTSIDE;
    bool may_go_on = arrow->kind == TRANSITION_SHORTENED && why == WHY_ORDERLY;
    return may_go_on && !sees_small ? TRANSITION_UNSEEN : arrow->kind;
}

const char *transition_event(enum side side, enum tcp_state from, enum tcp_state to, enum transition_why why)
{
    const struct arrow *arrow = find_arrow(side, from, to, why);
    return arrow != NULL ? arrow->event : "";
}

const char *transition_kind_name(enum transition_kind kind)
{
    static const char *const names[] = {
        [TRANSITION_DIAGRAM] = "diagram",     [TRANSITION_RESET] = "reset",
        [TRANSITION_ABORT] = "abort",         [TRANSITION_UNANSWERED] = "unanswered",
        [TRANSITION_SHORTENED] = "shortened", [TRANSITION_UNSEEN] = "unseen",
        [TRANSITION_OUTSIDE] = "outside",
    };
    _Static_assert(sizeof names / sizeof names[0] == TRANSITION_KINDS, "one name per kind");
    return names[kind];
}

const char *transition_why_name(enum transition_why why)
{
    static const char *const names[] = {[WHY_ORDERLY] = "orderly",
                                        [WHY_RESET] = "reset",
                                        [WHY_TIMED_OUT] = "timed-out",
                                        [WHY_DESTROYED] = "destroyed",
                                        [WHY_UNACKNOWLEDGED] = "unacknowledged"};
    _Static_assert(sizeof names / sizeof names[0] == WHY_COUNT, "one name per reason");
    return names[why];
}

/* ---- sums ---- */

int64_t transitions_between(const struct side_transitions *side, enum tcp_state from, enum tcp_state to)
{
    int64_t sum = 0;
    for (int why = 0; why < WHY_COUNT; why++)
        sum += side->moved[from][to][why];
    return sum;
}

int64_t transitions_of_kind(const struct transition_counts *counts, enum transition_kind kind,
                            bool sees_small)
{
    int64_t sum = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++)
                    if (transition_kind((enum side)side, (enum tcp_state)from, (enum tcp_state)to,
                                        (enum transition_why)why, sees_small) == kind)
                        sum += counts->side[side].moved[from][to][why];
    return sum;
}

int64_t transitions_in_all(const struct transition_counts *counts)
{
    int64_t sum = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                sum += transitions_between(&counts->side[side], (enum tcp_state)from, (enum tcp_state)to);
    return sum;
}

/* ---- what came since ---- */

/* The most that a time of the longest bucket in use can be. */
static int64_t longest_bucket_ns(const struct dwell *dwell)
{
    int longest = DWELL_BUCKETS - 1;
    while (longest > 0 && dwell->in[longest] <= 0)
        longest--;
    return dwell->in[longest] > 0 ? (int64_t)DWELL_FIRST_NS << (longest + 1) : 0;
}

static void subtract_dwell(struct dwell *dwell, const struct dwell *before)
{
    for (int i = 0; i < DWELL_BUCKETS; i++)
        dwell->in[i] -= before->in[i];
    int64_t at_most = longest_bucket_ns(dwell);
    if (dwell->longest_ns == before->longest_ns && dwell->longest_ns > at_most)
        dwell->longest_ns = at_most;
    if (at_most == 0)
        dwell->longest_ns = 0;
}

static void subtract_side(struct side_transitions *side, const struct side_transitions *before)
{
    for (int from = 0; from < STATE_COUNT; from++) {
        for (int to = 0; to < STATE_COUNT; to++)
            for (int why = 0; why < WHY_COUNT; why++)
                side->moved[from][to][why] -= before->moved[from][to][why];
        side->now[from] -= before->now[from];
        subtract_dwell(&side->dwell[from], &before->dwell[from]);
    }
}

struct transition_counts transitions_since(const struct transition_counts *now,
                                           const struct transition_counts *before)
{
    struct transition_counts since = *now;
    for (int side = 0; side < SIDE_COUNT; side++)
        subtract_side(&since.side[side], &before->side[side]);
    since.resets_sent -= before->resets_sent;
    since.resets_received -= before->resets_received;
    since.retransmitted -= before->retransmitted;
    since.unheard -= before->unheard;
    since.doubled -= before->doubled;
    since.holes -= before->holes;
    since.dropped -= before->dropped;
    return since;
}

static void add_side(struct side_transitions *to, const struct side_transitions *from)
{
    for (int state = 0; state < STATE_COUNT; state++) {
        for (int next = 0; next < STATE_COUNT; next++)
            for (int why = 0; why < WHY_COUNT; why++)
                to->moved[state][next][why] += from->moved[state][next][why];
        to->now[state] += from->now[state];
        for (int i = 0; i < DWELL_BUCKETS; i++)
            to->dwell[state].in[i] += from->dwell[state].in[i];
        if (from->dwell[state].longest_ns > to->dwell[state].longest_ns)
            to->dwell[state].longest_ns = from->dwell[state].longest_ns;
    }
}

void transitions_add(struct transition_counts *to, const struct transition_counts *from)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        add_side(&to->side[side], &from->side[side]);
    to->sampled_one_in = from->sampled_one_in;
    to->resets_sent += from->resets_sent;
    to->resets_received += from->resets_received;
    to->retransmitted += from->retransmitted;
    to->unheard += from->unheard;
    to->doubled += from->doubled;
    to->holes += from->holes;
    to->dropped += from->dropped;
}
