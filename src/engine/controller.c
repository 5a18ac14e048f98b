#include "engine/controller_state.h"

#include "base/clock.h"
#include "base/number_text.h"
#include "base/text.h"
#include "control/hosts.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT INT64_C(-1)

enum {
    HEARTBEAT_MS = 250, /* progress, and the watch over what is owed */
    STOP_LIMIT_MS = 5000,
    ASK_LIMIT_MS = 150000,      /* the witness is watched as well; millions of sockets have many owners */
    ASK_INTERRUPTED_MS = 10000, /* who interrupts a run does not want to wait */
    OWNERS_TRIES = 3,
    LOOKS_THAT_CONVINCE = 3, /* in a row that differ, after a hold */
};

const struct address *controller_lane_address(const struct controller *c, const struct lane *lane)
{
    return &workers_server(&c->workers, lane->pair)->host->address;
}

int64_t controller_opened(const struct controller *c)
{
    int64_t opened = 0;
    for (int pair = 0; pair < c->plan->pairs; pair++)
        opened += c->mode->opened_by(c, pair);
    return opened;
}

const struct order_step *controller_step(const struct controller *c)
{
    return order_step_at(c->order, c->step);
}

double controller_t_s(const struct controller *c, int64_t at_us)
{
    return (double)(at_us - c->run_began_us) / 1e6;
}

/* limit_us: EVENT_TIMER comes then; NO_LIMIT: never. */
static void enter(struct controller *c, enum phase phase, int64_t limit_us)
{
    c->phase = phase;
    c->phase_began_us = c->progress_us = monotonic_us();
    event_del(c->phase_timer);
    if (limit_us == NO_LIMIT)
        return;
    struct timeval limit = timeval_of_us(limit_us);
    evtimer_add(c->phase_timer, &limit);
}

/* ---- ending ---- */

struct kernel_counters controller_counters(const struct controller *c)
{
    struct kernel_counters now = hosts_counters(c->plan->settings->hosts);
    return kernel_counters_moved(&now, &c->counters_before);
}

/* No look counts any more, nor what belongs to it. */
static void stop_looking(struct controller *c)
{
    sampler_stop(&c->sampler);
    c->awaited.ghosts = 0;
    for (int i = 0; i < c->workers.worker_count; i++)
        c->workers.peers[i].owes_ghosts = false;
}

static void end_order(struct controller *c, enum outcome outcome)
{
    if (controller_is_over(c))
        return;
    c->outcome = outcome;
    if (c->awaited.owners > 0 || c->owners_error != 0) /* a part of the answer would pass for all of it */
        c->lingering = (struct lingering){.count = 0};
    c->moved =
        controller_counters(c); /* before the workers reset what is open: that is no part of the order */
    event_witness_read(&c->event_witness);
    stop_looking(c);
    enter(c, PHASE_ENDING, NO_LIMIT); /* the workers have a limit of their own: it grows with what is open */
    workers_dismiss(&c->workers);
}

/* What was decided, and what else the course wants to be seen. */
static void conclude(struct controller *c)
{
    enum outcome outcome = c->decided;
    if (outcome == OUTCOME_AS_EXPECTED && c->mode->is_as_expected != NULL && !c->mode->is_as_expected(c))
        outcome = OUTCOME_DIFFERS;
    if (outcome == OUTCOME_AS_EXPECTED && !controller_transitions_are_as_expected(c))
        outcome = OUTCOME_DIFFERS;
    if (outcome == OUTCOME_AS_EXPECTED && c->event_witness.no_verdict.text[0] != '\0')
        controller_fail(c, "%s; the kernel reports missed events, so the events give no verdict",
                        c->event_witness.no_verdict.text);
    else
        end_order(c, outcome);
}

/* ---- whose the lingering sockets are ---- */

static bool is_anything_lingering(const struct controller *c)
{
    int64_t lingering = 0;
    for (int side = 0; c->has_look && side < SIDE_COUNT; side++)
        lingering += histogram_ends(&c->look.sides[side]) - c->look.sides[side].of[STATE_TIME_WAIT];
    return lingering > 0;
}

static void ask_owners(struct controller *c)
{
    bool is_interrupted = c->decided == OUTCOME_INTERRUPTED;
    stop_looking(c);
    if (!is_anything_lingering(c)) {
        conclude(c);
        return;
    }
    enter(c, PHASE_ASKING, (is_interrupted ? ASK_INTERRUPTED_MS : ASK_LIMIT_MS) * INT64_C(1000));
    c->owners_serial++;
    c->owners_tries++;
    c->owners_error = 0;
    c->lingering = (struct lingering){.count = 0};
    c->awaited.owners = c->workers.witness_count;
    for (int i = 0; i < c->workers.witness_count; i++) {
        struct peer *witness = workers_witness(&c->workers, i);
        witness->owes_owners = true;
        controller_ask(witness, MESSAGE_OWNERS, c->owners_serial);
    }
}

/* What could not be read is not taken for "nothing there". */
static void hear_owners(struct controller *c)
{
    if (c->owners_error == 0 || c->decided == OUTCOME_INTERRUPTED)
        conclude(c);
    else if (c->owners_tries < OWNERS_TRIES)
        ask_owners(c);
    else
        controller_fail(c, "the witness (%s) could not find the owners of the sockets: %s",
                        c->plan->witness->name, strerror(c->owners_error));
}

static void do_without_owners(struct controller *c)
{
    if (c->decided == OUTCOME_INTERRUPTED)
        conclude(c);
    else
        controller_fail(c, "the witness (%s) did not find the owners of the sockets within %d s",
                        c->plan->witness->name, ASK_LIMIT_MS / 1000);
}

/* The outcome, unless what is asked now shows otherwise. */
static void decide(struct controller *c, enum outcome outcome)
{
    c->decided = outcome;
    ask_owners(c);
}

void controller_fail(struct controller *c, const char *format, ...)
{
    if (controller_is_over(c))
        return;
    va_list arguments;
    va_start(arguments, format);
    c->fault.text[0] = '\0';
    text_vadd(c->fault.text, sizeof c->fault.text, format, arguments);
    va_end(arguments);
    end_order(c, OUTCOME_FAULT);
}

static void on_lost(void *owner, struct peer *peer)
{
    struct controller *c = owner;
    c->lost = peer; /* the sentence is made when its exit status is known */
    end_order(c, OUTCOME_FAULT);
}

static void on_dead(void *owner, struct peer *peer)
{
    struct controller *c = owner;
    peer->fds = 0;
    if (c->awaited.deaths > 0 && --c->awaited.deaths == 0)
        controller_on_event(c, EVENT_ACTED);
}

/* ---- steps ---- */

/* HOLD_FOREVER, or for how long this step is held. */
int64_t controller_hold_ms(const struct controller *c)
{
    const struct run_settings *settings = c->plan->settings;
    if (plan_holds_forever(c->plan, c->order, c->step, c->order_index))
        return HOLD_FOREVER;
    bool is_last = c->step == c->mode->step_count(c) - 1;
    int64_t hold_ms = is_last || !settings->hold_last_only ? settings->hold_ms : 0;
    return hold_ms == HOLD_FOREVER ? 1000 : hold_ms;
}

static void begin_hold(struct controller *c, double settle_s)
{
    int64_t hold_ms = controller_hold_ms(c);
    c->settle_s = settle_s;
    c->hold_is_over = false;
    c->differing_looks = 0;
    enter(c, PHASE_HOLDING, hold_ms == HOLD_FOREVER ? NO_LIMIT : hold_ms * 1000);
}

/* The last word on settling and on holding is a look, or the one under way. */
static void take_last_look(struct controller *c)
{
    sampler_now(&c->sampler);
}

static void end_hold(struct controller *c)
{
    c->hold_is_over = true;
    take_last_look(c);
}

static void begin_step(struct controller *c, int step)
{
    c->step = step;
    c->label = c->mode->label(c);
    enter(c, PHASE_ACTING, NO_LIMIT); /* those who act are watched */
    c->act_began_us = c->phase_began_us;
    c->times.began_ms[step] = monotonic_us() / 1000;
    c->times.ended_ms[step] = INT64_MAX / 1000;
    controller_tell_how_to_look(c, false);
    c->mode->begin_step(c);
    sampler_later(&c->sampler, true, c->look.took_us);
}

static void begin_first_step(struct controller *c)
{
    begin_step(c, 0);
}

static void begin_listening(struct controller *c)
{
    enter(c, PHASE_LISTENING, NO_LIMIT);
    if (c->mode->prepare != NULL)
        c->mode->prepare(c);
    c->awaited.lanes = c->plan->lane_count;
    controller_tell_lanes(c);
}

static void end_step(struct controller *c, const struct expectation *expectation, bool ok)
{
    controller_tell_step_end(c, expectation, ok);
    if (controller_is_over(c)) /* an output failed */
        return;
    if (!ok)
        decide(c, OUTCOME_DIFFERS);
    else if (c->step + 1 < c->mode->step_count(c))
        begin_step(c, c->step + 1);
    else
        decide(c, OUTCOME_AS_EXPECTED);
}

static void note_oddities(struct controller *c, const struct expectation *expectation)
{
    c->assassinated = expectation_assassinated(expectation, c->look.sides);
    for (int i = 0; i < SIDE_COUNT; i++) {
        c->by_keepalive[i] = expectation_lost_by_keepalive(expectation, &c->look.sides[i], (enum side)i);
        if (!expectation_aged(expectation, &c->look.sides[i], (enum side)i))
            continue;
        c->aged = true;
        c->late_close |= expectation->by_late_close[i];
    }
}

/* A clock of the kernel that is waited for comes on top. */
static int64_t settle_us(const struct controller *c)
{
    const struct host_limits *limits = &c->plan->limits;
    bool is_fin_timeout = c->order->clock == CLOCK_FIN_TIMEOUT;
    int64_t clock_ms = controller_step(c)->act != ACT_WAIT ? 0
                       : is_fin_timeout                    ? limits->fin_timeout_ms
                                                           : retransmission_most_ms(limits->retries2);
    return (plan_settle_ms(c->plan->settings) + clock_ms) * 1000;
}

static bool settle_time_is_over(const struct controller *c, int64_t now_us)
{
    return now_us - c->phase_began_us >= settle_us(c);
}

static void settle_or_give_up(struct controller *c, const struct expectation *expectation, bool holds,
                              int64_t now_us)
{
    int64_t waited_us = now_us - c->phase_began_us;
    if (holds)
        begin_hold(c, (double)waited_us / 1e6);
    else if (settle_time_is_over(c, now_us) && c->looks_since_act >= 2) {
        c->settle_s = (double)waited_us / 1e6;
        end_step(c, expectation, false);
    }
}

/* While an act is under way a look is shown, and proves nothing. */
static void show_look(struct controller *c)
{
    controller_tell_sample(c, false);
}

/* The end of a hold: what the look shows, and whether the second witness agrees. */
static void end_or_look_again(struct controller *c, const struct expectation *expectation, bool holds)
{
    enum agreement agreement = holds ? controller_compare_witnesses(c) : MOVES;
    if (agreement != AGREES && ++c->differing_looks < LOOKS_THAT_CONVINCE)
        return;
    if (holds)
        holds = controller_note_agreement(c, agreement);
    end_step(c, expectation, holds);
}

/* What the step is judged by: a look that began after the last act was acknowledged. */
static void judge_look(struct controller *c)
{
    int64_t now_us = c->look.began_us + c->look.took_us;
    bool counts = c->look.began_us >= c->phase_began_us;
    struct expectation expectation = c->mode->expected(c, now_us);
    bool holds = counts && expectation_holds(&expectation, c->look.sides, &c->difference);
    controller_tell_sample(c, holds);
    if (!counts || controller_is_over(c))
        return;
    c->looks_since_act++;
    if (c->act_failure.text[0] != '\0') {
        c->difference = c->act_failure;
        end_step(c, &expectation, false);
        return;
    }
    if (holds)
        note_oddities(c, &expectation);
    if (c->phase == PHASE_SETTLING)
        settle_or_give_up(c, &expectation, holds, now_us);
    if (c->phase == PHASE_HOLDING && c->hold_is_over)
        end_or_look_again(c, &expectation, holds);
}

void controller_take_look(struct controller *c)
{
    c->has_look = true;
    c->look = c->coming;
    event_witness_look_ends(&c->event_witness);
    c->at_look.moved = controller_counters(c);
    if (c->mode->note_look != NULL)
        c->mode->note_look(c);
    controller_on_event(c, EVENT_LOOKED);
    bool settling = c->phase == PHASE_SETTLING, is_doubted = c->phase == PHASE_HOLDING && c->hold_is_over;
    if (is_doubted || (settling && (c->looks_since_act == 0 || settle_time_is_over(c, monotonic_us()))))
        sampler_now(&c->sampler);
    else
        sampler_later(&c->sampler, (settling && c->looks_since_act >= 2) || c->phase == PHASE_ACTING,
                      c->look.took_us);
}

/* Failures that a look cannot explain: of the machine, which end the order, or of the act, which end the
 * step. */
static void note_failed_acts(struct controller *c, int64_t failed, int64_t done, int error)
{
    const char *call = act_call(controller_step(c)->act), *advice = advice_for(call, error);
    if (advice[0] != '\0')
        controller_fail(c, "%s failed on %s of %s ends: %s: %s", call, grouped(failed).text,
                        grouped(done).text, strerror(error), advice);
    else
        snprintf(c->act_failure.text, sizeof c->act_failure.text, "%s failed on %s of %s ends: %s", call,
                 grouped(failed).text, grouped(done).text,
                 error == EBADMSG ? "the data differs from what was sent" : strerror(error));
}

static void begin_settling(struct controller *c)
{
    int64_t failed = 0, done = 0;
    int error = 0;
    for (int i = 0; i < c->workers.worker_count; i++) {
        failed += c->workers.peers[i].failed;
        done += c->workers.peers[i].acted;
        error = c->workers.peers[i].failed_errno != 0 ? c->workers.peers[i].failed_errno : error;
    }
    c->act_us = monotonic_us() - c->phase_began_us;
    c->times.ended_ms[c->step] = monotonic_us() / 1000;
    c->looks_since_act = 0;
    controller_tell_how_to_look(c, true);
    enter(c, PHASE_SETTLING, settle_us(c));
    if (failed > 0)
        note_failed_acts(c, failed, done, error);
    sampler_now(&c->sampler); /* one that is under way began too early to count; its end schedules the next */
}

/* ---- a stop ---- */

static void end_interrupted(struct controller *c)
{
    end_order(c, OUTCOME_INTERRUPTED);
}

static void ask_interrupted(struct controller *c)
{
    decide(c, OUTCOME_INTERRUPTED);
}

/* What an act has not reached yet stays as it is; only then are the sockets looked up. */
static void stop_workers(struct controller *c)
{
    c->decided = OUTCOME_INTERRUPTED;
    stop_looking(c);
    c->stop_serial++;
    enter(c, PHASE_STOPPING, STOP_LIMIT_MS * INT64_C(1000));
    for (int i = 0; i < c->workers.worker_count; i++) {
        struct peer *peer = &c->workers.peers[i];
        peer->is_stopping = peer_is_alive(peer);
        if (!peer->is_stopping)
            continue;
        c->awaited.stops++;
        controller_ask(peer, MESSAGE_STOP, c->stop_serial);
    }
    if (c->awaited.stops == 0)
        controller_on_event(c, EVENT_STOPPED);
}

/* ---- what each event means ---- */

/* An event without an entry is one that comes too late to mean anything. */
static void (*const machine[PHASE_COUNT][EVENT_COUNT])(struct controller *c) = {
    [PHASE_STARTING] = {[EVENT_GREETED] = begin_listening, [EVENT_STOP] = end_interrupted},
    [PHASE_LISTENING] = {[EVENT_LISTENING] = begin_first_step, [EVENT_STOP] = end_interrupted},
    [PHASE_ACTING] =
        {[EVENT_ACTED] = begin_settling, [EVENT_LOOKED] = show_look, [EVENT_STOP] = stop_workers},
    [PHASE_SETTLING] =
        {[EVENT_LOOKED] = judge_look, [EVENT_TIMER] = take_last_look, [EVENT_STOP] = ask_interrupted},
    [PHASE_HOLDING] = {[EVENT_LOOKED] = judge_look, [EVENT_TIMER] = end_hold, [EVENT_STOP] = ask_interrupted},
    [PHASE_STOPPING] = {[EVENT_STOPPED] = ask_owners, [EVENT_TIMER] = ask_owners},
    [PHASE_ASKING] =
        {[EVENT_OWNERS] = hear_owners, [EVENT_TIMER] = do_without_owners, [EVENT_STOP] = end_interrupted},
};

void controller_on_event(struct controller *c, enum event_kind event)
{
    if (machine[c->phase][event] != NULL)
        machine[c->phase][event](c);
}

static void on_phase_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    controller_on_event(context, EVENT_TIMER);
}

static void on_heartbeat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    controller_tell_progress(c);
    controller_watch(c);
}

/* ---- life ---- */

struct controller *controller_new(struct event_base *base, const struct plan *plan,
                                  const struct order_start *start, int order_index,
                                  const struct observers *observers, int64_t run_began_us)
{
    struct controller *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct controller){
        .base = base,
        .plan = plan,
        .experiment = start->experiment,
        .order = start->experiment->order,
        .ports = start->lanes,
        .order_index = order_index,
        .observers = observers,
        .mode = run_is_arriving(plan->settings) ? &arrivals : &batch,
        .run_began_us = run_began_us,
        .label = {"the start"},
    };
    c->lanes = calloc((size_t)plan->lane_count, sizeof *c->lanes);
    c->phase_timer = evtimer_new(base, on_phase_timer, c);
    c->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, c);
    for (int side = 0; side < SIDE_COUNT; side++)
        controller_name_role(c, (enum side)side);
    int rc = workers_init(&c->workers, base, plan->pairs, plan->settings->hosts, c->roles, on_lost, c);
    rc = rc != 0 ? rc : sampler_init(&c->sampler, base, plan->settings->interval_ms * 1000);
    if (rc != 0 || c->lanes == NULL || c->phase_timer == NULL || c->heartbeat == NULL) {
        controller_free(c);
        return NULL;
    }
    c->workers.on_dead = on_dead;
    controller_hear_looks(c);
    lanes_fill(c->lanes, plan->on_lanes, plan->pairs, plan->lane_capacity);
    return c;
}

void controller_start(struct controller *c)
{
    struct timeval beat = timeval_of_us(HEARTBEAT_MS * 1000);
    c->counters_before = hosts_counters(c->plan->settings->hosts);
    evtimer_add(c->heartbeat, &beat);
    enter(c, PHASE_STARTING, NO_LIMIT);
    if (controller_begin_gauge(c) != 0)
        controller_fail(c, "out of memory");
    else
        controller_start_workers(c);
}

bool controller_is_finished(const struct controller *c)
{
    return controller_is_over(c) && workers_have_left(&c->workers);
}

bool controller_has_failed(const struct controller *c)
{
    return controller_is_over(c) && c->outcome == OUTCOME_FAULT;
}

enum outcome controller_finish(struct controller *c)
{
    event_del(c->heartbeat);
    if (c->gauge_timer != NULL)
        event_del(c->gauge_timer);
    if (c->lost != NULL && c->fault.text[0] == '\0')
        controller_describe_lost(c);
    controller_tell_order_end(c);
    return c->outcome;
}

enum outcome controller_run(struct controller *c)
{
    controller_start(c);
    while (!controller_is_finished(c) && event_base_dispatch(c->base) == 0)
        ;
    if (!controller_is_finished(c)) {
        controller_fail(c, "the event loop failed: %s", strerror(errno));
        workers_end_now(&c->workers);
    }
    return controller_finish(c);
}

bool controller_is_holding(const struct controller *c)
{
    return c->phase == PHASE_HOLDING && c->step == c->mode->step_count(c) - 1;
}

void controller_release(struct controller *c)
{
    if (controller_is_holding(c))
        end_hold(c);
}

void controller_stop(struct controller *c)
{
    controller_on_event(c, EVENT_STOP);
}

void controller_kill(struct controller *c)
{
    workers_kill(&c->workers);
}

void controller_end_now(struct controller *c)
{
    workers_end_now(&c->workers);
    end_order(c, OUTCOME_INTERRUPTED);
}

const struct fault *controller_fault(const struct controller *c)
{
    return &c->fault;
}

void controller_free(struct controller *c)
{
    if (c == NULL)
        return;
    struct event *const events[] = {c->phase_timer, c->heartbeat, c->gauge_timer};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i] != NULL)
            event_free(events[i]);
    sampler_free(&c->sampler);
    workers_free(&c->workers);
    free(c->lanes);
    free(c);
}
