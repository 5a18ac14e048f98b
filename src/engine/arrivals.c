/* arrivals: connections that come one by one, at a steady rate. Each plays its order, or its cause, by
 * itself; when the last has ended, what is left is looked at. */
#include "engine/controller_state.h"

#include "analysis/advice.h"
#include "base/clock.h"
#include "base/number_text.h"
#include "engine/lane.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FAST_RATE = 5000,         /* from then on a look would make arrivals late: */
    BEHIND_THE_WORKERS = 15,  /* the nice value of a witness that takes what they leave */
    LAST_REPORTS = 2,         /* of each server, after the clients have ended: what it holds is then told */
    RATE_UNIT = 1000,         /* the link's rates are in 1,000 s */
    STEADY_AFTER_US = 300000, /* beyond a first life, until what is held is level */
};

static const struct flow_settings *flow_of(const struct controller *c)
{
    return &c->plan->settings->flow;
}

static int flow_step_count(const struct controller *c)
{
    (void)c;
    return 1;
}

static struct step_label flow_label(const struct controller *c)
{
    (void)c;
    return (struct step_label){"arrivals"};
}

static void send_script(struct controller *c, const struct peer *peer, int pair)
{
    int step, pairs = c->plan->pairs;
    const struct run_settings *settings = c->plan->settings;
    bool leaks = order_leak_side(c->order, &step) == peer->side;
    link_send(peer->link, &(struct message){.id = MESSAGE_SCRIPT,
                                            .script = {
                                                .life_us = flow_of(c)->life_ms * 1000,
                                                .leaked = leaks ? lane_share(settings->leak, pairs, pair) : 0,
                                                .of = lane_share(settings->conns, pairs, pair),
                                                .script = experiment_script(c->experiment, peer->side),
                                            }});
}

static void flow_prepare(struct controller *c)
{
    if (flow_of(c)->rate >= FAST_RATE)
        controller_tell_witnesses(c, &(struct message){.id = MESSAGE_NICE, .nice = {BEHIND_THE_WORKERS}});
    c->outage.backlog = c->plan->lane_count == 1 ? c->plan->backlog : 0;
    c->outage.server_nofile = plan_nofile(c->plan, SIDE_SERVER);
    for (int pair = 0; pair < c->plan->pairs; pair++) {
        send_script(c, workers_server(&c->workers, pair), pair);
        send_script(c, workers_client(&c->workers, pair), pair);
        if (plan_nofile(c->plan, SIDE_SERVER) < c->plan->limits.nofile_hard)
            link_send(workers_server(&c->workers, pair)->link,
                      &(struct message){.id = MESSAGE_NOFILE, .nofile = {plan_nofile(c->plan, SIDE_SERVER)}});
    }
    for (int i = 0; i < c->plan->lane_count; i++)
        link_send(workers_client(&c->workers, c->lanes[i].pair)->link,
                  &(struct message){.id = MESSAGE_CONNECT,
                                    .connect = {.lane = i,
                                                .address = *controller_lane_address(c, &c->lanes[i]),
                                                .port = c->ports.first + i,
                                                .opening = OPENING_FULL}});
}

static void flow_begin_step(struct controller *c)
{
    int pairs = c->plan->pairs;
    c->outage.timeline.began_s = controller_t_s(c, c->times.began_ms[0] * 1000); /* as the rows have it */
    c->act_serial++;
    c->awaited.acts = pairs;
    for (int pair = 0; pair < pairs; pair++) {
        struct peer *client = workers_client(&c->workers, pair);
        client->acting = true;
        link_send(client->link,
                  &(struct message){.id = MESSAGE_ARRIVE,
                                    .arrive = {.serial = c->act_serial,
                                               .total = lane_share(c->plan->settings->conns, pairs, pair),
                                               .rate_milli = (int64_t)flow_of(c)->rate * RATE_UNIT / pairs,
                                               .timeout_us = flow_of(c)->connect_timeout_ms * 1000}});
    }
}

/* ---- what workers say ---- */

static bool is_expected_failure(const struct controller *c)
{
    return plan_expects_outage(c->plan->settings);
}

static void note_reports(struct controller *c)
{
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    outage_note_flow(&c->outage, controller_t_s(c, monotonic_us()), sums);
}

static void take_tally(struct peer *peer, const struct message *message)
{
    peer->flow = message->tally.flow;
    peer->fds = message->tally.fds;
    peer->errors = peer->flow.errors;
    note_reports(peer->owner);
}

static void on_serving(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    take_tally(peer, message);
    if (peer->reports_owed > 0 && --peer->reports_owed == 0 && --c->awaited.reports == 0)
        controller_on_event(c, EVENT_ACTED);
    if (peer->errors > 0 && !is_expected_failure(c) && !controller_is_stopping(c))
        controller_fail(c, "accept(): %s in %s, with %s accepted: %s", strerror(peer->flow.error),
                        peer_name(peer).text, counted(peer->flow.begun, "connection").text,
                        advice_for("accept", peer->flow.error));
}

static void on_arrived(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    take_tally(peer, message);
    if (peer->errors > 0 && !is_expected_failure(c) && !controller_is_stopping(c))
        controller_fail(c, "%s of the connect() calls of %s failed or were not answered, %s of them for %s",
                        grouped(peer->errors).text, peer_name(peer).text, grouped(peer->flow.timeouts).text,
                        duration_text(flow_of(c)->connect_timeout_ms).text);
}

static void on_done(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (!peer->acting || message->acted.serial != c->act_serial)
        return;
    peer->acting = false;
    if (--c->awaited.acts > 0)
        return;
    c->awaited.reports = c->plan->pairs;
    for (int pair = 0; pair < c->plan->pairs; pair++)
        workers_server(&c->workers, pair)->reports_owed = LAST_REPORTS;
}

static message_handler *const handlers[MESSAGE_COUNT] = {
    [MESSAGE_SERVING] = on_serving,
    [MESSAGE_ARRIVED] = on_arrived,
    [MESSAGE_DONE] = on_done,
};

static int64_t flow_opened_by(const struct controller *c, int pair)
{
    const struct flow_tally *client = &workers_client(&c->workers, pair)->flow;
    return client->begun + client->abandoned;
}

/* ---- what is to be seen ---- */

/* While the server is up, what the script leaks is what was asked for; after an outage, what it came to. */
static int64_t leak_expected(const struct controller *c)
{
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    int64_t leaked = sums[SIDE_SERVER].leaked + sums[SIDE_CLIENT].leaked;
    return isfinite(timeline_first_failure_s(&c->outage.timeline)) ? leaked : c->plan->settings->leak;
}

static struct expectation cause_expectation(const struct controller *c)
{
    const uint32_t over = STATE_SET(STATE_TIME_WAIT) | STATE_SET(STATE_GONE);
    struct expectation expectation = {.opened = controller_opened(c), .leak_side = SIDE_COUNT};
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = (enum side)i;
        bool is_over = c->experiment->is_fixed && !experiment_keeps(c->experiment, side);
        bool waits = experiment_keeps(c->experiment, side_other(side)); /* for a FIN, without a descriptor */
        expectation.holds_nothing[i] = is_over;
        expectation.allowed[i] = is_over ? over | (waits ? STATE_SET(STATE_FIN_WAIT2) : 0) : ~0U;
    }
    return expectation;
}

static struct expectation flow_expected(const struct controller *c, int64_t now_us)
{
    if (c->experiment->cause != NULL)
        return cause_expectation(c);
    struct circumstances circumstances = {
        .opened = controller_opened(c),
        .fin_timeout_ms = c->plan->limits.fin_timeout_ms,
        .leaked = leak_expected(c),
        .is_flow = true,
        .is_outage = isfinite(timeline_first_failure_s(&c->outage.timeline)),
    };
    memcpy(circumstances.keepalive_s, c->plan->settings->keepalive_s, sizeof circumstances.keepalive_s);
    return expectation_at(c->order, order_step_count(c->order) - 1, &c->times, now_us / 1000, &circumstances);
}

/* The workers' reports are behind: what the kernel has seen was opened. */
static void catch_up(struct controller *c)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t ends = histogram_ends(&c->look.sides[side]);
        if (c->at_look.opened < ends)
            c->at_look.opened = ends;
    }
}

/* In vain, as it may be for want of room in a queue; not so where the server is made not to answer. */
static bool has_waiting_clients(const struct controller *c)
{
    const struct fault_case *cause = c->experiment->cause;
    if (cause != NULL && cause->signature.state == STATE_SYN_SENT)
        return false;
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    return sums[SIDE_CLIENT].oldest_us > 0 || sums[SIDE_CLIENT].timeouts > 0;
}

static void flow_note_look(struct controller *c)
{
    catch_up(c);
    double t_s = controller_t_s(c, c->look.began_us);
    int64_t flowing_us = c->look.began_us - c->act_began_us;
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    c->look.sides[SIDE_SERVER].elsewhere = sums[SIDE_SERVER].elsewhere;
    c->look.sides[SIDE_CLIENT].abandoned = sums[SIDE_CLIENT].abandoned;
    outage_note_counters(&c->outage, t_s, &c->at_look.moved, has_waiting_clients(c));
    outage_note_queue(&c->outage, t_s, c->look.sides[SIDE_SERVER].queued, c->plan->backlog);
    bool is_steady = c->phase == PHASE_ACTING && flowing_us > flow_of(c)->life_ms * 1000 + STEADY_AFTER_US &&
                     controller_opened(c) < c->plan->settings->conns;
    if (is_steady)
        outage_note_look(&c->outage, t_s, c->look.sides);
}

/* ---- what it came to ---- */

static bool is_of_signature(const struct lingering_class *class, const struct signature *signature)
{
    static const struct {
        bool owned, listed;
    } owners[] = {
        [OWNER_AT_FAULT] = {true, true}, [OWNER_OTHER] = {true, false}, [OWNER_NONE] = {false, false}};
    if (class->side != signature->at_fault || class->state != signature->state)
        return false;
    /* Where the FIN came with the data Recv-Q 0 fits both. */
    if (signature->eof != EOF_ANY && !class->fin_with_data && class->unread != (signature->eof == EOF_UNREAD))
        return false;
    if (signature->is_stalled && !class->stalled)
        return false;
    return signature->owner == OWNER_ANY || (class->owned == owners[signature->owner].owned &&
                                             class->listed == owners[signature->owner].listed);
}

/* A TIME_WAIT belongs to the kernel, and does not linger: the look's histogram has them. */
static int64_t sockets_of_signature(const struct controller *c, const struct signature *signature)
{
    int64_t count = 0;
    if (signature->state == STATE_TIME_WAIT)
        return c->look.sides[signature->at_fault].of[STATE_TIME_WAIT];
    for (int i = 0; i < c->lingering.count; i++)
        if (is_of_signature(&c->lingering.each[i], signature))
            count += c->lingering.each[i].count;
    return count;
}

/* Listening sockets that no worker of the run has. */
static bool listener_is_others(const struct controller *c)
{
    for (int i = 0; i < c->lingering.count; i++)
        if (c->lingering.each[i].state == STATE_LISTEN && lingering_is_strange(&c->lingering.each[i]))
            return true;
    return false;
}

/* The owner would decide whether these are of the signature, and it may not be looked into. */
static bool is_owner_in_doubt(const struct controller *c)
{
    const struct signature *signature = &c->experiment->cause->signature;
    bool is_asked_for = signature->owner == OWNER_AT_FAULT || signature->owner == OWNER_OTHER;
    for (int i = 0; i < c->lingering.count; i++) {
        const struct lingering_class *class = &c->lingering.each[i];
        bool decides = class->state == STATE_LISTEN ? signature->listener_is_others
                                                    : is_asked_for && class->state == signature->state;
        if (decides && class->side == signature->at_fault && class->owned && class->pid == 0)
            return true;
    }
    return false;
}

/* CLOSE_WAIT that a process held before keep-alive has ended it: the descriptor is still there. */
static int64_t lost_by_keepalive(const struct controller *c)
{
    const struct signature *signature = &c->experiment->cause->signature;
    bool held = signature->state == STATE_CLOSE_WAIT && signature->owner == OWNER_AT_FAULT;
    bool has_asked = c->plan->settings->keepalive_s[signature->at_fault] > 0 &&
                     controller_counters(c).value[COUNTER_KEEPALIVE] > 0;
    return held && has_asked ? c->look.sides[signature->at_fault].ghosts : 0;
}

static bool lingers(const struct controller *c, const struct signature *signature)
{
    struct signature later = *signature;
    later.state = STATE_CLOSE_WAIT;
    later.eof = EOF_UNREAD;
    bool has_faded = c->look.sides[signature->at_fault].ghosts > 0 || sockets_of_signature(c, &later) > 0;
    return sockets_of_signature(c, signature) > 0 || (signature->fades && has_faded) ||
           lost_by_keepalive(c) > 0;
}

/* An order has none to show. */
static bool shows_signature(const struct controller *c)
{
    if (c->experiment->cause == NULL)
        return false;
    const struct signature *signature = &c->experiment->cause->signature;
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    if (signature->state != STATE_GONE && !lingers(c, signature))
        return false;
    if (signature->owner == OWNER_NONE && signature->listener_is_others != listener_is_others(c))
        return false;
    if (signature->is_alone && histogram_ends(&c->look.sides[side_other(signature->at_fault)]) > 0)
        return false;
    if (signature->leaves_ghosts && c->look.sides[signature->at_fault].ghosts == 0)
        return false;
    if (signature->leaves_elsewhere && c->look.sides[signature->at_fault].elsewhere == 0)
        return false;
    if (signature->has_counter && controller_counters(c).value[signature->counter] == 0)
        return false;
    if (signature->loses && sums[SIDE_CLIENT].lost == 0)
        return false;
    if (signature->fails_connect && sums[SIDE_CLIENT].errors == 0)
        return false;
    if (signature->state == STATE_TIME_WAIT && sums[SIDE_CLIENT].error != EADDRNOTAVAIL)
        return false; /* each has a port: that is what it is known by */
    if (sums[SIDE_CLIENT].slowest_us < signature->delays_ms * 1000)
        return false;
    return !signature->fails_accept || sums[SIDE_SERVER].errors > 0;
}

/* All that it is known by has been ended by keep-alive. */
static bool is_shown_by_ghosts(const struct controller *c)
{
    return shows_signature(c) && lost_by_keepalive(c) > 0 &&
           sockets_of_signature(c, &c->experiment->cause->signature) == 0;
}

/* Growth under traffic that is still there when the traffic is over. */
static bool leaks_unasked(const struct controller *c)
{
    bool is_asked_for = experiment_leaks(c->experiment, c->plan->settings->leak);
    for (int side = 0; side < SIDE_COUNT && !is_asked_for; side++) {
        struct trend trend = trend_of(&c->outage.growth[side]);
        if (trend.kind == TREND_LEAK && !experiment_keeps(c->experiment, (enum side)side) &&
            (double)outage_held(&c->look.sides[side]) > trend.slope_per_s * trend.span_s / 2)
            return true;
    }
    return false;
}

static bool flow_is_as_expected(struct controller *c)
{
    const struct fault_case *cause = c->experiment->cause;
    bool is_fixed = c->experiment->is_fixed, is_shown = shows_signature(c);
    const char *what = NULL;
    if (cause != NULL && !is_shown && is_owner_in_doubt(c)) {
        controller_fail(c, "it is not known whether the bug shows: a process that this user may not inspect "
                           "holds the sockets that would show it; run this as root");
        return false;
    }
    if (cause != NULL && is_shown == is_fixed)
        what = is_fixed ? "the signature appears although the bug is fixed" : "the signature does not appear";
    else if (leaks_unasked(c))
        what = "sockets leak although none should";
    if (what == NULL)
        return true;
    snprintf(c->difference.text, sizeof c->difference.text, "%s%s%s", what, cause != NULL ? ": " : "",
             cause != NULL ? signature_text(&cause->signature).text : "");
    return false;
}

/* What is asked on a connection that was there came like the others. n arrivals have n - 1 gaps between them.
 */
static double achieved_rate(const struct flow_tally *client)
{
    double gaps = (double)(client->begun + client->reused + client->errors - 1);
    return client->span_us > 0 && gaps > 0 ? gaps * 1e6 / (double)client->span_us : 0;
}

static struct flow_report flow_report_of(const struct controller *c)
{
    struct flow_report report = {
        .at_fault = experiment_side_at_fault(c->experiment, c->plan->settings->leak),
        .asked = flow_of(c),
        .nofile = plan_nofile(c->plan, SIDE_SERVER) * c->plan->pairs,
        .timeline = &c->outage.timeline,
        .shows_signature = shows_signature(c),
        .is_shown_by_ghosts = is_shown_by_ghosts(c),
    };
    workers_sum_flow(&c->workers, report.sums);
    report.achieved_rate = achieved_rate(&report.sums[SIDE_CLIENT]);
    for (int side = 0; side < SIDE_COUNT; side++) {
        report.trend[side] = trend_of(&c->outage.growth[side]);
        report.held[side] = c->has_look ? outage_held(&c->look.sides[side]) : 0;
    }
    return report;
}

static const struct peer *flow_silent(const struct controller *c)
{
    for (int pair = 0; pair < c->plan->pairs; pair++)
        if (workers_client(&c->workers, pair)->acting)
            return workers_client(&c->workers, pair);
    return workers_client(&c->workers, 0);
}

static void flow_progress(const struct controller *c, struct progress *progress)
{
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    progress->done = sums[SIDE_CLIENT].begun + sums[SIDE_CLIENT].reused + sums[SIDE_CLIENT].errors;
    progress->total = c->plan->settings->conns;
}

const struct mode arrivals = {
    .roles = {[SIDE_SERVER] = "server-flow", [SIDE_CLIENT] = "client-flow"},
    .step_count = flow_step_count,
    .label = flow_label,
    .prepare = flow_prepare,
    .begin_step = flow_begin_step,
    .handlers = handlers,
    .opened_by = flow_opened_by,
    .expected = flow_expected,
    .note_look = flow_note_look,
    .is_as_expected = flow_is_as_expected,
    .silent = flow_silent,
    .report = flow_report_of,
    .progress = flow_progress,
};
