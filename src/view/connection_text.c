#include "view/connection_text.h"

#include "base/text.h"
#include "base/wrap.h"

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
        [STATE_CLOSING] = "both sides closed at once; the last ACK is missing",
    };
    return words[state];
}

void connection_print_meaning(FILE *out, enum side side, enum tcp_state state, int width)
{
    char text[128];
    snprintf(text, sizeof text, "%s  %s: %s", side_name(side), tcp_state_name(state), state_words(state));
    wrap_print(out, text, 2, width);
}

void connection_print(FILE *out, const struct connection *connection, const struct end_sight ends[SIDE_COUNT],
                      enum side first, int width)
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = i == 0 ? first : side_other(first), other = side_other(side);
        fprintf(out, "%s:%u %s:%u %s\n", address_text(&connection->address[side]).text,
                connection->port[side], address_text(&connection->address[other]).text,
                connection->port[other], tcp_state_name(ends[side].state));
        connection_print_meaning(out, side, ends[side].state, width);
    }
}

/* What can be seen to happen to an end and to the other one between two looks, and what it means: the first
 * row that fits both. A bit a state. */
struct change {
    uint32_t was, is, other_was, other_is;
    const char *words;
};

#define IN(state) STATE_SET(STATE_##state)
#define ANY       (~0U)
#define ALIVE     (~(IN(GONE) | IN(TIME_WAIT)))

static const struct change changes[] = {
    {IN(FIN_WAIT2), IN(GONE), ANY, IN(CLOSE_WAIT),
     "FIN_WAIT2 has ended: no process has the descriptor any more, and the kernel waits no longer than "
     "net.ipv4.tcp_fin_timeout. CLOSE_WAIT has no timer: it stays until its process calls close()."},
    {IN(CLOSE_WAIT), IN(GONE), IN(GONE), IN(GONE),
     "No TIME_WAIT follows: the other end had left after net.ipv4.tcp_fin_timeout, so this late FIN was "
     "answered by an RST."},
    {IN(TIME_WAIT), IN(GONE), ANY, ANY, "TIME_WAIT is over: the connection has left the kernel's tables."},
    {ALIVE, IN(GONE), ALIVE, IN(GONE),
     "Both ends left at once, without TIME_WAIT: the connection was reset (RST)."},
};

static bool fits(const struct change *change, const struct end_sight before[SIDE_COUNT],
                 const struct end_sight after[SIDE_COUNT], enum side side)
{
    enum side other = side_other(side);
    return state_set_has(change->was, before[side].state) && state_set_has(change->is, after[side].state) &&
           state_set_has(change->other_was, before[other].state) &&
           state_set_has(change->other_is, after[other].state);
}

const char *change_words(const struct end_sight before[SIDE_COUNT], const struct end_sight after[SIDE_COUNT])
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        for (int side = 0; side < SIDE_COUNT; side++)
            if (fits(&changes[i], before, after, (enum side)side))
                return changes[i].words;
    return NULL;
}

struct countdown countdown_text(const struct end_sight ends[SIDE_COUNT])
{
    struct countdown out = {""};
    for (int side = 0; side < SIDE_COUNT; side++)
        if (ends[side].ends_in_ms >= 0)
            TEXT_ADD(out.text, "%s%s on the %s: %lld s left", out.text[0] != '\0' ? ", " : "",
                     tcp_state_name(ends[side].state), side_name((enum side)side),
                     (long long)(ends[side].ends_in_ms + 999) / 1000);
    return out;
}
