#include "model/close_order.h"

#include "base/nearest.h"
#include "base/text.h"
#include "kernel/host_limits.h"

#include <stdio.h>
#include <string.h>

#define SERVER    SIDE_SET(SIDE_SERVER)
#define CLIENT    SIDE_SET(SIDE_CLIENT)
#define IN(state) STATE_SET(STATE_##state)
#define EXPECT(on_server, on_client)                                                                         \
    {                                                                                                        \
        [SIDE_SERVER] = (on_server), [SIDE_CLIENT] = (on_client)                                             \
    }

static const struct {
    const char *name;
    struct order_step step;
} openings[] = {
    [OPENING_FULL] = {.name = "full",
                      .step = {.act = ACT_OPEN,
                               .by = CLIENT,
                               .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))}},
    [OPENING_NARROW] = {.name = "narrow",
                        .step = {.act = ACT_OPEN,
                                 .by = CLIENT,
                                 .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))}},
    [OPENING_UNACCEPTED] = {.name = "unaccepted",
                            .step = {.act = ACT_OPEN,
                                     .by = CLIENT,
                                     .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))}},
    [OPENING_UNANSWERED] = {.name = "unanswered",
                            .step = {.act = ACT_OPEN,
                                     .by = CLIENT,
                                     .expect = EXPECT(IN(GONE), IN(SYN_SENT))}},
    [OPENING_HALF] = {.name = "half",
                      .step = {.act = ACT_OPEN, .by = CLIENT, .expect = EXPECT(IN(SYN_RECV), IN(SYN_SENT))}},
    [OPENING_LISTENERS] = {.name = "listeners",
                           .step = {.act = ACT_OPEN, .by = SERVER, .expect = EXPECT(IN(LISTEN), IN(GONE))}},
};
_Static_assert(sizeof openings / sizeof openings[0] == OPENING_COUNT, "one row per opening");

const char *opening_name(enum opening opening)
{
    return openings[opening].name;
}

enum opening opening_parse(const char *name)
{
    int i = 0;
    while (i < OPENING_COUNT && strcmp(openings[i].name, name) != 0)
        i++;
    return (enum opening)i;
}

bool opening_is_accepted(enum opening opening)
{
    return opening == OPENING_FULL || opening == OPENING_NARROW;
}

static const struct close_order orders[] = {
    {
        .name = "server-first",
        .summary = "the server closes, the client closes later",
        .meaning =
            "The side that closes first waits: FIN_WAIT2 until the other side closes too, then TIME_WAIT. "
            "Until the client calls close(), its end is in CLOSE_WAIT.",
        .steps = {{.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(FIN_WAIT2), IN(CLOSE_WAIT))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(TIME_WAIT), IN(GONE))}},
    },
    {
        .name = "client-first",
        .summary = "the client closes, the server closes later",
        .meaning = "Until the server calls close(), its end is in CLOSE_WAIT; TIME_WAIT stays on the client, "
                   "which closed first.",
        .steps = {{.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(TIME_WAIT))}},
    },
    {
        .name = "half-close",
        .summary =
            "the client shuts its half down, the server still sends, then closes; the client closes last",
        .meaning =
            "shutdown(SHUT_WR) sends a FIN but keeps the descriptor: CLOSE_WAIT on the server is not a leak "
            "while it still has data to send. The client's close() comes last and sends nothing.",
        .steps = {{.act = ACT_SHUTDOWN, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_WRITE, .by = SERVER, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_READ, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(TIME_WAIT))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(TIME_WAIT))}},
    },
    {
        .name = "never-close",
        .summary = "nobody closes",
        .meaning = "Both ends stay ESTABLISHED and both descriptors are leaked until the process ends.",
    },
    {
        .name = "leak",
        .summary = "the client closes, the server never does",
        .meaning =
            "The classic leak: the server's end stays in CLOSE_WAIT, with its descriptor, for as long as "
            "the process lives. No timer ends it.",
        .steps = {{.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))}},
    },
    {
        .name = "simultaneous",
        .summary = "both sides close at once",
        .meaning = "The server closes from its first connection on, the client from its last. The side whose "
                   "FIN leaves first keeps TIME_WAIT; both sides do if the two FINs cross (CLOSING).",
        .steps = {{.act = ACT_CLOSE,
                   .by = SERVER | CLIENT,
                   .expect = EXPECT(IN(TIME_WAIT) | IN(GONE), IN(TIME_WAIT) | IN(GONE)),
                   .time_wait_min = 1,
                   .time_wait_max = 2}},
    },
    {
        .name = "abort",
        .summary = "the client resets the connection, the server closes its dead descriptors",
        .meaning =
            "close() with SO_LINGER 0 sends RST: both ends leave the kernel's tables at once, without "
            "TIME_WAIT. The server's descriptors stay open, without a connection, until it closes them.",
        .steps = {{.act = ACT_ABORT, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(GONE))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(GONE))}},
    },
    {
        .name = "unread",
        .summary = "the client writes, the server closes without reading, then the client closes",
        .meaning = "close() with unread data sends an RST instead of a FIN: the client's connection is reset "
                   "and nobody keeps TIME_WAIT.",
        .steps = {{.act = ACT_WRITE, .by = CLIENT, .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(GONE))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(GONE))}},
    },
    {
        .name = "fin-with-data",
        .summary =
            "the client's last data and its FIN come in one segment, the server reads and closes later",
        .meaning = "The recv() that reads the data consumes the FIN too: Recv-Q falls from the data plus 1 "
                   "to 0, although the server has never seen recv() return 0. In CLOSE_WAIT, Recv-Q 0 does "
                   "not prove that EOF was read.",
        .steps = {{.act = ACT_FINISH, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_READ, .by = SERVER, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(TIME_WAIT))}},
    },
    {
        .name = "linger-timeout",
        .summary = "the client does not read, the server's close() lingers in vain, then the client closes",
        .meaning =
            "close() with SO_LINGER 1 returns 0 after 1 s. It sends no RST: the kernel keeps the socket in "
            "FIN_WAIT1, with its FIN behind data that the client's closed window holds back, and probes the "
            "window for minutes. The client's close() with unread data ends it with an RST.",
        .opening = OPENING_NARROW,
        .steps = {{.act = ACT_FILL, .by = SERVER, .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))},
                  {.act = ACT_LINGER, .by = SERVER, .expect = EXPECT(IN(FIN_WAIT1), IN(ESTABLISHED))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(GONE))}},
    },
    {
        .name = "server-crash",
        .summary = "the server is killed, the client closes later",
        .meaning = "When a process is killed, the kernel closes all its sockets and sends the FINs. To the "
                   "client, and in the kernel's tables, this looks like server-first.",
        .steps = {{.act = ACT_CRASH, .by = SERVER, .expect = EXPECT(IN(FIN_WAIT2), IN(CLOSE_WAIT))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(TIME_WAIT), IN(GONE))}},
    },
    {
        .name = "client-crash",
        .summary = "the client is killed, the server closes later",
        .meaning = "When a process is killed, the kernel closes all its sockets and sends the FINs, and the "
                   "server owes its close() as if the client had closed.",
        .steps = {{.act = ACT_CRASH, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(TIME_WAIT))}},
    },
    {
        .name = "backlog",
        .summary = "the server never accepts, the client closes",
        .meaning =
            "The kernel completes the handshakes by itself and queues them. When the client closes, its FIN "
            "makes them CLOSE_WAIT, and no process has a descriptor to close.",
        .opening = OPENING_UNACCEPTED,
        .steps = {{.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))}},
    },
    {
        .name = "listener-close",
        .summary = "the server never accepts and closes its listener, then the client closes",
        .meaning = "The accept queue goes with its listener: the kernel resets every connection in it. "
                   "Clients that were connected, and may have sent their request, get an RST.",
        .opening = OPENING_UNACCEPTED,
        .needs = {.must_move = true, .counter = COUNTER_OUT_RSTS},
        .steps = {{.act = ACT_UNLISTEN, .by = SERVER, .expect = EXPECT(IN(GONE), IN(GONE))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(GONE))}},
    },
    {
        .name = "vanish",
        .summary = "the client stops answering, then the server closes",
        .meaning = "Nothing that the server sends is acknowledged: it stays in FIN_WAIT1 and sends its FIN "
                   "again and "
                   "again, as to a machine without power. The client has not noticed.",
        .steps = {{.act = ACT_DROP, .by = CLIENT, .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(FIN_WAIT1), IN(ESTABLISHED))}},
    },
    {
        .name = "forgotten",
        .summary = "the network forgets idle connections, then the server writes, fails and closes",
        .meaning = "As behind a NAT or a load balancer that has dropped them. The kernel retransmits what "
                   "the server writes until net.ipv4.tcp_retries2 is used up (15 by default: 15 minutes or "
                   "more); then recv() fails with ETIMEDOUT, and only the descriptors are left. The client "
                   "notices nothing: without keep-alive it stays ESTABLISHED forever.",
        .needs = {.sysctl = "net.ipv4.tcp_retries2",
                  .value = 2,
                  .must_move = true,
                  .counter = COUNTER_ABORT_ON_TIMEOUT},
        .clock = CLOCK_RETRANSMISSION,
        .steps = {{.act = ACT_DROP,
                   .by = SERVER | CLIENT,
                   .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))},
                  {.act = ACT_WRITE, .by = SERVER, .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))},
                  {.act = ACT_WAIT, .by = 0, .expect = EXPECT(IN(GONE), IN(ESTABLISHED))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(ESTABLISHED))}},
    },
    {
        .name = "late-close",
        .summary = "the server closes, the client closes after tcp_fin_timeout",
        .meaning = "The kernel waits for the second FIN no longer than net.ipv4.tcp_fin_timeout. A later FIN "
                   "finds no socket and is answered by an RST: no TIME_WAIT follows.",
        .needs = {.sysctl = "net.ipv4.tcp_fin_timeout", .value = 3},
        .steps = {{.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(FIN_WAIT2), IN(CLOSE_WAIT))},
                  /* Where the ACK came while close() still had the socket, FIN_WAIT2 ends by an RST instead
                   * (tcp_rcv_state_process, tcp_keepalive_timer): some 2 in 10,000. */
                  {.act = ACT_WAIT, .by = 0, .expect = EXPECT(IN(GONE), IN(CLOSE_WAIT) | IN(GONE))},
                  {.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(GONE), IN(GONE))}},
    },
    {
        .name = "port-comes-round",
        .summary = "the server leaks, and later the client connects again from the same port",
        .meaning = "CLOSE_WAIT occupies its ports too. A SYN from the same port is answered by a challenge "
                   "ACK; the client answers that with an RST, which ends the old connection, and a second "
                   "SYN opens the new one. From then on the leaked descriptor is a ghost.",
        .needs = {.sysctl = "net.ipv4.tcp_fin_timeout",
                  .value = 3,
                  .must_move = true,
                  .counter = COUNTER_SYN_CHALLENGE},
        .steps = {{.act = ACT_CLOSE, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_WAIT,
                   .by = 0,
                   .expect = EXPECT(IN(CLOSE_WAIT) | IN(GONE), IN(GONE))}, /* likewise */
                  {.act = ACT_RECONNECT, .by = CLIENT, .expect = EXPECT(IN(ESTABLISHED), IN(ESTABLISHED))}},
    },
    {
        .name = "time-wait-overflow",
        .summary = "more connections end than net.ipv4.tcp_max_tw_buckets keeps in TIME_WAIT",
        .meaning = "Connections that do not fit leave at once, without TIME_WAIT: a late segment of one "
                   "could be taken for part of the next connection on the same ports.",
        .needs = {.sysctl = "net.ipv4.tcp_max_tw_buckets",
                  .is_half = true,
                  .must_move = true,
                  .counter = COUNTER_TIME_WAIT_OVERFLOW},
        .steps = {{.act = ACT_SHUTDOWN, .by = CLIENT, .expect = EXPECT(IN(CLOSE_WAIT), IN(FIN_WAIT2))},
                  {.act = ACT_CLOSE, .by = SERVER, .expect = EXPECT(IN(GONE), IN(TIME_WAIT) | IN(GONE))}},
    },
};

enum { ORDER_COUNT = sizeof orders / sizeof orders[0] };

const struct close_order *close_order_at(size_t i)
{
    return i < ORDER_COUNT ? &orders[i] : NULL;
}

const struct close_order *close_order_find(const char *name)
{
    for (size_t i = 0; i < ORDER_COUNT; i++)
        if (strcmp(orders[i].name, name) == 0)
            return &orders[i];
    return NULL;
}

static const char *order_name_at(const void *unused, size_t i)
{
    (void)unused;
    return i < ORDER_COUNT ? orders[i].name : NULL;
}

const char *close_order_nearest(const char *name)
{
    return nearest_word(name, order_name_at, NULL);
}

int order_step_count(const struct close_order *order)
{
    int count = 0;
    while (count < ORDER_STEPS_MAX && order->steps[count].act != ACT_NONE)
        count++;
    return count + 1;
}

const struct order_step *order_step_at(const struct close_order *order, int step)
{
    return step == 0 ? &openings[order->opening].step : &order->steps[step - 1];
}

bool order_needs_filter(const struct close_order *order)
{
    bool needs = order->opening == OPENING_UNANSWERED || order->opening == OPENING_HALF;
    for (int i = 1; i < order_step_count(order); i++)
        needs |= order_step_at(order, i)->act == ACT_DROP;
    return needs;
}

bool order_reconnects(const struct close_order *order)
{
    bool does = false;
    for (int i = 1; i < order_step_count(order); i++)
        does |= order_step_at(order, i)->act == ACT_RECONNECT;
    return does;
}

static bool leaves_closed(const struct close_order *order, uint32_t states)
{
    bool leaves = false;
    int closing;
    for (int i = 1; i < order_step_count(order); i++)
        for (int side = 0; side < SIDE_COUNT; side++)
            leaves |= (order_step_at(order, i)->expect[side] & states) != 0 &&
                      order_side_closed(order, i, (enum side)side, &closing);
    return leaves;
}

bool order_leaves_orphans(const struct close_order *order)
{
    return leaves_closed(order, IN(FIN_WAIT1) | IN(LAST_ACK) | IN(CLOSING));
}

bool order_leaves_fin_wait2(const struct close_order *order)
{
    return leaves_closed(order, IN(FIN_WAIT2));
}

bool order_leaves_unsent_data(const struct close_order *order)
{
    bool fills = false;
    for (int i = 1; i < order_step_count(order); i++)
        fills |= order_step_at(order, i)->act == ACT_FILL;
    return fills && order_leaves_orphans(order);
}

bool order_needs_nothing(const struct close_order *order)
{
    return !order_needs_filter(order) && order->needs.sysctl == NULL;
}

bool order_can_flow(const struct close_order *order)
{
    bool can = order->opening == OPENING_FULL && order->needs.sysctl == NULL;
    for (int i = 1; i < order_step_count(order); i++)
        can &= order_step_at(order, i)->act < ACT_DROP;
    return can;
}

/* A time-out must not end before so many connections have got to where it begins. */
enum { CONNS_PER_S = 20000 };

/* Each retransmission doubles the time. */
static int64_t retries_for(int64_t retries, int64_t more_s)
{
    int64_t wanted_ms = retransmission_least_ms(retries) + more_s * 1000;
    while (retransmission_least_ms(retries) < wanted_ms)
        retries++;
    return retries;
}

int64_t order_sysctl_value(const struct close_order *order, int64_t conns)
{
    if (order->needs.is_half)
        return conns / 2;
    if (order->clock == CLOCK_RETRANSMISSION)
        return retries_for(order->needs.value, conns / CONNS_PER_S);
    return order->needs.value + conns / CONNS_PER_S;
}

struct step_label order_step_label(const struct order_step *step)
{
    struct step_label label;
    const char *who = step->by == BOTH_SIDES ? "both" : step->by == SERVER ? "server" : "client";
    if (step->act == ACT_OPEN || step->by == 0)
        snprintf(label.text, sizeof label.text, "%s", act_name(step->act));
    else
        snprintf(label.text, sizeof label.text, "%s-%s", who, act_name(step->act));
    return label;
}

bool order_side_closed(const struct close_order *order, int step, enum side side, int *closing_step)
{
    for (int i = 1; i <= step; i++) {
        const struct order_step *at = order_step_at(order, i);
        if (act_closes(at->act) && order_step_is_by(at, side)) {
            *closing_step = i;
            return true;
        }
    }
    return false;
}

static bool sends_the_last(enum act act)
{
    return act_closes(act) || act == ACT_SHUTDOWN || act == ACT_ABORT || act == ACT_UNLISTEN;
}

static enum side second_to_close(const struct close_order *order)
{
    for (int i = 1; i < order_step_count(order); i++) {
        const struct order_step *at = order_step_at(order, i);
        if (sends_the_last(at->act))
            return at->by == CLIENT || at->by == BOTH_SIDES ? SIDE_SERVER : SIDE_CLIENT;
    }
    return SIDE_COUNT;
}

enum side order_leak_side(const struct close_order *order, int *step)
{
    enum side side = second_to_close(order);
    return side != SIDE_COUNT && order_side_closed(order, order_step_count(order) - 1, side, step)
               ? side
               : SIDE_COUNT;
}

int order_unanswered_since(const struct close_order *order, int step, enum side side)
{
    bool is_deaf = false;
    for (int i = 1; i <= step; i++) {
        const struct order_step *at = order_step_at(order, i);
        if (!order_step_is_by(at, side))
            continue;
        if (is_deaf && at->act == ACT_WRITE)
            return i;
        is_deaf = at->act == ACT_DROP || (is_deaf && at->act != ACT_UNDROP);
    }
    return -1;
}

int order_deaf_since(const struct close_order *order, int step)
{
    int since[SIDE_COUNT] = {-1, -1};
    for (int i = 1; i <= step; i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            const struct order_step *at = order_step_at(order, i);
            if (order_step_is_by(at, (enum side)side) && at->act == ACT_DROP)
                since[side] = i;
            if (order_step_is_by(at, (enum side)side) && at->act == ACT_UNDROP)
                since[side] = -1;
        }
    int server = since[SIDE_SERVER], client = since[SIDE_CLIENT];
    return server < 0 || (client >= 0 && client < server) ? client : server;
}

bool order_side_released(const struct close_order *order, int step, enum side side)
{
    bool released = false;
    for (int i = 1; i <= step; i++)
        released |=
            order_step_is_by(order_step_at(order, i), side) && act_releases(order_step_at(order, i)->act);
    return released;
}

uint32_t order_leak_states(const struct close_order *order, enum side side)
{
    int step;
    enum side leaks = order_leak_side(order, &step);
    if (leaks == SIDE_COUNT)
        return 0;
    if (order_step_at(order, step)->by == BOTH_SIDES) /* the other one's FIN is all that comes */
        return side == leaks ? IN(CLOSE_WAIT) : IN(FIN_WAIT2);
    return order_step_at(order, step - 1)->expect[side];
}

int order_time_wait_per_connection(const struct close_order *order)
{
    int most = 0;
    for (int i = 0; i < order_step_count(order); i++) {
        const struct order_step *step = order_step_at(order, i);
        int now = 0, closing;
        for (int side = 0; side < SIDE_COUNT; side++)
            now += (step->expect[side] & IN(TIME_WAIT)) != 0 ||
                   ((step->expect[side] & IN(FIN_WAIT2)) != 0 &&
                    order_side_closed(order, i, (enum side)side, &closing));
        most = now > most ? now : most;
    }
    return most;
}

struct state_set_text state_set_text(uint32_t set)
{
    struct state_set_text out = {""};
    for (int i = 0; i <= LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = i < LIFE_ORDER_COUNT ? tcp_state_in_life_order((size_t)i) : STATE_GONE;
        if (state_set_has(set, state))
            TEXT_ADD(out.text, "%s%s", out.text[0] != '\0' ? " or " : "", tcp_state_name(state));
    }
    return out;
}
