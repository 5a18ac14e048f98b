#include "storm/controller.h"

#include "base/number_text.h"
#include "base/version.h"
#include "storm/peer.h"
#include "storm/verdict.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum {
    HEARTBEAT_MS = 250,       /* progress and the watch over silent workers */
    SILENCE_LIMIT_MS = 15000, /* a worker that acts reports far more often, SYN retransmissions included */
    LOOK_LIMIT_MS = 120000,   /* 2,000,000 sockets take 9 s on a busy machine */
    FAILED_LOOKS_MAX = 10,    /* in a row */
    QUIT_PATIENCE_MS = 10000, /* then SIGKILL */
    LOOK_SHARE = 5,           /* looks take at most this part of the time while ends are acted on */
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
    struct peer *peers; /* servers, then clients, then the witness */
    int peer_count;
    struct peer *witness;
    struct peer *lost; /* the one whose end stopped the order */

    enum phase phase;
    int step;
    struct step_label label;
    int64_t phase_began_us;
    int64_t last_word_us; /* when a worker was last heard */
    int64_t act_serial;
    int awaited; /* peers that still owe hello, lanes that still owe listening, workers that still act */
    int64_t act_began_us;
    struct act_times times;

    struct event *look_timer, *hold_timer, *heartbeat, *ending_timer, *child_signal;
    bool looking;
    int64_t look_serial;
    int64_t look_began_us;
    int failed_looks;    /* in a row */
    int looks_since_act; /* complete ones that began after the act was acknowledged */
    bool hold_is_over;
    double settle_s;
    struct histogram sides[SIDE_COUNT]; /* the last complete look */
    bool has_look;
    bool aged, late_close;
    int64_t assassinated; /* TIME_WAIT that a late RST has ended */

    struct kernel_counters counters_before;
    bool is_over; /* the outcome is decided */
    enum outcome outcome;
    struct fault fault;
    struct difference difference;
};

int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct timeval after_us(int64_t us)
{
    us = us > 0 ? us : 0;
    return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static int worker_count(const struct controller *c)
{
    return 2 * c->plan->pairs;
}

static struct peer *server_of(struct controller *c, const struct lane *lane)
{
    return &c->peers[lane->pair];
}

static struct peer *client_of(struct controller *c, const struct lane *lane)
{
    return &c->peers[c->plan->pairs + lane->pair];
}

static const struct order_step *current_step(const struct controller *c)
{
    return order_step_at(c->order, c->step);
}

static void enter(struct controller *c, enum phase phase)
{
    c->phase = phase;
    c->phase_began_us = c->last_word_us = monotonic_us();
}

/* ---- ending ---- */

static void end_order(struct controller *c, enum outcome outcome)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->outcome = outcome;
    enter(c, PHASE_ENDING);
    event_del(c->look_timer);
    event_del(c->hold_timer);
    for (int i = 0; i < c->peer_count; i++)
        peer_quit(&c->peers[i]);
    struct timeval patience = after_us(QUIT_PATIENCE_MS * 1000);
    evtimer_add(c->ending_timer, &patience);
    event_active(c->child_signal, EV_TIMEOUT, 1); /* there may be nothing left to wait for */
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

static void kill_all(struct controller *c)
{
    for (int i = 0; i < c->peer_count; i++)
        process_kill(&c->peers[i].process);
}

static void on_ending_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    kill_all(context);
}

static void peer_lost(struct controller *c, struct peer *peer)
{
    if (c->is_over)
        return;
    c->lost = peer; /* the sentence is made when its exit status is known */
    end_order(c, OUTCOME_FAULT);
}

static void on_child(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    int alive = 0;
    for (int i = 0; i < c->peer_count; i++) {
        if (process_reap(&c->peers[i].process))
            peer_lost(c, &c->peers[i]);
        alive += c->peers[i].process.pid != 0 && !c->peers[i].process.ended;
    }
    if (c->is_over && alive == 0)
        event_base_loopbreak(c->base);
}

static void describe_lost(struct controller *c)
{
    int64_t done = 0, conns = c->plan->settings->conns;
    for (int i = 0; i < c->plan->lane_count; i++)
        done += c->lanes[i].connected;
    snprintf(c->fault.text, sizeof c->fault.text,
             "%s (pid %d) %s at %s, with %s of %s connections opened; all others were closed down",
             c->lost->process.name, (int)c->lost->process.pid, process_end_text(&c->lost->process).text,
             c->label.text, grouped(done).text, grouped(conns).text);
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

static int64_t opened(const struct controller *c)
{
    int64_t started = 0;
    for (int i = 0; i < c->plan->lane_count; i++)
        started += c->lanes[i].started;
    return started;
}

static void sum_reports(const struct controller *c, int64_t fds[SIDE_COUNT], int64_t errors[SIDE_COUNT])
{
    memset(fds, 0, SIDE_COUNT * sizeof *fds);
    memset(errors, 0, SIDE_COUNT * sizeof *errors);
    for (int i = 0; i < worker_count(c); i++) {
        fds[c->peers[i].side] += c->peers[i].fds;
        errors[c->peers[i].side] += c->peers[i].errors;
    }
}

static void tell_sample(struct controller *c, double look_s, bool settled)
{
    struct sample sample = {
        .order = c->order,
        .conns = c->plan->settings->conns,
        .t_s = (double)(c->look_began_us - c->run_began_us) / 1e6,
        .look_s = look_s,
        .step = c->label.text,
        .settled = settled,
        .opened = opened(c),
        .sides = c->sides,
    };
    sum_reports(c, sample.fds, sample.errors);
    TELL(c, sample, &sample);
}

static void tell_step_end(struct controller *c, const struct expectation *expectation, bool ok)
{
    double act_s = (double)(c->times.ended_ms[c->step] - c->times.began_ms[c->step]) / 1e3;
    if (c->times.ended_ms[c->step] == c->times.began_ms[c->step])
        act_s = 0.0005; /* below the clock's unit */
    struct step_end end = {
        .order = c->order,
        .step = c->label.text,
        .expectation = expectation,
        .sides = c->sides,
        .ok = ok,
        .settle_s = c->settle_s,
        .act_s = act_s,
        .rate_per_s = (double)expectation->opened / act_s,
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
        for (int i = 0; i < worker_count(c); i++)
            progress.done += c->peers[i].acted;
        progress.total = c->plan->settings->conns * (current_step(c)->by == BOTH_SIDES ? 2 : 1);
    }
    observers_progress(c->observers, &progress);
}

/* ---- looking ---- */

static void look(struct controller *c)
{
    event_del(c->look_timer);
    if (c->looking || c->is_over)
        return;
    c->looking = true;
    c->look_began_us = monotonic_us();
    wire_send(c->witness->wire, "look %lld", (long long)++c->look_serial);
}

static void on_look_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    look(context);
}

/* A look at millions of sockets takes seconds, and looking without pause slows the storm that it watches. */
static void schedule_look(struct controller *c, int64_t took_us)
{
    int64_t wait = c->plan->settings->interval_ms * 1000 - took_us;
    int64_t rest = (LOOK_SHARE - 1) * took_us;
    if (c->phase == PHASE_ACTING && wait < rest)
        wait = rest;
    if (c->phase == PHASE_SETTLING && c->looks_since_act == 0)
        wait = 0;
    struct timeval delay = after_us(wait);
    evtimer_add(c->look_timer, &delay);
}

/* ---- steps ---- */

static void begin_step(struct controller *c, int step);

static void begin_hold(struct controller *c, double settle_s)
{
    c->settle_s = settle_s;
    c->hold_is_over = false;
    enter(c, PHASE_HOLDING);
    if (plan_holds_forever(c->plan, c->order, c->step, c->order_index))
        return;
    int64_t hold_ms = c->plan->settings->hold_ms;
    struct timeval hold = after_us((hold_ms == HOLD_FOREVER ? 1000 : hold_ms) * 1000);
    evtimer_add(c->hold_timer, &hold);
}

static void on_hold_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    c->hold_is_over = true;
    look(c); /* the last word of the step is a look after the hold, or the one under way */
}

static void end_step(struct controller *c, const struct expectation *expectation, bool ok)
{
    tell_step_end(c, expectation, ok);
    if (!ok)
        end_order(c, OUTCOME_DIFFERS);
    else if (c->step + 1 < order_step_count(c->order))
        begin_step(c, c->step + 1);
    else
        end_order(c, OUTCOME_AS_EXPECTED);
}

static struct kernel_counters counters_moved(const struct controller *c)
{
    struct kernel_counters now;
    kernel_counters_read(&now);
    return kernel_counters_moved(&now, &c->counters_before);
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
    c->assassinated = expectation_assassinated(expectation, c->sides);
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (!expectation_aged(expectation, &c->sides[i], (enum side)i))
            continue;
        c->aged = true;
        c->late_close |= state_set_has(current_step(c)->expect[i], STATE_TIME_WAIT) &&
                         monotonic_us() / 1000 - c->times.began_ms[c->step] < TIME_WAIT_LENGTH_MS;
    }
}

static void settle_or_give_up(struct controller *c, const struct expectation *expectation, bool holds,
                              int64_t now_us)
{
    int64_t waited_us = now_us - c->phase_began_us;
    if (holds)
        begin_hold(c, (double)waited_us / 1e6);
    else if (waited_us >= c->plan->settings->settle_ms * 1000 && c->looks_since_act >= 2) {
        c->settle_s = (double)waited_us / 1e6;
        end_step(c, expectation, false);
    }
}

/* What the step is judged by: a look that began after the last act was acknowledged. */
static void judge_look(struct controller *c, int64_t took_us)
{
    int64_t now_us = c->look_began_us + took_us;
    bool counts = (c->phase == PHASE_SETTLING || c->phase == PHASE_HOLDING) &&
                  c->look_began_us >= c->times.ended_ms[c->step] * 1000;
    struct expectation expectation = expected_at(c, now_us);
    bool holds = counts && expectation_holds(&expectation, c->sides, &c->difference);
    tell_sample(c, (double)took_us / 1e6, holds);
    if (!counts || c->is_over)
        return;
    c->looks_since_act++;
    if (holds)
        note_oddities(c, &expectation);
    if (c->phase == PHASE_SETTLING)
        settle_or_give_up(c, &expectation, holds, now_us);
    if (c->phase == PHASE_HOLDING && c->hold_is_over)
        end_step(c, &expectation, holds);
}

static void on_seen(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->controller;
    if (wire_number(line, 1) != c->look_serial || line->count != 3 + 2 * STATE_COUNT)
        return;
    c->looking = false;
    c->has_look = true;
    c->failed_looks = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int state = 0; state < STATE_COUNT; state++)
            c->sides[side].of[state] = wire_number(line, 3 + side * STATE_COUNT + state);
    int64_t took_us = wire_number(line, 2);
    judge_look(c, took_us);
    if (!c->is_over && !c->looking)
        schedule_look(c, took_us);
}

static void on_unseen(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->controller;
    c->looking = false;
    if (++c->failed_looks >= FAILED_LOOKS_MAX)
        fail(c, "the witness (%s) could not read the kernel's sockets %d times in a row: %s",
             c->plan->witness->name, c->failed_looks, strerror((int)wire_number(line, 3)));
    else
        schedule_look(c, wire_number(line, 2));
}

static void act_is_done(struct controller *c)
{
    int64_t failed = 0, done = 0;
    int error = 0;
    c->times.ended_ms[c->step] = monotonic_us() / 1000;
    for (int i = 0; i < worker_count(c); i++) {
        failed += c->peers[i].failed;
        done += c->peers[i].acted;
        error = c->peers[i].failed_errno != 0 ? c->peers[i].failed_errno : error;
    }
    c->looks_since_act = 0;
    enter(c, PHASE_SETTLING);
    if (failed > 0) {
        struct expectation expectation = expected_at(c, c->times.ended_ms[c->step] * 1000);
        snprintf(c->difference.text, sizeof c->difference.text, "%s failed on %s of %s ends: %s",
                 act_call(current_step(c)->act), grouped(failed).text, grouped(done).text,
                 error == EBADMSG ? "the data differs from what was sent" : strerror(error));
        c->settle_s = 0;
        end_step(c, &expectation, false);
        return;
    }
    look(c); /* one that is under way began too early to count; its end schedules the next */
}

static void begin_opening(struct controller *c)
{
    c->awaited = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++) {
        const struct lane *lane = &c->lanes[i];
        wire_send(client_of(c, lane)->wire, "connect %d %s %u %lld", i,
                  address_text(&c->plan->settings->address).text, c->ports.first + i, (long long)lane->quota);
        wire_send(client_of(c, lane)->wire, "credit %d %lld", i, (long long)c->plan->window);
    }
}

static void begin_act(struct controller *c, const struct order_step *step)
{
    c->act_serial++;
    c->awaited = 0;
    for (int i = 0; i < worker_count(c); i++) {
        struct peer *peer = &c->peers[i];
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
    schedule_look(c, 0);
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
    struct controller *c = peer->controller;
    const char *version = line->count > 2 ? line->word[2] : "?";
    if (wire_number(line, 1) != WIRE_PROTOCOL || strcmp(version, TCPSTORM_VERSION) != 0) {
        fail(c, "%s is tcpstorm %s, this is %s: use the same version", peer->process.name, version,
             TCPSTORM_VERSION);
        return;
    }
    if (peer->said_hello || --c->awaited > 0)
        return;
    enter(c, PHASE_LISTENING);
    c->awaited = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++)
        wire_send(server_of(c, &c->lanes[i])->wire, "listen %d %s %u %d %lld", i,
                  address_text(&c->plan->settings->address).text, c->ports.first + i, c->plan->backlog,
                  (long long)c->lanes[i].quota);
    wire_send(c->witness->wire, "target %s %u %u", address_text(&c->plan->settings->address).text,
              c->ports.first, c->ports.last);
}

static void on_listening(struct peer *peer, const struct wire_line *line)
{
    (void)line;
    struct controller *c = peer->controller;
    if (--c->awaited == 0)
        begin_step(c, 0);
}

static void on_accepted(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->controller;
    struct lane *lane = lane_in(c, line);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(lane);
    lane->accepted = wire_number(line, 2);
    peer->fds = wire_number(line, 3);
    peer->errors = wire_number(line, 4);
    if (lane->accepted < lane->quota)
        wire_send(client_of(c, lane)->wire, "credit %lld %lld", (long long)wire_number(line, 1),
                  (long long)(lane->accepted + c->plan->window));
    note_lane(c, was_open, lane);
}

static void on_opened(struct peer *peer, const struct wire_line *line)
{
    struct lane *lane = lane_in(peer->controller, line);
    if (lane == NULL)
        return;
    bool was_open = lane_is_open(lane);
    lane->started = wire_number(line, 2);
    lane->connected = wire_number(line, 3);
    peer->fds = wire_number(line, 4);
    peer->errors = wire_number(line, 5);
    note_lane(peer->controller, was_open, lane);
}

static void on_acted(struct peer *peer, const struct wire_line *line)
{
    if (wire_number(line, 1) != peer->controller->act_serial)
        return;
    peer->acted = wire_number(line, 2);
    peer->failed = wire_number(line, 3);
    peer->failed_errno = (int)wire_number(line, 4);
    peer->fds = wire_number(line, 5);
}

static void on_done(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->controller;
    on_acted(peer, line);
    if (!peer->acting || wire_number(line, 1) != c->act_serial)
        return;
    peer->acting = false;
    if (--c->awaited == 0)
        act_is_done(c);
}

static void on_fault(struct peer *peer, const struct wire_line *line)
{
    const char *call = line->count > 1 ? line->word[1] : "?";
    int error = (int)wire_number(line, 2);
    const char *advice = fault_advice(call, error);
    char where[32] = "";
    if (wire_number(line, 3) > 0)
        snprintf(where, sizeof where, " on port %lld", (long long)wire_number(line, 3));
    fail(peer->controller, "%s(): %s (%s)%s in %s, with %s of %s connections opened%s%s", call,
         strerror(error), strerrorname_np(error) != NULL ? strerrorname_np(error) : "?", where,
         peer->process.name, grouped(opened(peer->controller)).text,
         grouped(peer->controller->plan->settings->conns).text, advice[0] != '\0' ? ": " : "", advice);
}

struct verb {
    const char *name;
    void (*run)(struct peer *peer, const struct wire_line *line);
};

static const struct verb verbs[] = {
    {"accepted", on_accepted}, {"opened", on_opened},       {"acted", on_acted},
    {"done", on_done},         {"seen", on_seen},           {"unseen", on_unseen},
    {"hello", on_hello},       {"listening", on_listening}, {"fault", on_fault},
};

static void on_line(void *context, const struct wire_line *line)
{
    struct peer *peer = context;
    struct controller *c = peer->controller;
    if (c->is_over)
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

static void on_stream_end(void *context)
{
    struct peer *peer = context;
    peer_lost(peer->controller, peer);
}

/* ---- the watch ---- */

static const struct peer *silent_worker(const struct controller *c)
{
    for (int i = 0; i < c->peer_count; i++)
        if (c->phase == PHASE_STARTING ? !c->peers[i].said_hello : c->peers[i].acting)
            return &c->peers[i];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (c->lanes[i].accepted < c->lanes[i].started)
            return &c->peers[c->lanes[i].pair];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (c->lanes[i].connected < c->lanes[i].quota)
            return &c->peers[c->plan->pairs + c->lanes[i].pair];
    return &c->peers[0];
}

static void on_heartbeat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct controller *c = context;
    int64_t now_us = monotonic_us();
    tell_progress(c);
    if (c->is_over)
        return;
    if (c->phase <= PHASE_ACTING && now_us - c->last_word_us > SILENCE_LIMIT_MS * 1000) {
        const struct peer *silent = silent_worker(c);
        fail(c, "%s (pid %d) made no progress for %d s at %s, with %s of %s connections opened",
             silent->process.name, (int)silent->process.pid, SILENCE_LIMIT_MS / 1000, c->label.text,
             grouped(opened(c)).text, grouped(c->plan->settings->conns).text);
        kill_all(c);
    } else if (c->looking && now_us - c->look_began_us > (int64_t)LOOK_LIMIT_MS * 1000) {
        fail(c, "the witness (pid %d) did not answer for %d s", (int)c->witness->process.pid,
             LOOK_LIMIT_MS / 1000);
        kill_all(c);
    }
}

/* ---- life ---- */

static void name_peers(struct controller *c)
{
    for (int i = 0; i < c->peer_count; i++) {
        struct peer *peer = &c->peers[i];
        peer->controller = c;
        peer->is_witness = i == worker_count(c);
        peer->side = i < c->plan->pairs ? SIDE_SERVER : SIDE_CLIENT;
        if (peer->is_witness)
            snprintf(peer->process.name, sizeof peer->process.name, "the witness");
        else
            snprintf(peer->process.name, sizeof peer->process.name, "%s worker %d", side_name(peer->side),
                     i % c->plan->pairs);
    }
    c->witness = &c->peers[worker_count(c)];
}

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
        .peer_count = 2 * plan->pairs + 1,
        .label = {"the start"},
    };
    c->lanes = calloc((size_t)plan->lane_count, sizeof *c->lanes);
    c->peers = calloc((size_t)c->peer_count, sizeof *c->peers);
    c->look_timer = evtimer_new(base, on_look_timer, c);
    c->hold_timer = evtimer_new(base, on_hold_timer, c);
    c->ending_timer = evtimer_new(base, on_ending_timer, c);
    c->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, c);
    c->child_signal = evsignal_new(base, SIGCHLD, on_child, c);
    if (c->lanes == NULL || c->peers == NULL || c->look_timer == NULL || c->hold_timer == NULL ||
        c->ending_timer == NULL || c->heartbeat == NULL || c->child_signal == NULL) {
        controller_free(c);
        return NULL;
    }
    lanes_fill(c->lanes, plan->settings->conns, plan->pairs, plan->lane_capacity);
    name_peers(c);
    return c;
}

static void start_peers(struct controller *c)
{
    enter(c, PHASE_STARTING);
    c->awaited = c->peer_count;
    for (int i = 0; i < c->peer_count && !c->is_over; i++) {
        int rc = peer_start(&c->peers[i], c->base, on_line, on_stream_end);
        if (rc != 0)
            fail(c, "cannot start %s: %s; %s", c->peers[i].process.name, strerror(-rc),
                 rc == -EAGAIN ? "raise the limit of processes (ulimit -u) or lower --conns"
                               : "lower --conns or free memory");
    }
    if (c->witness->wire != NULL)
        wire_send(c->witness->wire, "backend %s", c->plan->witness->name);
}

static void tell_order_end(struct controller *c)
{
    struct kernel_counters moved = counters_moved(c);
    struct verdict_input input = {
        .order = c->order,
        .outcome = c->outcome,
        .difference = c->difference.text,
        .fault = c->fault.text,
        .step = c->label.text,
        .opened = opened(c),
        .sides = c->has_look ? c->sides : NULL,
        .aged = c->aged,
        .late_close = c->late_close,
        .assassinated = c->assassinated,
        .fin_timeout_ms = c->plan->limits.fin_timeout_ms,
        .moved = &moved,
    };
    int64_t errors[SIDE_COUNT];
    sum_reports(c, input.fds, errors);
    struct verdict verdict = verdict_of(&input);
    struct order_end end = {
        .order = c->order, .outcome = c->outcome, .verdict = verdict.text, .moved = &moved};
    TELL(c, order_end, &end);
}

enum outcome controller_run(struct controller *c)
{
    struct timeval beat = after_us(HEARTBEAT_MS * 1000);
    kernel_counters_read(&c->counters_before);
    event_add(c->child_signal, NULL);
    evtimer_add(c->heartbeat, &beat);
    start_peers(c);
    event_base_dispatch(c->base);
    if (c->lost != NULL)
        describe_lost(c);
    tell_order_end(c);
    return c->outcome;
}

void controller_interrupt(struct controller *c)
{
    if (c->is_over)
        kill_all(c);
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
    struct event *const events[] = {c->look_timer, c->hold_timer, c->ending_timer, c->heartbeat,
                                    c->child_signal};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i] != NULL)
            event_free(events[i]);
    for (int i = 0; c->peers != NULL && i < c->peer_count; i++)
        peer_free(&c->peers[i]);
    free(c->peers);
    free(c->lanes);
    free(c);
}
