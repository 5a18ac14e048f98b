#include "view/ends_text.h"

#include <stdbool.h>

const char *state_words(enum tcp_state state)
{
    static const char *const words[STATE_COUNT] = {
        [STATE_GONE] = "no socket is left in the kernel's tables",
        [STATE_ESTABLISHED] = "open; either side may send, either may close",
        [STATE_SYN_SENT] = "asked for a connection; no answer yet",
        [STATE_SYN_RECV] = "answered; the handshake is not complete",
        [STATE_FIN_WAIT1] = "closed here; not acknowledged by the other kernel yet",
        [STATE_FIN_WAIT2] = "closed here; the other side has not called close()",
        [STATE_TIME_WAIT] = "closed on both sides; kept until late segments are dead",
        [STATE_CLOSE] = "not connected",
        [STATE_CLOSE_WAIT] = "the other side has closed; this side owes a close()",
        [STATE_LAST_ACK] = "closed last; not acknowledged by the other kernel yet",
        [STATE_LISTEN] = "waits for connections",
        [STATE_CLOSING] = "both sides closed at once; the last acknowledgement is missing",
    };
    return words[state];
}

void ends_print(FILE *out, const struct connection *connection, const struct end_sight ends[SIDE_COUNT],
                enum side first)
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = i == 0 ? first : side_other(first), other = side_other(side);
        const char *state = tcp_state_name(ends[side].state);
        fprintf(out, "%s:%u %s:%u %s\n", address_text(&connection->address[side]).text,
                connection->port[side], address_text(&connection->address[other]).text,
                connection->port[other], state);
        fprintf(out, "  %s  %s: %s\n", side_name(side), state, state_words(ends[side].state));
    }
}

static bool went(const struct end_sight *before, const struct end_sight *after, enum tcp_state from,
                 enum tcp_state to)
{
    return before->state == from && after->state == to;
}

const char *change_words(const struct end_sight before[SIDE_COUNT], const struct end_sight after[SIDE_COUNT])
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        int other = (int)side_other((enum side)i);
        if (went(&before[i], &after[i], STATE_FIN_WAIT2, STATE_GONE) &&
            after[other].state == STATE_CLOSE_WAIT)
            return "FIN_WAIT2 has ended: nobody has the descriptor any more, and the kernel waits no longer "
                   "than "
                   "net.ipv4.tcp_fin_timeout. CLOSE_WAIT has no timer: it stays until its process closes.";
        if (went(&before[i], &after[i], STATE_CLOSE_WAIT, STATE_GONE) && before[other].state == STATE_GONE)
            return "No TIME_WAIT follows: the other end had left after net.ipv4.tcp_fin_timeout, so this "
                   "late FIN was "
                   "answered by RST.";
        if (went(&before[i], &after[i], STATE_TIME_WAIT, STATE_GONE))
            return "TIME_WAIT is over after 60 s: the connection has left the kernel's tables.";
        if (went(&before[i], &after[i], STATE_ESTABLISHED, STATE_GONE) &&
            went(&before[other], &after[other], STATE_ESTABLISHED, STATE_GONE))
            return "Both ends left at once: the connection was reset (RST), and no TIME_WAIT follows.";
    }
    return NULL;
}

struct countdown countdown_text(const struct end_sight ends[SIDE_COUNT])
{
    struct countdown out = {""};
    for (int side = 0; side < SIDE_COUNT; side++)
        if (ends[side].ends_in_ms >= 0)
            snprintf(out.text, sizeof out.text, "%s on the %s: %lld s left", tcp_state_name(ends[side].state),
                     side_name((enum side)side), (long long)(ends[side].ends_in_ms + 999) / 1000);
    return out;
}
