#include "storm/controller_state.h"

#include "base/number_text.h"
#include "base/version.h"
#include "storm/clock.h"
#include "storm/team.h"

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

const struct address *controller_lane_address(const struct controller *c, const struct lane *lane)
{
    const struct host *host = crew_server(&c->crew, lane->pair)->host;
    return host != NULL ? &host->address : &c->plan->settings->address;
}

int64_t controller_opened(const struct controller *c)
{
    int64_t opened = 0;
    for (int pair = 0; pair < c->plan->pairs; pair++)
        opened += c->course->opened_by(c, pair);
    return opened;
}

void controller_tell_witnesses(struct controller *c, const char *line)
{
    for (int i = 0; i < c->crew.witness_count; i++)
        wire_send(crew_witness(&c->crew, i)->wire, "%s", line);
}

const struct order_step *controller_step(const struct controller *c)
{
    return order_step_at(c->order, c->step);
}

double controller_t_s(const struct controller *c, int64_t at_us)
{
    return (double)(at_us - c->run_began_us) / 1e6;
}

static void enter(struct controller *c, enum phase phase)
{
    c->phase = phase;
    c->phase_began_us = c->last_word_us = monotonic_us();
}

/* ---- ending ---- */

static struct kernel_counters counters_now(const struct controller *c)
{
    struct kernel_counters now;
    if (c->plan->settings->team != NULL)
        now = team_counters(c->plan->settings->team);
    else
        kernel_counters_read(&now);
    return now;
}

struct kernel_counters controller_counters(const struct controller *c)
{
    struct kernel_counters now = counters_now(c);
    return kernel_counters_moved(&now, &c->counters_before);
}

static void end_order(struct controller *c, enum outcome outcome)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->outcome = outcome;
    c->moved =
        controller_counters(c); /* before the workers reset what is open: that is no part of the order */
    enter(c, PHASE_ENDING);
    lookout_stop(&c->lookout);
    event_del(c->phase_timer);
    crew_dismiss(&c->crew);
}

/* What was decided, and what else the course wants to be seen. */
static void conclude(struct controller *c)
{
    enum outcome outcome = c->decided;
    if (outcome == OUTCOME_AS_EXPECTED && c->course->is_as_expected != NULL && !c->course->is_as_expected(c))
        outcome = OUTCOME_DIFFERS;
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

/* The outcome, unless what is asked now shows otherwise. */
static void decide(struct controller *c, enum outcome outcome)
{
    if (c->is_over)
        return;
    bool is_first = c->phase >= PHASE_ACTING && c->phase < PHASE_ASKING;
    c->decided = outcome;
    if (!is_first || !is_anything_lingering(c)) {
        conclude(c);
        return;
    }
    lookout_stop(&c->lookout);
    event_del(c->phase_timer);
    enter(c, PHASE_ASKING);
    char question[32];
    snprintf(question, sizeof question, "owners %lld", (long long)++c->owners_serial);
    c->owners_awaited = c->crew.witness_count;
    c->lingering.total = 0;
    controller_tell_witnesses(c, question);
}

static void on_class(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    if (line->count != 12 || wire_number(line, 1) != c->owners_serial)
        return;
    struct lingering_class class = {
        .side = wire_number(line, 2) == SIDE_SERVER ? SIDE_SERVER : SIDE_CLIENT,
        .state = (enum tcp_state)(wire_number(line, 3) % STATE_COUNT),
        .unread = wire_number(line, 4) != 0,
        .owned = wire_number(line, 5) != 0,
        .listed = wire_number(line, 6) != 0,
        .pid = (pid_t)wire_number(line, 7),
        .processes = (int)wire_number(line, 8),
        .count = wire_number(line, 9),
        .oldest_ms = wire_number(line, 10),
    };
    snprintf(class.command, sizeof class.command, "%s", line->word[11]);
    if (peer->host != NULL && peer->host->launcher != NULL && class.pid != 0)
        snprintf(class.host, sizeof class.host, "%.47s", peer->host->launcher);
    lingering_add(&c->lingering, &class);
}

static void on_owned(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    if (c->phase != PHASE_ASKING || wire_number(line, 1) != c->owners_serial)
        return;
    c->lingering.total += wire_number(line, 2);
    if (--c->owners_awaited == 0)
        conclude(c);
}

void controller_fail(struct controller *c, const char *format, ...)
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

static void on_dead(void *owner, struct peer *peer)
{
    struct controller *c = owner;
    peer->fds = 0;
    if (--c->awaited == 0 && c->phase == PHASE_ACTING)
        controller_act_is_done(c);
}

/* "host "ssh web1" ...", or the process that was lost. */
static void describe_lost(struct controller *c)
{
    const struct host *host = c->lost->host;
    if (host != NULL && host->fault[0] != '\0') {
        snprintf(c->fault.text, sizeof c->fault.text,
                 "%s %s at %s, with %s of %s connections opened; all others were closed down",
                 host_name(host).text, host->fault, c->label.text, grouped(controller_opened(c)).text,
                 grouped(c->plan->settings->conns).text);
        return;
    }
    snprintf(c->fault.text, sizeof c->fault.text,
             "%s (pid %d)%s%s %s at %s, with %s of %s connections opened; all others were closed down",
             c->lost->process.name, (int)c->lost->process.pid, host != NULL ? " on " : "",
             host != NULL ? host_name(host).text : "", process_end_text(&c->lost->process).text,
             c->label.text, grouped(controller_opened(c)).text, grouped(c->plan->settings->conns).text);
}

/* ---- telling the observers ---- */

/* A result that has nowhere to go is a fault, even of an order that is over. */
static void check_output(struct controller *c, int rc, const char *name)
{
    if (rc == 0 || c->outcome == OUTCOME_FAULT)
        return;
    c->is_over = false;
    controller_fail(c, "cannot write %s: %s; what was written before is kept", name, strerror(-rc));
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
    struct flow_tally sums[SIDE_COUNT];
    crew_sum_flow(&c->crew, sums);
    sample.late = sums[SIDE_CLIENT].late;
    sample.connect_us = sums[SIDE_CLIENT].oldest_us;
    sample.dropped = c->at_look.moved.value[COUNTER_LISTEN_DROPS];
    for (int side = 0; side < SIDE_COUNT; side++)
        sample.nofile[side] = plan_nofile(c->plan, (enum side)side) * c->plan->pairs;
    by_host_see(&c->at_look.by_host, &c->look);
    sample.parts = c->at_look.by_host.parts;
    sample.part_count = c->at_look.by_host.count;
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

/* HOLD_FOREVER, or for how long this step is held. */
static int64_t hold_ms(const struct controller *c)
{
    const struct storm_settings *settings = c->plan->settings;
    if (plan_holds_forever(c->plan, c->order, c->step, c->order_index))
        return HOLD_FOREVER;
    bool is_last = c->step == c->course->step_count(c) - 1;
    int64_t hold_ms = is_last || !settings->hold_last_only ? settings->hold_ms : 0;
    return hold_ms == HOLD_FOREVER ? 1000 : hold_ms;
}

static double left_s(const struct controller *c, const struct progress *progress)
{
    if (c->phase == PHASE_HOLDING && hold_ms(c) != HOLD_FOREVER)
        return (double)hold_ms(c) / 1e3 - progress->elapsed_s;
    if (c->phase == PHASE_ACTING && progress->done > 0)
        return (double)(progress->total - progress->done) / ((double)progress->done / progress->elapsed_s);
    return -1;
}

static void tell_progress(struct controller *c)
{
    static const char *const doing[] = {
        [PHASE_STARTING] = "starting",   [PHASE_LISTENING] = "starting",
        [PHASE_ACTING] = "acting",       [PHASE_SETTLING] = "settling",
        [PHASE_HOLDING] = "holding",     [PHASE_ASKING] = "asking whose they are",
        [PHASE_ENDING] = "closing down",
    };
    struct progress progress = {
        .order = c->order,
        .step = c->label.text,
        .doing = doing[c->phase],
        .elapsed_s = (double)(monotonic_us() - c->phase_began_us) / 1e6,
    };
    if (c->phase == PHASE_ACTING)
        c->course->progress(c, &progress);
    progress.left_s = left_s(c, &progress);
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
    if (hold_ms(c) == HOLD_FOREVER)
        return;
    struct timeval hold = timeval_of_us(hold_ms(c) * 1000);
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
        decide(c, OUTCOME_DIFFERS);
    else if (c->step + 1 < c->course->step_count(c))
        begin_step(c, c->step + 1);
    else
        decide(c, OUTCOME_AS_EXPECTED);
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

/* A clock of the kernel that is waited for comes on top. */
static int64_t settle_us(const struct controller *c)
{
    int64_t clock_ms = controller_step(c)->act == ACT_WAIT ? c->plan->limits.fin_timeout_ms : 0;
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

/* What the step is judged by: a look that began after the last act was acknowledged. */
static void judge_look(struct controller *c)
{
    int64_t now_us = c->look.began_us + c->look.took_us;
    bool counts =
        (c->phase == PHASE_SETTLING || c->phase == PHASE_HOLDING) && c->look.began_us >= c->phase_began_us;
    struct expectation expectation = c->course->expected(c, now_us);
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

static int64_t opened_by(const void *context, int pair)
{
    const struct controller *c = context;
    return c->course->opened_by(c, pair);
}

static bool must_look_wait(void *owner)
{
    return observers_clogged(((const struct controller *)owner)->observers) != NULL;
}

static void on_look_begin(void *owner)
{
    struct controller *c = owner;
    c->at_look.opened = controller_opened(c);
    if (c->plan->settings->team != NULL)
        team_ask_counters(c->plan->settings->team); /* the answers come before those of the witnesses */
    crew_sum(&c->crew, c->at_look.fds, c->at_look.errors);
    const int64_t nofile[SIDE_COUNT] = {plan_nofile(c->plan, SIDE_SERVER), plan_nofile(c->plan, SIDE_CLIENT)};
    by_host_note(&c->at_look.by_host, &c->crew, opened_by, c, nofile);
}

/* A side that holds more descriptors than the kernel has sockets of it holds ghosts: only its processes know
 * how many. */
static bool may_hold_ghosts(const struct controller *c)
{
    int64_t fds[SIDE_COUNT], errors[SIDE_COUNT];
    crew_sum(&c->crew, fds, errors);
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t held = fds[side] < c->at_look.fds[side] ? fds[side] : c->at_look.fds[side];
        if (held > c->look.sides[side].owned)
            return true;
    }
    return false;
}

static void begin_census(struct controller *c)
{
    c->census_serial++;
    c->census_began_us = monotonic_us();
    c->census_awaited = 0;
    for (int i = 0; i < c->crew.worker_count; i++) {
        struct peer *peer = &c->crew.peers[i];
        peer->in_census = !peer->doomed;
        c->census_awaited += peer->in_census;
        if (peer->in_census)
            wire_send(peer->wire, "census %lld", (long long)c->census_serial);
    }
}

static void take_look(struct controller *c)
{
    c->has_look = true;
    c->at_look.moved = controller_counters(c);
    if (c->course->note_look != NULL)
        c->course->note_look(c);
    judge_look(c);
    bool settling = c->phase == PHASE_SETTLING;
    if (settling && (c->looks_since_act == 0 || settle_time_is_over(c, monotonic_us())))
        lookout_now(&c->lookout);
    else
        lookout_later(&c->lookout, (settling && c->looks_since_act >= 2) || c->phase == PHASE_ACTING,
                      c->look.took_us);
}

static void on_look(void *owner, const struct look *look)
{
    struct controller *c = owner;
    c->look = *look;
    if (may_hold_ghosts(c))
        begin_census(c);
    else
        take_look(c);
}

static void on_ghosts(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    if (!peer->in_census || wire_number(line, 1) != c->census_serial)
        return;
    peer->in_census = false;
    c->look.sides[peer->side].ghosts += wire_number(line, 2);
    c->look.parts[peer->witness].sides[peer->side].ghosts += wire_number(line, 2);
    if (--c->census_awaited == 0)
        take_look(c);
}

static void on_blind(void *owner, int error)
{
    struct controller *c = owner;
    controller_fail(c, "the witness (%s) could not read the kernel's sockets again and again: %s",
                    c->plan->witness->name, strerror(error));
}

/* Failures that a look cannot explain: of the machine, which end the order, or of the act, which end the
 * step. */
static void note_failed_acts(struct controller *c, int64_t failed, int64_t done, int error)
{
    const char *call = act_call(controller_step(c)->act), *advice = fault_advice(call, error);
    if (advice[0] != '\0')
        controller_fail(c, "%s failed on %s of %s ends: %s: %s", call, grouped(failed).text,
                        grouped(done).text, strerror(error), advice);
    else
        snprintf(c->act_failure.text, sizeof c->act_failure.text, "%s failed on %s of %s ends: %s", call,
                 grouped(failed).text, grouped(done).text,
                 error == EBADMSG ? "the data differs from what was sent" : strerror(error));
}

void controller_act_is_done(struct controller *c)
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
    struct timeval settle = timeval_of_us(settle_us(c));
    evtimer_add(c->phase_timer, &settle);
    lookout_now(&c->lookout); /* one that is under way began too early to count; its end schedules the next */
}

static void begin_step(struct controller *c, int step)
{
    c->step = step;
    c->label = c->course->label(c);
    enter(c, PHASE_ACTING);
    c->act_began_us = c->phase_began_us;
    c->times.began_ms[step] = monotonic_us() / 1000;
    c->times.ended_ms[step] = INT64_MAX / 1000;
    c->course->begin_step(c);
    lookout_later(&c->lookout, true, c->look.took_us);
}

/* ---- what workers say ---- */

/* Each witness those of the workers beside it. */
static void tell_pids(struct controller *c)
{
    for (int i = 0; i < c->crew.witness_count; i++)
        for (int k = 0; k < c->crew.worker_count; k++) {
            const struct peer *witness = crew_witness(&c->crew, i), *worker = &c->crew.peers[k];
            if (witness->host == NULL || strcmp(witness->host->identity, worker->host->identity) == 0)
                wire_send(witness->wire, "pid %d", (int)worker->process.pid);
        }
}

static void tell_target(struct controller *c)
{
    const struct team *team = c->plan->settings->team;
    struct wire_text line = {""};
    wire_text_add(&line, "target %u %u", c->ports.first, c->ports.last);
    if (team != NULL)
        wire_text_add(&line, "%s", team_server_addresses(team).text);
    else
        wire_text_add(&line, " %s", address_text(&c->plan->settings->address).text);
    controller_tell_witnesses(c, line.text);
}

static void on_hello(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    const char *version = line->count > 2 ? line->word[2] : "?";
    if (wire_number(line, 1) != WIRE_PROTOCOL || strcmp(version, TCPSTORM_VERSION) != 0) {
        controller_fail(c, "%s is tcpstorm %s, this is %s: use the same version", peer_name(peer).text,
                        version, TCPSTORM_VERSION);
        return;
    }
    if (peer->said_hello)
        return;
    peer->said_hello = true;
    if (--c->awaited > 0)
        return;
    enter(c, PHASE_LISTENING);
    tell_pids(c);
    if (c->course->prepare != NULL)
        c->course->prepare(c);
    c->awaited = c->plan->lane_count;
    for (int i = 0; i < c->plan->lane_count; i++)
        wire_send(crew_server(&c->crew, c->lanes[i].pair)->wire, "listen %d %s %u %d %lld %s", i,
                  address_text(controller_lane_address(c, &c->lanes[i])).text, c->ports.first + i,
                  c->plan->backlog, (long long)c->lanes[i].quota, opening_name(c->order->opening));
    tell_target(c);
}

static void on_listening(struct peer *peer, const struct wire_line *line)
{
    struct controller *c = peer->owner;
    int64_t i = wire_number(line, 1);
    if (i < 0 || i >= c->plan->lane_count || c->lanes[i].listening)
        return;
    c->lanes[i].listening = true;
    if (--c->awaited == 0)
        begin_step(c, 0);
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
    controller_fail(c, "%s(): %s (%s)%s in %s, with %s of %s connections opened%s%s", call, strerror(error),
                    strerrorname_np(error) != NULL ? strerrorname_np(error) : "?", where,
                    peer_name(peer).text, grouped(controller_opened(c)).text,
                    grouped(c->plan->settings->conns).text, advice[0] != '\0' ? ": " : "", advice);
}

static const struct verb verbs[] = {
    {"hello", on_hello},   {"listening", on_listening}, {"fault", on_fault},
    {"ghosts", on_ghosts}, {"class", on_class},         {"owned", on_owned},
};

bool controller_hear(const struct verb *known, size_t count, struct peer *peer, const struct wire_line *line)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i].name, line->word[0]) == 0) {
            known[i].run(peer, line);
            return true;
        }
    }
    return false;
}

static void on_line(void *context, const struct wire_line *line)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (c->is_over ||
        (peer->is_witness && lookout_hear(&c->lookout, (int)(peer - crew_witness(&c->crew, 0)), line)))
        return;
    if (!peer->is_witness)
        c->last_word_us = monotonic_us();
    if (!controller_hear(verbs, sizeof verbs / sizeof verbs[0], peer, line) && !c->course->hear(peer, line))
        controller_fail(c, "%s speaks another protocol: \"%s\"", peer_name(peer).text, line->word[0]);
}

/* ---- the watch ---- */

static const struct peer *silent_worker(const struct controller *c)
{
    for (int i = 0; i < c->crew.count; i++)
        if (!c->crew.peers[i].said_hello)
            return &c->crew.peers[i];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (!c->lanes[i].listening)
            return crew_server(&c->crew, c->lanes[i].pair);
    return c->course->silent(c);
}

static bool is_witness_silent(const struct controller *c, int64_t now_us)
{
    const int64_t limit_us = (int64_t)LOOK_LIMIT_MS * 1000;
    return lookout_waiting_us(&c->lookout) > limit_us ||
           (c->phase == PHASE_ASKING && now_us - c->phase_began_us > limit_us);
}

/* Who owes a look; of those that are asked for owners only one is known. */
static int first_awaited(const struct controller *c)
{
    int owing = lookout_awaited(&c->lookout);
    return owing >= 0 ? owing : 0;
}

static const struct peer *missing_in_census(const struct controller *c, int64_t now_us)
{
    if (c->census_awaited == 0 || now_us - c->census_began_us < (int64_t)LOOK_LIMIT_MS * 1000)
        return NULL;
    for (int i = 0; i < c->crew.worker_count; i++)
        if (c->crew.peers[i].in_census)
            return &c->crew.peers[i];
    return NULL;
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
        controller_fail(c, "%s (pid %d) made no progress for %d s at %s, with %s of %s connections opened",
                        peer_name(silent).text, (int)silent->process.pid, SILENCE_LIMIT_MS / 1000,
                        c->label.text, grouped(controller_opened(c)).text,
                        grouped(c->plan->settings->conns).text);
        crew_kill(&c->crew);
    } else if (missing_in_census(c, now_us) != NULL) {
        const struct peer *silent = missing_in_census(c, now_us);
        controller_fail(c, "%s (pid %d) did not count its descriptors for %d s", peer_name(silent).text,
                        (int)silent->process.pid, LOOK_LIMIT_MS / 1000);
        crew_kill(&c->crew);
    } else if (is_witness_silent(c, now_us)) {
        const struct peer *silent = crew_witness(&c->crew, first_awaited(c));
        controller_fail(c, "%s (pid %d) did not answer for %d s", peer_name(silent).text,
                        (int)silent->process.pid, LOOK_LIMIT_MS / 1000);
        crew_kill(&c->crew);
    }
}

/* ---- life ---- */

/* The words that start a worker of that side: see cmd_worker. */
static void name_role(struct controller *c, enum side side)
{
    static const char *const roles[][SIDE_COUNT] = {{"server", "client"}, {"server-flow", "client-flow"}};
    const struct flow_settings *flow = &c->plan->settings->flow;
    const char **words = c->role_words[side];
    *words++ = "worker";
    *words++ = roles[flow->rate > 0][side];
    if (flow->scenario != NULL && flow->scenario->behaviour[side] != NULL) {
        *words++ = flow->scenario->behaviour[side]->name;
        *words++ = flow->fixed ? "fixed" : NULL;
    }
    c->roles[side] = c->role_words[side];
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
        .course = plan->settings->flow.rate > 0 ? &course_flow : &course_at_once,
        .run_began_us = run_began_us,
        .label = {"the start"},
    };
    c->lanes = calloc((size_t)plan->lane_count, sizeof *c->lanes);
    c->phase_timer = evtimer_new(base, on_phase_timer, c);
    c->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, c);
    for (int side = 0; side < SIDE_COUNT; side++)
        name_role(c, (enum side)side);
    int rc = crew_init(&c->crew, base, plan->pairs, plan->settings->team, c->roles, on_lost, c);
    rc = rc != 0 ? rc : lookout_init(&c->lookout, base, plan->settings->interval_ms * 1000);
    if (rc != 0 || c->lanes == NULL || c->phase_timer == NULL || c->heartbeat == NULL) {
        controller_free(c);
        return NULL;
    }
    c->crew.on_dead = on_dead;
    c->lookout.must_wait = must_look_wait;
    c->lookout.on_begin = on_look_begin;
    c->lookout.on_look = on_look;
    c->lookout.on_blind = on_blind;
    c->lookout.owner = c;
    lanes_fill(c->lanes, plan->on_lanes, plan->pairs, plan->lane_capacity);
    return c;
}

static void start_crew(struct controller *c)
{
    struct peer *failed;
    enter(c, PHASE_STARTING);
    c->awaited = c->crew.count;
    int rc = crew_start(&c->crew, on_line, &failed);
    if (rc == -EAGAIN)
        controller_fail(c, "cannot start %s: raise the limit of processes (ulimit -u) or lower --conns",
                        failed->process.name);
    else if (rc == -EHOSTUNREACH)
        controller_fail(c, "cannot start %s: %s %s", failed->process.name, host_name(failed->host).text,
                        failed->host->fault);
    else if (rc != 0)
        controller_fail(c, "cannot start %s: %s; lower --conns", failed->process.name, strerror(-rc));
    char backend[32];
    snprintf(backend, sizeof backend, "backend %s", c->plan->witness->name);
    c->lookout.witness_count = rc == 0 ? c->crew.witness_count : 0;
    for (int i = 0; i < c->lookout.witness_count; i++)
        c->lookout.witnesses[i] = crew_witness(&c->crew, i)->wire;
    if (rc == 0)
        controller_tell_witnesses(c, backend);
}

static void tell_order_end(struct controller *c)
{
    struct verdict_input input = {
        .order = c->order,
        .outcome = c->outcome,
        .difference = c->difference.text,
        .fault = c->fault.text,
        .step = c->label.text,
        .opened = controller_opened(c),
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
        .lingering = &c->lingering,
        .leaked = c->plan->settings->leak,
    };
    struct flow_report report;
    int64_t errors[SIDE_COUNT];
    crew_sum(&c->crew, input.fds, errors);
    if (c->plan->settings->flow.rate > 0 && c->act_began_us > 0) {
        report = flow_report_of(c);
        input.flow = &report;
    }
    struct verdict verdict = verdict_of(&input);
    struct order_end end = {.order = c->order,
                            .outcome = c->outcome,
                            .verdict = verdict.text,
                            .moved = &c->moved,
                            .failed_looks = c->lookout.failed_in_all,
                            .lingering = &c->lingering,
                            .flow = input.flow};
    TELL(c, order_end, &end);
}

void controller_start(struct controller *c)
{
    struct timeval beat = timeval_of_us(HEARTBEAT_MS * 1000);
    c->counters_before = counters_now(c);
    evtimer_add(c->heartbeat, &beat);
    start_crew(c);
}

bool controller_is_finished(const struct controller *c)
{
    return c->is_over && crew_has_left(&c->crew);
}

bool controller_has_failed(const struct controller *c)
{
    return c->is_over && c->outcome == OUTCOME_FAULT;
}

enum outcome controller_finish(struct controller *c)
{
    event_del(c->heartbeat);
    if (c->lost != NULL)
        describe_lost(c);
    tell_order_end(c);
    return c->outcome;
}

enum outcome controller_run(struct controller *c)
{
    controller_start(c);
    while (!controller_is_finished(c) && event_base_dispatch(c->base) == 0)
        ;
    if (!c->is_over)
        controller_fail(c, "the event loop ended early");
    return controller_finish(c);
}

bool controller_is_holding(const struct controller *c)
{
    return c->phase == PHASE_HOLDING && c->step == c->course->step_count(c) - 1;
}

void controller_release(struct controller *c)
{
    if (!controller_is_holding(c))
        return;
    c->hold_is_over = true;
    lookout_now(&c->lookout);
}

void controller_interrupt(struct controller *c)
{
    if (c->is_over)
        crew_kill(&c->crew);
    decide(c, OUTCOME_INTERRUPTED);
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
