#include "model/kept_state.h"

#include "kernel/host_limits.h"

#include <errno.h>

#define SERVER    SIDE_SET(SIDE_SERVER)
#define CLIENT    SIDE_SET(SIDE_CLIENT)
#define IN(state) STATE_SET(STATE_##state)
#define STEP(act, by, on_server, on_client)                                                                  \
    {                                                                                                        \
        (act), (by), {[SIDE_SERVER] = (on_server), [SIDE_CLIENT] = (on_client)}, 0, 0                        \
    }

/* What is said of an end of one side in that state. */
struct state_text {
    const char *summary, *meaning;
};

/* The steps are those for the side that is usual; a side without a text is never in that state. */
struct state_row {
    enum tcp_state state;
    enum side side;
    const char *given_up_by;
    int64_t lasts_at_most_ms;
    enum opening opening;
    struct state_text on[SIDE_COUNT];
    struct order_step steps[ORDER_STEPS_MAX];
};

static const struct state_row rows[] = {
    {.state = STATE_LISTEN,
     .side = SIDE_SERVER,
     .opening = OPENING_LISTENERS,
     .on = {[SIDE_SERVER] = {.summary = "a server waits for connections",
                             .meaning = "socket(), bind() and listen() for each socket. The sockets share "
                                        "ports (SO_REUSEPORT)."}}},
    {.state = STATE_SYN_SENT,
     .side = SIDE_CLIENT,
     .opening = OPENING_UNANSWERED,
     .given_up_by = "net.ipv4.tcp_syn_retries",
     .on = {[SIDE_CLIENT] = {.summary = "the client has asked for a connection, and nobody answers",
                             .meaning = "The listener drops every SYN, as many firewalls do. The client "
                                        "sends it again after 1, 2, 4 ... seconds."}}},
    {.state = STATE_SYN_RECV,
     .side = SIDE_SERVER,
     .opening = OPENING_HALF,
     .given_up_by = "net.ipv4.tcp_synack_retries",
     .on =
         {[SIDE_SERVER] =
              {.summary = "the server has answered, and the client does not receive the answer",
               .meaning =
                   "The client drops the SYN, ACK. The connections stay half-open, as after a SYN flood."}}},
    {.state = STATE_ESTABLISHED,
     .side = SIDE_SERVER,
     .on = {[SIDE_SERVER] = {.summary = "the connection is open",
                             .meaning = "Both ends are open, and neither side closes."},
            [SIDE_CLIENT] = {.summary = "the connection is open",
                             .meaning = "Both ends are open, and neither side closes."}}},
    {.state = STATE_FIN_WAIT1,
     .side = SIDE_SERVER,
     .given_up_by = "net.ipv4.tcp_retries2",
     .on = {[SIDE_SERVER] = {.summary = "the server has sent its FIN, and no ACK comes back",
                             .meaning = "The client drops what it receives, so the FIN is never acknowledged "
                                        "and is sent again and again."},
            [SIDE_CLIENT] = {.summary = "the client has sent its FIN, and no ACK comes back",
                             .meaning = "The server drops what it receives, so the FIN is never acknowledged "
                                        "and is sent again and again."}},
     .steps = {STEP(ACT_DROP, CLIENT, IN(ESTABLISHED), IN(ESTABLISHED)),
               STEP(ACT_SHUTDOWN, SERVER, IN(FIN_WAIT1), IN(ESTABLISHED))}},
    {.state = STATE_FIN_WAIT2,
     .side = SIDE_CLIENT,
     .on = {[SIDE_SERVER] = {.summary = "the server has closed its half, the client has not",
                             .meaning = "The server called shutdown(SHUT_WR) and keeps its descriptor. Then "
                                        "FIN_WAIT2 has no timer."},
            [SIDE_CLIENT] = {.summary = "the client has closed its half, the server has not",
                             .meaning = "The client called shutdown(SHUT_WR) and keeps its descriptor. Then "
                                        "FIN_WAIT2 has no timer."}},
     .steps = {STEP(ACT_SHUTDOWN, CLIENT, IN(CLOSE_WAIT), IN(FIN_WAIT2))}},
    {.state = STATE_CLOSE_WAIT,
     .side = SIDE_SERVER,
     .on = {[SIDE_SERVER] = {.summary = "the client has closed its half, the server has not",
                             .meaning =
                                 "The server owes the close(); no timer of the kernel ends CLOSE_WAIT."},
            [SIDE_CLIENT] = {.summary = "the server has closed its half, the client has not",
                             .meaning =
                                 "The client owes the close(); no timer of the kernel ends CLOSE_WAIT."}},
     .steps = {STEP(ACT_SHUTDOWN, CLIENT, IN(CLOSE_WAIT), IN(FIN_WAIT2))}},
    {.state = STATE_CLOSING,
     .side = SIDE_SERVER,
     .given_up_by = "net.ipv4.tcp_retries2",
     .on = {[SIDE_SERVER] = {.summary = "both have sent a FIN at once, and the last ACK is missing",
                             .meaning = "The client drops what it receives, so the server's FIN never "
                                        "reaches it. It sends its own FIN. The server, in FIN_WAIT1, gets "
                                        "this FIN instead of the ACK, and goes on waiting for the ACK."},
            [SIDE_CLIENT] = {.summary = "both have sent a FIN at once, and the last ACK is missing",
                             .meaning = "The server drops what it receives, so the client's FIN never "
                                        "reaches it. It sends its own FIN. The client, in FIN_WAIT1, gets "
                                        "this FIN instead of the ACK, and goes on waiting for the ACK."}},
     .steps = {STEP(ACT_DROP, CLIENT, IN(ESTABLISHED), IN(ESTABLISHED)),
               STEP(ACT_SHUTDOWN, SERVER, IN(FIN_WAIT1), IN(ESTABLISHED)),
               STEP(ACT_SHUTDOWN, CLIENT, IN(CLOSING), IN(FIN_WAIT1))}},
    {.state = STATE_LAST_ACK,
     .side = SIDE_SERVER,
     .given_up_by = "net.ipv4.tcp_retries2",
     .on = {[SIDE_SERVER] = {.summary = "the server has sent the second FIN, and its ACK is missing",
                             .meaning = "The client closed its half first and then drops what it receives, "
                                        "so the server's FIN is never acknowledged."},
            [SIDE_CLIENT] = {.summary = "the client has sent the second FIN, and its ACK is missing",
                             .meaning = "The server closed its half first and then drops what it receives, "
                                        "so the client's FIN is never acknowledged."}},
     .steps = {STEP(ACT_SHUTDOWN, CLIENT, IN(CLOSE_WAIT), IN(FIN_WAIT2)),
               STEP(ACT_DROP, CLIENT, IN(CLOSE_WAIT), IN(FIN_WAIT2)),
               STEP(ACT_SHUTDOWN, SERVER, IN(LAST_ACK), IN(FIN_WAIT2))}},
    {.state = STATE_TIME_WAIT,
     .side = SIDE_CLIENT,
     .lasts_at_most_ms = TIME_WAIT_LENGTH_MS,
     .on = {[SIDE_SERVER] = {.summary = "both have closed, the server first",
                             .meaning = "The side that closed first keeps the connection's ports for a "
                                        "minute, until late segments have expired. No setting changes that."},
            [SIDE_CLIENT] = {.summary = "both have closed, the client first",
                             .meaning =
                                 "The side that closed first keeps the connection's ports for a minute, "
                                 "until late segments have expired. No setting changes that."}},
     .steps = {STEP(ACT_CLOSE, CLIENT, IN(CLOSE_WAIT), IN(FIN_WAIT2)),
               STEP(ACT_CLOSE, SERVER, IN(GONE), IN(TIME_WAIT))}},
    {.state = STATE_CLOSE,
     .side = SIDE_SERVER,
     .on = {[SIDE_SERVER] = {.summary =
                                 "the client has reset the connection, the server keeps its descriptor",
                             .meaning =
                                 "This is a ghost: the descriptor is open, and its socket is in none of the "
                                 "kernel's tables. Only TCP_INFO on the descriptor itself shows CLOSE."},
            [SIDE_CLIENT] = {.summary =
                                 "the server has reset the connection, the client keeps its descriptor",
                             .meaning =
                                 "This is a ghost: the descriptor is open, and its socket is in none of the "
                                 "kernel's tables. Only TCP_INFO on the descriptor itself shows CLOSE."}},
     .steps = {STEP(ACT_ABORT, CLIENT, IN(GONE), IN(GONE))}},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

enum tcp_state kept_state_at(size_t i)
{
    return i < ROW_COUNT ? rows[i].state : STATE_GONE;
}

static const struct state_row *find_row(enum tcp_state state)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].state == state)
            return &rows[i];
    return NULL;
}

static void mirror(struct order_step *step)
{
    uint32_t on_server = step->expect[SIDE_SERVER];
    if (step->by != BOTH_SIDES)
        step->by = BOTH_SIDES & ~step->by;
    step->expect[SIDE_SERVER] = step->expect[SIDE_CLIENT];
    step->expect[SIDE_CLIENT] = on_server;
}

int kept_state_make(enum tcp_state state, enum side side, struct kept_state *out)
{
    const struct state_row *row = find_row(state);
    if (row == NULL)
        return -EINVAL;
    if (side == SIDE_COUNT)
        side = row->side;
    const struct state_text *text = &row->on[side];
    if (text->summary == NULL)
        return -EINVAL;
    *out = (struct kept_state){
        .state = state,
        .side = side,
        .order = {.name = tcp_state_name(state),
                  .summary = text->summary,
                  .meaning = text->meaning,
                  .opening = row->opening},
        .given_up_by = row->given_up_by,
        .lasts_at_most_ms = row->lasts_at_most_ms,
    };
    for (int i = 0; i < ORDER_STEPS_MAX && row->steps[i].act != ACT_NONE; i++) {
        out->order.steps[i] = row->steps[i];
        if (side != row->side)
            mirror(&out->order.steps[i]);
    }
    return 0;
}

int64_t kept_state_reached(const struct kept_state *kept, const struct histogram sides[SIDE_COUNT])
{
    const struct histogram *side = &sides[kept->side];
    return kept->state == STATE_CLOSE ? side->ghosts : side->of[kept->state];
}
