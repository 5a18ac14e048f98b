#include "view/ladder.h"

#include <stdbool.h>
#include <string.h>

/* 76 columns beside the indent: two ends, and between their states an arrow. */
enum {
    END_WIDTH = 25,
    ARROW_WIDTH = 26,
    ARROW_AT = 14,
    ARROW_LENGTH = 2 * END_WIDTH + ARROW_WIDTH - 2 * ARROW_AT
};

static int add(struct segment *segments, int count, enum side from, const char *flags)
{
    segments[count] = (struct segment){from, flags};
    return count + 1;
}

/* How far each opening comes, and by which calls. */
static const struct opening_row {
    int segments; /* of SYN; SYN, ACK; ACK */
    const char *calls[SIDE_COUNT];
} openings[] = {
    [OPENING_FULL] = {3, {[SIDE_SERVER] = "accept()", [SIDE_CLIENT] = "connect()"}},
    [OPENING_NARROW] = {3, {[SIDE_SERVER] = "accept()", [SIDE_CLIENT] = "connect()"}},
    [OPENING_UNACCEPTED] = {3, {[SIDE_SERVER] = "", [SIDE_CLIENT] = "connect()"}},
    [OPENING_UNANSWERED] = {1, {[SIDE_SERVER] = "", [SIDE_CLIENT] = "connect()"}},
    [OPENING_HALF] = {2, {[SIDE_SERVER] = "", [SIDE_CLIENT] = "connect()"}},
    [OPENING_LISTENERS] = {0, {[SIDE_SERVER] = "listen()", [SIDE_CLIENT] = ""}},
};

int ladder_opening(enum opening opening, struct segment segments[SEGMENTS_MAX])
{
    static const struct segment handshake[] = {
        {SIDE_CLIENT, "SYN"}, {SIDE_SERVER, "SYN, ACK"}, {SIDE_CLIENT, "ACK"}};
    for (int i = 0; i < openings[opening].segments; i++)
        segments[i] = handshake[i];
    return openings[opening].segments;
}

const char *ladder_opening_call(enum opening opening, enum side side)
{
    return openings[opening].calls[side];
}

static bool has_socket(const struct end_sight *end)
{
    return end->state != STATE_GONE && end->state != STATE_TIME_WAIT;
}

static bool waits_for_ack(const struct end_sight *end)
{
    return (STATE_SET(end->state) &
            (STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_CLOSING) | STATE_SET(STATE_LAST_ACK))) != 0;
}

static bool are_both_gone(const struct end_sight ends[SIDE_COUNT])
{
    return ends[SIDE_SERVER].state == STATE_GONE && ends[SIDE_CLIENT].state == STATE_GONE;
}

/* One side sends its last: a FIN that is acknowledged, a FIN into nothing that is answered by RST, or an RST.
 */
static int closing_segments(enum side by, const struct end_sight before[SIDE_COUNT],
                            const struct end_sight after[SIDE_COUNT], struct segment *segments)
{
    enum side other = side_other(by);
    if (!has_socket(&before[by]))
        return 0;
    if (before[by].state == STATE_ESTABLISHED && are_both_gone(after))
        return add(segments, 0, by, "RST");
    int n = add(segments, 0, by, "FIN");
    if (waits_for_ack(&after[by]))
        return n;
    return add(segments, n, other, before[other].state == STATE_GONE ? "RST" : "ACK");
}

/* Both FINs, and an ACK each; the side without TIME_WAIT was second. */
static int both_closing_segments(const struct end_sight after[SIDE_COUNT], struct segment *segments)
{
    enum side first = after[SIDE_SERVER].state == STATE_TIME_WAIT ? SIDE_SERVER : SIDE_CLIENT;
    bool crossed = after[SIDE_SERVER].state == after[SIDE_CLIENT].state;
    int n = add(segments, 0, first, "FIN");
    n = add(segments, n, side_other(first), crossed ? "FIN" : "FIN, ACK");
    n = add(segments, n, first, "ACK");
    return crossed ? add(segments, n, side_other(first), "ACK") : n;
}

/* Where the other end is still there, a SYN is taken for one of the old connection: it is answered by a
 * challenge ACK (RFC 5961, section 4), which the new one resets. */
static int reconnecting_segments(enum side by, const struct end_sight before[SIDE_COUNT],
                                 struct segment *segments)
{
    enum side other = side_other(by);
    int n = 0;
    if (has_socket(&before[other])) {
        n = add(segments, n, by, "SYN");
        n = add(segments, n, other, "ACK");
        n = add(segments, n, by, "RST");
    }
    n = add(segments, n, by, "SYN");
    n = add(segments, n, other, "SYN, ACK");
    return add(segments, n, by, "ACK");
}

int ladder_segments(const struct order_step *step, const struct end_sight before[SIDE_COUNT],
                    const struct end_sight after[SIDE_COUNT], struct segment segments[SEGMENTS_MAX])
{
    enum side by = step->by == SIDE_SET(SIDE_SERVER) ? SIDE_SERVER : SIDE_CLIENT;
    switch (step->act) {
    case ACT_OPEN:
        return ladder_opening(OPENING_FULL, segments);
    case ACT_WRITE:
    case ACT_FILL:
        return add(segments, add(segments, 0, by, "data"), side_other(by), "ACK");
    case ACT_FINISH:
        return add(segments, add(segments, 0, by, "data, FIN"), side_other(by), "ACK");
    case ACT_CLOSE:
    case ACT_SHUTDOWN:
    case ACT_ABORT:
    case ACT_CRASH: /* the kernel closes for it */
        return step->by == BOTH_SIDES ? both_closing_segments(after, segments)
                                      : closing_segments(by, before, after, segments);
    case ACT_UNLISTEN:
        return add(segments, 0, by, "RST");
    case ACT_RECONNECT:
        return reconnecting_segments(by, before, segments);
    case ACT_NONE:
    case ACT_READ:
    case ACT_DROP:
    case ACT_UNDROP:
    case ACT_VANISH:
    case ACT_WAIT:
    case ACT_LINGER: /* its FIN waits behind data that the window holds up */
    case ACT_COUNT:
        break;
    }
    return 0;
}

/* Left-aligned on the left, right-aligned on the right. */
static void put_row(const struct ladder *ladder, const char *client, const char *server)
{
    if (*server == '\0')
        fprintf(ladder->out, "  %s\n", client);
    else
        fprintf(ladder->out, "  %-*s%*s\n", END_WIDTH, client, ARROW_WIDTH + END_WIDTH, server);
}

static void put_line(const struct ladder *ladder, int length)
{
    for (int i = 0; i < length; i++)
        fputs(ladder->feel.utf8 ? "─" : "-", ladder->out);
}

static void put_arrow(const struct ladder *ladder, const struct segment *segment)
{
    int width = ARROW_LENGTH - 2;
    int label = (int)strlen(segment->flags) + 2, left = (width - label) / 2;
    bool rightwards = segment->from == SIDE_CLIENT;
    fprintf(ladder->out, "  %*s", ARROW_AT, "");
    fputs(rightwards ? "" : ladder->feel.utf8 ? "◀" : "<", ladder->out);
    put_line(ladder, left);
    fprintf(ladder->out, " %s ", segment->flags);
    put_line(ladder, width - label - left);
    fputs(rightwards ? (ladder->feel.utf8 ? "▶" : ">") : "", ladder->out);
    fputc('\n', ladder->out);
}

static void put_end_name(char *text, size_t size, const struct connection *connection, enum side side)
{
    snprintf(text, size, "%s:%u", address_text(&connection->address[side]).text, connection->port[side]);
}

void ladder_head(const struct ladder *ladder, const struct connection *connection)
{
    char client[64], server[64];
    put_end_name(client, sizeof client, connection, SIDE_CLIENT);
    put_end_name(server, sizeof server, connection, SIDE_SERVER);
    put_row(ladder, "client", "server");
    put_row(ladder, client, server);
    fputc('\n', ladder->out);
}

const char *ladder_call(const struct order_step *step, enum side side)
{
    if (step->act == ACT_OPEN)
        return ladder_opening_call(OPENING_FULL, side);
    return order_step_is_by(step, side) ? act_call(step->act) : "";
}

void ladder_step(const struct ladder *ladder, const struct order_step *step,
                 const struct end_sight before[SIDE_COUNT], const struct end_sight after[SIDE_COUNT])
{
    struct segment segments[SEGMENTS_MAX];
    int count = ladder_segments(step, before, after, segments);
    put_row(ladder, ladder_call(step, SIDE_CLIENT), ladder_call(step, SIDE_SERVER));
    for (int i = 0; i < count; i++)
        put_arrow(ladder, &segments[i]);
    if (count == 0)
        fprintf(ladder->out, "  %*s(nothing is sent)\n", ARROW_AT, "");
    put_row(ladder, tcp_state_name(after[SIDE_CLIENT].state), tcp_state_name(after[SIDE_SERVER].state));
    fputc('\n', ladder->out);
}
