#include "storm/controller.h"

#include "base/number_text.h"
#include "base/version.h"
#include "storm/clock.h"
#include "storm/crew.h"
#include "storm/lookout.h"
#include "storm/verdict.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATE_BEAT_MS = 2000,
    HEARTBEAT_MS = 250,       /* progress and the watch over silent workers */
    SILENCE_LIMIT_MS = 15000, /* a worker that acts reports far more often, SYN retransmissions included */
    LOOK_LIMIT_MS = 120000,   /* 2,000,000 sockets take 9 s on a busy machine */
};

enum phase {
    PHASE_STARTING,  /* processes come up and say hello */
    PHASE_LISTENING, /* servers open their lanes */
    PHASE_ACTING,    /* a step's act is under way */
    PHASE_SETTLING,  /* all acts are acknowledged; the kernel has yet to show what is expected */
    PHASE_HOLDING,   /* it does, and is watched */
    PHASE_ENDING,    /* processes leave */
};

struct controller {
    struct event_base *base;
    const struct plan *plan;
    const struct close_order *order;
    struct port_range ports;
    int order_index;
    const struct observers *observers;
    int64_t run_began_us;

    struct lane *lanes; /* plan->lane_count of them */
    struct crew crew;
    struct peer *lost; /* the one whose end stopped the order */

    enum phase phase;
    int step;
    struct step_label label;
    int64_t phase_began_us;
    int64_t last_beat_us; /* of the heartbeat */
    int64_t last_word_us; /* when a worker was last heard */
    int64_t act_serial;
    int awaited; /* peers that still owe hello, lanes that still owe listening, workers that still act */
    struct act_times times;
    int64_t act_us; /* what the step's act took */

    struct lookout lookout;
    struct event *phase_timer, *heartbeat;
    int looks_since_act; /* complete ones that began after the act was acknowledged */
    bool hold_is_over;
    double settle_s;
    struct look look; /* the last complete one */
    struct { /* what the workers had reported when it began: later, more is opened than it can have met */
        int64_t opened, fds[SIDE_COUNT], errors[SIDE_COUNT];
    } at_look;
    bool has_look;
    bool aged, late_close;
    int64_t assassinated; /* TIME_WAIT that a late RST has ended */

    struct kernel_counters counters_before, moved; /* moved until the outcome was decided */
    bool is_over;                                  /* the outcome is decided */
    enum outcome outcome;
    struct fault fault;
    struct difference difference;
    struct difference act_failure; /* "" unless the step's act failed on some ends */
};

static const struct order_step *current_step(const struct controller *c)
{
    return order_step_at(c->order, c->step);
}

static void enter(struct controller *c, enum phase phase)
{
    c->phase = phase;
    c->phase_began_us = c->last_word_us = monotonic_us();
}

static int64_t opened(const struct controller *c)
{
    int64_t started = 0;
    for (int i = 0; i < c->plan->lane_count; i++)
        started += c->lanes[i].started;
    return started;
}

/* ---- ending ---- */

static struct kernel_counters counters_moved(const struct controller *c)
{
    struct kernel_counters now;
    kernel_counters_read(&now);
    return kernel_counters_moved(&now, &c->counters_before);
}

static void end_order(struct controller *c, enum outcome outcome)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->outcome = outcome;
    c->moved = counters_moved(c); /* before the workers reset what is open: that is no part of the order */
    enter(c, PHASE_ENDING);
    lookout_stop(&c->lookout);
    event_del(c->phase_timer);
    crew_dismiss(&c->crew);
}

static void fail(struct controller *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct controller *c, const char *format, ...)
{
    if (c->is_over)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->fault.text, sizeof c->fault.text, format, arguments);
    va_end(arguments);
    end_order(c, OUTCOME_FAULT);
}

static void on_lost(void *owner, struct peer *peer)
{
    struct controller *c = owner;
    c->lost = peer; /* the sentence is made when its exit status is known */
    end_order(c, OUTCOME_FAULT);
}

static void describe_lost(struct controller *c)
{
    snprintf(c->fault.text, sizeof c->fault.text,
             "%s (pid %d) %s at %s, with %s of %s connections opened; all others were closed down",
             c->lost->process.name, (int)c->lost->process.pid, process_end_text(&c->lost->process).text,
             c->label.text, grouped(opened(c)).text, grouped(c->plan->settings->conns).text);
}

/* ---- telling the observers ---- */

/* A result that has nowhere to go is a fault, even of an order that is over. */
static void check_output(struct controller *c, int rc, const char *name)
{
    if (rc == 0 || c->outcome == OUTCOME_FAULT)
        return;
    c->is_over = false;
    fail(c, "cannot write %s: %s; what was written before is kept", name, strerror(-rc));
}

#define TELL(c, what, argument)                                                                              \
    do {                                                                                                     \
        const char *failed_ = NULL;                                                                          \
        int rc_ = observers_##what((c)->observers, (argument), &failed_);                                    \
        check_output((c), rc_, failed_);                                                                     \
    } while (0)

static void tell_sample(struct controller *c, bool settled)
{
    struct sample sample = {
        .order = c->order,
        .conns = c->plan->settings->conns,
        .t_s = (double)(c->look.began_us - c->run_began_us) / 1e6,
        .look_s = (double)c->look.took_us / 1e6,
        .step = c->label.text,
        .settled = settled,
        .opened = c->at_look.opened,
        .sides = c->look.sides,
    };
    memcpy(sample.fds, c->at_look.fds, sizeof sample.fds);
    memcpy(sample.errors, c->at_look.errors, sizeof sample.errors);
    TELL(c, sample, &sample);
}

static void tell_step_end(struct controller *c, const struct expectation *expectation, bool ok)
{
    double act_s = (double)c->act_us / 1e6;
    struct step_end end = {
        .order = c->order,
        .step = c->label.text,
        .expectation = expectation,
        .sides = c->look.sides,
        .ok = ok,
        .settle_s = c->settle_s,
        .act_s = act_s,
        .rate_per_s = act_s > 0 ? (double)expectation->opened / act_s : 0,
        .difference = ok ? "" : c->difference.text,
    };
    TELL(c, step_end, &end);
}

static void tell_progress(struct controller *c)
{
    static const char *const doing[] = {
        [PHASE_STARTING] = "starting", [PHASE_LISTENING] = "starting", [PHASE_ACTING] = "acting",
        [PHASE_SETTLING] = "settling", [PHASE_HOLDING] = "holding",    [PHASE_ENDING] = "closing down",
    };
    struct progress progress = {
        .order = c->order,
        .step = c->label.text,
        .doing = doing[c->phase],
        .elapsed_s = (double)(monotonic_us() - c->phase_began_us) / 1e6,
    };
    if (c->phase == PHASE_ACTING && c->step == 0) {
        progress.done = opened(c);
        progress.total = c->plan->settings->conns;
    } else if (c->phase == PHASE_ACTING) {
        for (int i = 0; i < c->crew.worker_count; i++)
            progress.done += c->crew.peers[i].acted;
        progress.total = c->plan->settings->conns * (current_step(c)->by == BOTH_SIDES ? 2 : 1);
    }
    observers_progress(c->observers, &progress);
}

/* ---- steps ---- */

static void begin_step(struct controller *c, int step);

static void begin_hold(struct controller *c, double settle_s)
{
    c->settle_s = settle_s;
    c->hold_is_over = false;
    enter(c, PHASE_HOLDING);
    event_del(c->phase_timer); /* it was the deadline for settling */
    if (plan_holds_forever(c->plan, c->order, c->step, c->order_index))
        return;
    int64_t hold_ms = c->plan->settings->hold_ms;
    struct timeval hold = timeval_of_us((hold_ms == HOLD_FOREVER ? 1000 : hold_ms) * 1000);
    evtimer_add(c->phase_timer, &hold);
}

static void on_phase_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    c->hold_is_over = c->phase == PHASE_HOLDING;
    lookout_now(&c->lookout); /* the last word on settling and on holding is a look, or the one under way */
}

static void end_step(struct controller *c, const struct expectation *expectation, bool ok)
{
    tell_step_end(c, expectation, ok);
    if (c->is_over) /* an output failed */
        return;
    if (!ok)
        end_order(c, OUTCOME_DIFFERS);
    else if (c->step + 1 < order_step_count(c->order))
        begin_step(c, c->step + 1);
    else
        end_order(c, OUTCOME_AS_EXPECTED);
}

static struct expectation expected_at(const struct controller *c, int64_t now_us)
{
    struct circumstances circumstances = {.opened = opened(c),
                                          .fin_timeout_ms = c->plan->limits.fin_timeout_ms};
    if (current_step(c)->time_wait_max > 0 && c->plan->limits.rfc1337 == 0)
        circumstances.resets = counters_moved(c).value[COUNTER_OUT_RSTS];
    return expectation_at(c->order, c->step, &c->times, now_us / 1000, &circumstances);
}

static void note_oddities(struct controller *c, const struct expectation *expectation)
{
    c->assassinated = expectation_assassinated(expectation, c->look.sides);
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (!expectation_aged(expectation, &c->look.sides[i], (enum side)i))
            continue;
        c->aged = true;
        c->late_close |= expectation->by_late_close[i];
    }
}

static bool settle_time_is_over(const struct controller *c, int64_t now_us)
{
    return now_us - c->phase_began_us >= plan_settle_ms(c->plan->settings) * 1000;
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

/* What the step is judged by: a look that began after the last act was acknowledged. */
static void judge_look(struct controller *c)
{
    int64_t now_us = c->look.began_us + c->look.took_us;
    bool counts =
        (c->phase == PHASE_SETTLING || c->phase == PHASE_HOLDING) && c->look.began_us >= c->phase_began_us;
    struct expectation expectation = expected_at(c, now_us);
    bool holds = counts && expectation_holds(&expectation, c->look.sides, &c->difference);
    tell_sample(c, holds);
    if (!counts || c->is_over)
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
        end_step(c, &expectation, holds);
}

static void on_look_begin(void *owner)
{
    struct controller *c = owner;
    c->at_look.opened = opened(c);
    crew_sum(&c->crew, c->at_look.fds, c->at_look.errors);
}

static void on_look(void *owner, const struct look *look)
{
    struct controller *c = owner;
    c->look = *look;
    c->has_look = true;
    judge_look(c);
    bool settling = c->phase == PHASE_SETTLING;
    if (settling && (c->looks_since_act == 0 || settle_time_is_over(c, monotonic_us())))
        lookout_now(&c->lookout);
    else
        lookout_later(&c->lookout, (settling && c->looks_since_act >= 2) || c->phase == PHASE_ACTING,
                      look->took_us);
}

static void on_blind(void *owner, int error)
{
    struct controller *c = owner;
    fail(c, "the witness (%s) could not read the kernel's sockets again and again: %s",
         c->plan->witness->name, strerror(error));
}

/* Failures that a look cannot explain: of the machine, which end the order, or of the act, which end the
 * step. */
static void note_failed_acts(struct controller *c, int64_t failed, int64_t done, int error)
{
    const char *call = act_call(current_step(c)->act), *advice = fault_advice(call, error);
    if (advice[0] != '\0')
        fail(c, "%s failed on %s of %s ends: %s: %s", call, grouped(failed).text, grouped(done).text,
             strerror(error), advice);
    else
        snprintf(c->act_failure.text, sizeof c->act_failure.text, "%s failed on %s of %s ends: %s", call,
                 grouped(failed).text, grouped(done).text,
                 error == EBADMSG ? "the data differs from what was sent" : strerror(error));
}

static void act_is_done(struct controller *c)
{
    int64_t failed = 0, done = 0;
    int error = 0;
    for (int i = 0; i < c->crew.worker_count; i++) {
        failed += c->crew.peers[i].failed;
        done += c->crew.peers[i].acted;
        error = c->crew.peers[i].failed_errno != 0 ? c->crew.peers[i].failed_errno : error;
    }
    c->act_us = monotonic_us() - c->phase_began_us;
    c->times.ended_ms[c->step] = monotonic_us() / 1000;
    c->looks_since_act = 0;
    enter(c, PHASE_SETTLING);
    if (failed > 0)
        note_failed_acts(c, failed, done, error);
    if (c->is_over)
        return;
    struct timeval settle = timeval_of_us(plan_settle_ms(c->plan->settings) * 1000);
    evtimer_add(c->phase_timer, &settle);
    lookout_now(&c->lookout); /* one that is under way began too early to count; its end schedules the next */
}

static void begin_opening(struct controller *c)
{
    c->awaited = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++) {
        const struct lane *lane = &c->lanes[i];
        wire_send(crew_client(&c->crew, lane->pair)->wire, "connect %d %s %u %lld", i,
                  address_text(&c->plan->settings->address).text, c->ports.first + i, (long long)lane->quota);
        wire_send(crew_client(&c->crew, lane->pair)->wire, "credit %d %lld", i, (long long)c->plan->window);
    }
}

static void begin_act(struct controller *c, const struct order_step *step)
{
    c->act_serial++;
    c->awaited = 0;
    for (int i = 0; i < c->crew.worker_count; i++) {
        struct peer *peer = &c->crew.peers[i];
        peer->acted = peer->failed = 0;
        peer->failed_errno = 0;
        peer->acting = (step->by & SIDE_SET(peer->side)) != 0;
        if (!peer->acting)
            continue;
        c->awaited++;
        /* Two sides that walk the same way would race for every pair; so each is first on about half. */
        bool backwards = step->by == BOTH_SIDES && peer->side == SIDE_CLIENT;
        wire_send(peer->wire, "act %lld %s %s", (long long)c->act_serial, act_name(step->act),
                  backwards ? "backwards" : "forwards");
    }
}

static void begin_step(struct controller *c, int step)
{
    c->step = step;
    c->label = order_step_label(current_step(c));
    enter(c, PHASE_ACTING);
    c->times.began_ms[step] = monotonic_us() / 1000;
    c->times.ended_ms[step] = INT64_MAX / 1000;
    if (current_step(c)->act == ACT_OPEN)
        begin_opening(c);
    else
        begin_act(c, current_step(c));
    lookout_later(&c->lookout, true, c->look.took_us);
}

/* ---- what workers say ---- */

static bool lane_is_open(const struct lane *lane)
{
    return lane->connected >= lane->quota && lane->accepted >= lane->quota;
}

static struct lane *lane_in(struct controller *c, const struct wire_line *line)
{
    int64_t i = wire_number(line, 1);
    return i >= 0 && i < c->plan->lane_count ? &c->lanes[i] : NULL;
}

static void note_lane(struct controller *c, bool was_open, const struct lane *lane)
{
    if (!was_open && lane_is_open(lane) && --c->awaited == 0 && c->phase == PHASE_ACTING)
        act_is_done(c);
}

static void on_hello(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    const char *version = line->count > 2 ? line->word[2] : "?";
    if (wire_number(line, 1) != WIRE_PROTOCOL || strcmp(version, TCPSTORM_VERSION) != 0) {
        fail(c, "%s is tcpstorm %s, this is %s: use the same version", peer->process.name, version,
             TCPSTORM_VERSION);
        return;
    }
    if (peer->said_hello)
        return;
    peer->said_hello = true;
    if (--c->awaited > 0)
        return;
    enter(c, PHASE_LISTENING);
    c->awaited = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++)
        wire_send(crew_server(&c->crew, c->lanes[i].pair)->wire, "listen %d %s %u %d %lld", i,
                  address_text(&c->plan->settings->address).text, c->ports.first + i, c->plan->backlog,
                  (long long)c->lanes[i].quota);
    wire_send(c->crew.witness->wire, "target %s %u %u", address_text(&c->plan->settings->address).text,
              c->ports.first, c->ports.last);
}

static void on_listening(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    struct lane *lane = lane_in(c, line);
    if (lane == NULL || lane->listening)
        return;
    lane->listening = true;
    if (--c->awaited == 0)
        begin_step(c, 0);
}

static void on_accepted(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    struct lane *lane = lane_in(c, line);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(lane);
    lane->accepted = wire_number(line, 2);
    peer->fds = wire_number(line, 3);
    peer->errors = wire_number(line, 4);
    if (lane->accepted < lane->quota)
        wire_send(crew_client(&c->crew, lane->pair)->wire, "credit %lld %lld",
                  (long long)wire_number(line, 1), (long long)(lane->accepted + c->plan->window));
    note_lane(c, was_open, lane);
}

static void on_opened(struct peer *peer, const struct wire_line *line)
{
    struct lane *lane = lane_in(peer->owner, line);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(lane);
    lane->started = wire_number(line, 2);
    lane->connected = wire_number(line, 3);
    peer->fds = wire_number(line, 4);
    peer->errors = wire_number(line, 5);
    note_lane(peer->owner, was_open, lane);
}

static void on_acted(struct peer *peer, const struct wire_line *line)
{
    const struct controller *c = peer->owner;
    if (wire_number(line, 1) != c->act_serial)
        return;
    peer->acted = wire_number(line, 2);
    peer->failed = wire_number(line, 3);
    peer->failed_errno = (int)wire_number(line, 4);
    peer->fds = wire_number(line, 5);
}

static void on_done(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    on_acted(peer, line);
    if (!peer->acting || wire_number(line, 1) != c->act_serial)
        return;
    peer->acting = false;
    if (--c->awaited == 0)
        act_is_done(c);
}

static void on_fault(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    const char *call = line->count > 1 ? line->word[1] : "?";
    int error = (int)wire_number(line, 2);
    const char *advice = fault_advice(call, error);
    char where[32] = "";
    if (wire_number(line, 3) > 0)
        snprintf(where, sizeof where, " on port %lld", (long long)wire_number(line, 3));
    fail(c, "%s(): %s (%s)%s in %s, with %s of %s connections opened%s%s", call, strerror(error),
         strerrorname_np(error) != NULL ? strerrorname_np(error) : "?", where, peer->process.name,
         grouped(opened(c)).text, grouped(c->plan->settings->conns).text, advice[0] != '\0' ? ": " : "",
         advice);
}

struct verb {
    const char *name;
    void (*run)(struct peer *peer, const struct wire_line *line);
};

static const struct verb verbs[] = {
    {"accepted", on_accepted}, {"opened", on_opened},       {"acted", on_acted}, {"done", on_done},
    {"hello", on_hello},       {"listening", on_listening}, {"fault", on_fault},
};

static void on_line(void *context, const struct wire_line *line)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (c->is_over || (peer->is_witness && lookout_hear(&c->lookout, line)))
        return;
    if (!peer->is_witness)
        c->last_word_us = monotonic_us();
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, line->word[0]) == 0) {
            verbs[i].run(peer, line);
            return;
        }
    }
    fail(c, "%s speaks another protocol: \"%s\"", peer->process.name, line->word[0]);
}

/* ---- the watch ---- */

static const struct peer *silent_worker(const struct controller *c)
{
    for (int i = 0; i < c->crew.count; i++)
        if (c->phase == PHASE_STARTING ? !c->crew.peers[i].said_hello : c->crew.peers[i].acting)
            return &c->crew.peers[i];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (!c->lanes[i].listening || c->lanes[i].accepted < c->lanes[i].started)
            return &c->crew.peers[c->lanes[i].pair];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (c->lanes[i].connected < c->lanes[i].quota)
            return &c->crew.peers[c->plan->pairs + c->lanes[i].pair];
    return &c->crew.peers[0];
}

static void on_heartbeat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    int64_t now_us = monotonic_us();
    if (now_us - c->last_beat_us >
        LATE_BEAT_MS * 1000) /* this process was stopped, and its workers with it */
        c->last_word_us = now_us;
    c->last_beat_us = now_us;
    tell_progress(c);
    if (c->is_over)
        return;
    if (c->phase <= PHASE_ACTING && now_us - c->last_word_us > SILENCE_LIMIT_MS * 1000) {
        const struct peer *silent = silent_worker(c);
        fail(c, "%s (pid %d) made no progress for %d s at %s, with %s of %s connections opened",
             silent->process.name, (int)silent->process.pid, SILENCE_LIMIT_MS / 1000, c->label.text,
             grouped(opened(c)).text, grouped(c->plan->settings->conns).text);
        crew_kill(&c->crew);
    } else if (lookout_waiting_us(&c->lookout) > (int64_t)LOOK_LIMIT_MS * 1000) {
        fail(c, "the witness (pid %d) did not answer for %d s", (int)c->crew.witness->process.pid,
             LOOK_LIMIT_MS / 1000);
        crew_kill(&c->crew);
    }
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
        .order = start->order,
        .ports = start->lanes,
        .order_index = order_index,
        .observers = observers,
        .run_began_us = run_began_us,
        .label = {"the start"},
    };
    c->lanes = calloc((size_t)plan->lane_count, sizeof *c->lanes);
    c->phase_timer = evtimer_new(base, on_phase_timer, c);
    c->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, c);
    int rc = crew_init(&c->crew, base, plan->pairs, on_lost, c);
    rc = rc != 0 ? rc : lookout_init(&c->lookout, base, plan->settings->interval_ms * 1000);
    if (rc != 0 || c->lanes == NULL || c->phase_timer == NULL || c->heartbeat == NULL) {
        controller_free(c);
        return NULL;
    }
    c->lookout.on_begin = on_look_begin;
    c->lookout.on_look = on_look;
    c->lookout.on_blind = on_blind;
    c->lookout.owner = c;
    lanes_fill(c->lanes, plan->settings->conns, plan->pairs, plan->lane_capacity);
    return c;
}

static void start_crew(struct controller *c)
{
    struct peer *failed;
    enter(c, PHASE_STARTING);
    c->awaited = c->crew.count;
    int rc = crew_start(&c->crew, on_line, &failed);
    if (rc == -EAGAIN)
        fail(c, "cannot start %s: raise the limit of processes (ulimit -u) or lower --conns",
             failed->process.name);
    else if (rc != 0)
        fail(c, "cannot start %s: %s; lower --conns", failed->process.name, strerror(-rc));
    c->lookout.witness = c->crew.witness->wire;
    if (rc == 0)
        wire_send(c->crew.witness->wire, "backend %s", c->plan->witness->name);
}

static void tell_order_end(struct controller *c)
{
    struct verdict_input input = {
        .order = c->order,
        .outcome = c->outcome,
        .difference = c->difference.text,
        .fault = c->fault.text,
        .step = c->label.text,
        .opened = opened(c),
        .sides = c->has_look ? c->look.sides : NULL,
        .aged = c->aged,
        .late_close = c->late_close,
        .assassinated = c->assassinated,
        .failed_looks = c->lookout.failed_in_all,
        .ehash_entries = c->plan->limits.ehash_entries,
        .look_pause_us = c->lookout.stretched_us,
        .look_took_us = c->look.took_us,
        .fin_timeout_ms = c->plan->limits.fin_timeout_ms,
        .moved = &c->moved,
    };
    int64_t errors[SIDE_COUNT];
    crew_sum(&c->crew, input.fds, errors);
    struct verdict verdict = verdict_of(&input);
    struct order_end end = {.order = c->order,
                            .outcome = c->outcome,
                            .verdict = verdict.text,
                            .moved = &c->moved,
                            .failed_looks = c->lookout.failed_in_all};
    TELL(c, order_end, &end);
}

enum outcome controller_run(struct controller *c)
{
    struct timeval beat = timeval_of_us(HEARTBEAT_MS * 1000);
    kernel_counters_read(&c->counters_before);
    evtimer_add(c->heartbeat, &beat);
    start_crew(c);
    if (event_base_dispatch(c->base) < 0 || !c->is_over)
        fail(c, "the event loop ended early");
    if (c->lost != NULL)
        describe_lost(c);
    tell_order_end(c);
    return c->outcome;
}

void controller_interrupt(struct controller *c)
{
    if (c->is_over)
        crew_kill(&c->crew);
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
    struct event *const events[] = {c->phase_timer, c->heartbeat};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i] != NULL)
            event_free(events[i]);
    lookout_free(&c->lookout);
    crew_free(&c->crew);
    free(c->lanes);
    free(c);
}
