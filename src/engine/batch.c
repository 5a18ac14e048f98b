/* batch: all connections at once. They are opened, each lane no further ahead than its credit, and
 * every step's act is done to all ends before the kernel is asked. */
#include "engine/controller_state.h"

#include "base/clock.h"
#include "control/hosts.h"

#include <stdio.h>
#include <string.h>

static int64_t at_once_opened_by(const struct controller *c, int pair)
{
    int64_t started = 0;
    for (int i = 0; i < c->plan->lane_count; i++)
        started += c->lanes[i].pair == pair ? c->lanes[i].started : 0;
    return started;
}

static int at_once_step_count(const struct controller *c)
{
    return order_step_count(c->order);
}

static struct step_label at_once_label(const struct controller *c)
{
    return order_step_label(controller_step(c));
}

/* Where nothing is accepted, nothing is to be waited for. Over a network one connection goes ahead of the
 * others: should the address be a stranger's there, it is the only one that he meets. */
static int64_t first_credit(const struct controller *c, const struct lane *lane)
{
    if (!opening_is_accepted(c->order->opening))
        return lane->quota;
    return c->plan->settings->hosts->are_here ? c->plan->window : 1;
}

static void begin_opening(struct controller *c)
{
    c->awaited.opens = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++) {
        const struct lane *lane = &c->lanes[i];
        struct link *client = workers_client(&c->workers, lane->pair)->link;
        link_send(client, &(struct message){.id = MESSAGE_CONNECT,
                                            .connect = {.lane = i,
                                                        .address = *controller_lane_address(c, lane),
                                                        .port = c->ports.first + i,
                                                        .quota = lane->quota,
                                                        .opening = c->order->opening,
                                                        .reconnects = order_reconnects(c->order)}});
        link_send(client, &(struct message){.id = MESSAGE_CREDIT, .credit = {i, first_credit(c, lane)}});
    }
}

/* The share of that worker in the connections that are left without their second close(). */
static int64_t to_spare(const struct controller *c, const struct peer *peer)
{
    int step;
    int64_t before = 0, own = 0, leak = c->plan->settings->leak, conns = c->plan->settings->conns;
    int pair = (int)(peer - c->workers.peers) % c->plan->pairs;
    if (leak == 0 || order_leak_side(c->order, &step) != peer->side || step != c->step)
        return 0;
    for (int i = 0; i < c->plan->lane_count; i++) {
        before += c->lanes[i].pair < pair ? c->lanes[i].quota : 0;
        own += c->lanes[i].pair == pair ? c->lanes[i].quota : 0;
    }
    return (before + own) * leak / conns - before * leak / conns;
}

static void begin_act(struct controller *c, const struct order_step *step)
{
    c->act_serial++;
    c->awaited.opens = step->act == ACT_RECONNECT ? c->plan->lane_count : 0;
    for (int i = 0; i < c->workers.worker_count; i++) {
        struct peer *peer = &c->workers.peers[i];
        peer->acted = peer->failed = 0;
        peer->failed_errno = 0;
        peer->acting = order_step_is_by(step, peer->side);
        if (!peer->acting)
            continue;
        c->awaited.acts++;
        /* Two sides that walk the same way would race for every pair; so each is first on about half. */
        bool backwards = step->by == BOTH_SIDES && peer->side == SIDE_CLIENT;
        link_send(peer->link, &(struct message){.id = MESSAGE_ACT,
                                                .act = {.serial = c->act_serial,
                                                        .act = step->act,
                                                        .backwards = backwards,
                                                        .spare = to_spare(c, peer)}});
    }
}

static void begin_crash(struct controller *c, const struct order_step *step)
{
    for (int i = 0; i < c->workers.worker_count; i++) {
        if (!order_step_is_by(step, c->workers.peers[i].side))
            continue;
        c->awaited.deaths++;
        peer_kill_by_order(&c->workers.peers[i]);
    }
}

static void at_once_begin_step(struct controller *c)
{
    const struct order_step *step = controller_step(c);
    bool are_listeners = step->act == ACT_OPEN && c->order->opening == OPENING_LISTENERS;
    if (step->act == ACT_WAIT ||
        are_listeners) /* time goes by without help; the listeners are there already */
        controller_on_event(c, EVENT_ACTED);
    else if (step->act == ACT_OPEN)
        begin_opening(c);
    else if (step->act == ACT_CRASH)
        begin_crash(c, step);
    else
        begin_act(c, step);
}

static bool at_once_is_as_expected(struct controller *c)
{
    const struct order_needs *needs = &c->order->needs;
    if (!needs->must_move || controller_counters(c).value[needs->counter] > 0)
        return true;
    snprintf(c->difference.text, sizeof c->difference.text, "the kernel's counter %s did not move",
             kernel_counter_name(needs->counter));
    return false;
}

/* ---- what workers say ---- */

/* By its server, in all. */
static int64_t accepts_wanted(const struct controller *c, const struct lane *lane)
{
    if (!opening_is_accepted(c->order->opening))
        return 0;
    return controller_step(c)->act == ACT_RECONNECT ? 2 * lane->quota : lane->quota;
}

static bool lane_is_open(const struct controller *c, const struct lane *lane)
{
    return lane->connected >= lane->quota && lane->accepted >= accepts_wanted(c, lane);
}

static void note_acted(struct controller *c)
{
    if (c->awaited.opens == 0 && c->awaited.acts == 0)
        controller_on_event(c, EVENT_ACTED);
}

static struct lane *lane_at(const struct controller *c, int64_t i)
{
    return i < c->plan->lane_count ? &c->lanes[i] : NULL;
}

static void note_lane(struct controller *c, bool was_open, const struct lane *lane)
{
    if (was_open || !lane_is_open(c, lane) || c->awaited.opens == 0)
        return;
    c->awaited.opens--;
    note_acted(c);
}

static void on_accepted(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    struct lane *lane = lane_at(c, message->accepted.lane);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(c, lane);
    lane->accepted = message->accepted.total;
    peer->fds = message->accepted.fds;
    peer->errors = message->accepted.errors;
    if (lane->accepted < lane->quota)
        link_send(workers_client(&c->workers, lane->pair)->link,
                  &(struct message){
                      .id = MESSAGE_CREDIT,
                      .credit = {.lane = message->accepted.lane, .total = lane->accepted + c->plan->window}});
    note_lane(c, was_open, lane);
}

static void on_opened(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    struct lane *lane = lane_at(c, message->opened.lane);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(c, lane);
    lane->started = message->opened.started;
    lane->connected = message->opened.connected;
    peer->fds = message->opened.fds;
    peer->errors = message->opened.errors;
    note_lane(c, was_open, lane);
}

static void on_acted(void *context, const struct message *message)
{
    struct peer *peer = context;
    const struct controller *c = peer->owner;
    if (message->acted.serial != c->act_serial)
        return;
    peer->acted = message->acted.done;
    peer->failed = message->acted.failed;
    peer->failed_errno = message->acted.error;
    peer->fds = message->acted.fds;
}

static void on_done(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    on_acted(peer, message);
    if (!peer->acting || message->acted.serial != c->act_serial)
        return;
    peer->acting = false;
    c->awaited.acts--;
    if (peer->failed > 0) /* whom it did not reach can not accept it */
        c->awaited.opens = 0;
    note_acted(c);
}

static message_handler *const handlers[MESSAGE_COUNT] = {
    [MESSAGE_ACCEPTED] = on_accepted,
    [MESSAGE_OPENED] = on_opened,
    [MESSAGE_ACTED] = on_acted,
    [MESSAGE_DONE] = on_done,
};

static struct expectation at_once_expected(const struct controller *c, int64_t now_us)
{
    struct circumstances circumstances = {.opened = controller_opened(c),
                                          .fin_timeout_ms = c->plan->limits.fin_timeout_ms,
                                          .retries2 = c->plan->limits.retries2,
                                          .leaked = c->plan->settings->leak,
                                          .conns = c->plan->settings->conns};
    if (controller_step(c)->time_wait_max > 0 && c->plan->limits.rfc1337 == 0)
        circumstances.resets = controller_counters(c).value[COUNTER_OUT_RSTS];
    memcpy(circumstances.keepalive_s, c->plan->settings->keepalive_s, sizeof circumstances.keepalive_s);
    return expectation_at(c->order, c->step, &c->times, now_us / 1000, &circumstances);
}

static const struct peer *at_once_silent(const struct controller *c)
{
    for (int i = 0; i < c->workers.worker_count; i++)
        if (c->workers.peers[i].acting)
            return &c->workers.peers[i];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (c->lanes[i].accepted < c->lanes[i].started)
            return &c->workers.peers[c->lanes[i].pair];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (c->lanes[i].connected < c->lanes[i].quota)
            return &c->workers.peers[c->plan->pairs + c->lanes[i].pair];
    return &c->workers.peers[0];
}

static void at_once_progress(const struct controller *c, struct progress *progress)
{
    const struct order_step *step = controller_step(c);
    progress->done = step->act == ACT_OPEN ? controller_opened(c) : 0;
    for (int i = 0; step->act != ACT_OPEN && i < c->workers.worker_count; i++)
        progress->done += c->workers.peers[i].acted;
    progress->total = c->plan->settings->conns * (step->by == BOTH_SIDES ? 2 : 1);
}

const struct mode batch = {
    .roles = {[SIDE_SERVER] = "server", [SIDE_CLIENT] = "client"},
    .step_count = at_once_step_count,
    .label = at_once_label,
    .begin_step = at_once_begin_step,
    .handlers = handlers,
    .opened_by = at_once_opened_by,
    .expected = at_once_expected,
    .is_as_expected = at_once_is_as_expected,
    .silent = at_once_silent,
    .progress = at_once_progress,
};
