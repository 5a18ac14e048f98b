#include "audit/audit.h"

#include "audit/audit_state.h"
#include "audit/findings.h"
#include "audit/owners.h"
#include "audit/reference.h"
#include "audit/tables_tell.h"
#include "audit/unix_side.h"
#include "base/clock.h"
#include "kernel/process.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/*
 * A round, driven by events alone:
 *
 *   the opener   starts probes, as the rate says or as the listener's accept queue has room for
 *   each probe   lives by its own events and timer (probe.h)
 *   the looker   where only the kernel's tables tell when the server closes: looks now and then
 *
 * When no probe is on its way any more the loop ends; the tables are read, and the descriptors of the
 * server's processes, and the next round begins.
 */

enum {
    LOOK_EVERY_US = 50000, /* by the looker, */
    LOOK_SHARE = 5,        /* and at most this part of the time */
    TELL_EVERY_US = 250000,
    OTHERS_US = 1000000,
    OTHERS_PAUSE_US = 20000,
};

struct probe_crowd *audit_crowd(struct audit *audit)
{
    return &audit->crowds[audit->round];
}

/* What this machine could not do makes every verdict void. */
void audit_fail(struct audit *audit, const char *what, int error)
{
    if (audit->result->failure == NULL) {
        audit->result->failure = what;
        audit->result->failure_error = error;
    }
    event_base_loopbreak(audit->base);
}

void audit_start_timer(struct audit *audit, struct event *timer, int64_t wait_us)
{
    const struct timeval wait = timeval_of_us(wait_us);
    if (event_add(timer, &wait) != 0)
        audit_fail(audit, "a timer could not be set", ENOMEM);
}

bool audit_is_called_off(const struct audit *audit)
{
    return audit->interrupted || audit->result->failure != NULL;
}

static void run_loop(struct audit *audit)
{
    if (audit_is_called_off(audit))
        return;
    errno = 0;
    if (event_base_dispatch(audit->base) < 0)
        audit_fail(audit, "the event loop failed", errno != 0 ? errno : EIO);
}

/* ---- the looker ---- */

int audit_take_look(struct audit *audit)
{
    int rc = -EINTR;
    for (int i = 0; i < AUDIT_LOOKS_TRIED && rc != 0; i++) {
        int64_t before_us = monotonic_us();
        rc = server_side_look(audit->witness, audit->settings, audit->probes, audit->started, &audit->look);
        audit->look_took_us = monotonic_us() - before_us;
    }
    return rc;
}

static bool is_worth_a_look(struct audit *audit)
{
    const int64_t *in_phase = audit_crowd(audit)->in_phase;
    bool is_silent = audit_order_is_silent(audit_order_row(audit->settings->order));
    bool pairs = audit_is_unix(audit->settings); /* the ends, before one of them is closed */
    bool is_early = is_silent || pairs || audit_crowd(audit)->waits_for_look;
    return in_phase[PROBE_ACTED] > 0 || (is_early && in_phase[PROBE_TALKING] > 0);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    int64_t before_us = monotonic_us();
    bool has_looked = is_worth_a_look(audit) && audit_take_look(audit) == 0;
    if (has_looked && audit_is_unix(audit->settings))
        unix_side_note_peers(audit->probes, audit->started, &audit->look);
    if (has_looked)
        for (int64_t i = 0, now_us = monotonic_us(); i < audit->started; i++)
            tables_tell(&audit->probes[i], &audit->look.sights[i], before_us, now_us);
    int64_t pause_us = (LOOK_SHARE - 1) * audit->look_took_us;
    audit_start_timer(audit, audit->looker, pause_us > LOOK_EVERY_US ? pause_us : LOOK_EVERY_US);
}

/* ---- what is going on ---- */

static void on_tell(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    const int64_t *in_phase = audit_crowd(audit)->in_phase;
    int64_t over = in_phase[PROBE_ENDED], acted = in_phase[PROBE_ACTED] + in_phase[PROBE_WAITED] + over;
    if (acted < audit->round_conns)
        audit->progress(audit->context, "opening and closing", acted, audit->round_conns);
    else
        audit->progress(audit->context, "closed by the server", over, audit->round_conns);
    audit_start_timer(audit, audit->teller, TELL_EVERY_US);
}

/* A probe has gone on: more may be opened, or all may be over. */
static void on_change(void *context, enum probe_phase from)
{
    struct audit *audit = context;
    const int64_t *in_phase = audit_crowd(audit)->in_phase;
    if (!audit->is_playing)
        return;
    if (audit->started < audit_last_of_round(audit)) {
        if (from == PROBE_CONNECTING && audit->settings->rate == 0)
            event_active(audit->opener, EV_TIMEOUT, 1);
    } else if (in_phase[PROBE_CONNECTING] + in_phase[PROBE_TALKING] + in_phase[PROBE_ACTED] == 0) {
        event_base_loopbreak(audit->base);
    }
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    audit->interrupted = true;
    event_base_loopbreak(audit->base);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct audit *)context)->base);
}

void audit_let_pass(struct audit *audit, int64_t wait_us)
{
    audit_start_timer(audit, audit->pause, wait_us);
    run_loop(audit);
    event_del(audit->pause);
}

/* ---- a round ---- */

/* Whether the server will ever have heard of a client that resets its connection and has sent nothing. */
static bool waits_for_look(const struct audit *audit)
{
    return audit_order_row(audit->settings->order)->act == ACT_ABORT && audit->settings->request == NULL &&
           !audit_is_unix(audit->settings) && audit->look.listener_count > 0;
}

void audit_play(struct audit *audit, int64_t conns)
{
    *audit_crowd(audit) = (struct probe_crowd){.settings = audit->settings,
                                               .base = audit->base,
                                               .round = audit->round,
                                               .waits_for_look = waits_for_look(audit),
                                               .reply_bytes = audit->reference.reply_bytes,
                                               .late_us = audit->reference.idle_us,
                                               .late_span_us = audit->reference.idle_span_us,
                                               .on_change = on_change,
                                               .context = audit,
                                               .tls_refusal = audit->result->tls_refusal};
    audit->round_first = audit->started;
    audit->round_conns = conns;
    audit->round_began_us = audit->room_us = monotonic_us();
    audit->opened_us = 0;
    audit->opener_pause_us = AUDIT_PAUSE_MIN_US;
    audit_start_timer(audit, audit->opener, 0);
    if (audit_order_row(audit->settings->order)->tables_tell || audit_crowd(audit)->waits_for_look)
        audit_start_timer(audit, audit->looker, LOOK_EVERY_US);
    if (audit->progress != NULL)
        audit_start_timer(audit, audit->teller, TELL_EVERY_US);
    audit_start_to_find(audit);
    audit->is_playing = true;
    run_loop(audit);
    audit->is_playing = false;
    event_del(audit->opener);
    event_del(audit->looker);
    event_del(audit->teller);
    event_del(audit->finder);
}

static void note_watched(struct audit *audit, int64_t now_us)
{
    for (int round = 0; round <= audit->round; round++)
        if (audit->crowds[round].acted_us > 0)
            audit->result->watched_ms[round] = (now_us - audit->crowds[round].acted_us) / 1000;
}

static void play_round(struct audit *audit)
{
    audit_play(audit, audit->settings->conns);
    int64_t now_us = monotonic_us();
    int rc = audit_take_look(audit);
    if (rc != 0)
        audit_fail(audit, "the kernel's socket tables could not be read", -rc);
    findings_take(audit->result, audit->settings, audit->probes, audit->round_first, audit->started,
                  &audit->look, audit->queued_before, now_us);
    audit->result->rounds = audit->round + 1;
    note_watched(audit, now_us);
    if (audit_is_called_off(audit))
        return;
    audit_note_fate(audit);
    bool was_seen = audit->result->ghost_sight == GHOSTS_SEEN;
    if (!audit_has_no_future(audit))
        audit_take_stock(audit);
    /* It takes a moment from the last socket of a process to its end. */
    audit_note_late_end(audit, was_seen && audit->result->ghost_sight != GHOSTS_SEEN);
}

/* ---- the whole ---- */

static int note_processes(struct audit *audit)
{
    struct server_processes server;
    int rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc != 0 && !audit_is_not_for_us(rc))
        return rc;
    audit->result->ghost_sight = audit->look.listener_count == 0 ? GHOSTS_FROM_AFAR : GHOSTS_NOT_OURS;
    audit->result->listener = server.listening > 0 ? server.each[0] : 0;
    memcpy(audit->result->listener_command, process_command(audit->result->listener).text,
           sizeof audit->result->listener_command);
    audit->life = server_life_new(&server);
    rc = audit->life == NULL ? -ENOMEM : rc == 0 ? audit_take_first_stock(audit, &server) : rc;
    server_processes_free(&server);
    if (rc == 0)
        audit->result->ghost_sight = GHOSTS_SEEN;
    return audit_is_not_for_us(rc) ? 0 : rc;
}

/* The clients of a Unix socket have no ports: one that waits in the accept queue now and is accepted later
 * would count as ours, once it has gone. */
static int let_others_in(struct audit *audit)
{
    int64_t until_us = monotonic_us() + OTHERS_US;
    int rc = 0;
    while (rc == 0 && audit_is_unix(audit->settings) && audit->look.queued > 0 &&
           !audit_is_called_off(audit) && monotonic_us() < until_us) {
        audit_let_pass(audit, OTHERS_PAUSE_US);
        rc = audit_take_look(audit);
    }
    return rc;
}

static int begin(struct audit *audit)
{
    int rc = audit_is_unix(audit->settings) ? 1 : server_side_is_here(&audit->settings->address);
    if (rc < 0)
        return rc;
    audit->look.elsewhere = rc == 0;
    rc = audit_take_look(audit);
    if (rc == 0)
        rc = let_others_in(audit);
    if (rc != 0)
        return rc;
    if (audit_order_row(audit->settings->order)->act == ACT_ABORT && audit->look.elsewhere)
        return -ENOENT;
    audit->queued_before = audit->look.queued;
    audit->listener_count_before = audit->look.listener_count;
    memcpy(audit->listeners_before, audit->look.listeners, sizeof audit->listeners_before);
    return note_processes(audit);
}

static void finish(struct audit *audit)
{
    struct audit_result *result = audit->result;
    struct server_processes server;
    if (audit->settings->on_decided != NULL)
        audit->settings->on_decided(audit->settings->decided_context);
    result->interrupted = audit->interrupted;
    server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    int rc = owners_find(&server, audit->witness, result);
    if (rc != 0)
        audit_fail(audit, "the owners of the server's sockets could not be looked up", -rc);
    server_processes_free(&server);
    findings_conclude(result, audit->settings);
    enum audit_outcome outcome = audit_outcome_of(result, audit->settings);
    if (audit_is_enough(result) && !audit_may_be_late(result, audit->settings) &&
        (outcome == AUDIT_CLOSES || outcome == AUDIT_NO_VERDICT))
        audit_check_growth(audit);
    result->interrupted = audit->interrupted;
    result->elapsed_s = (double)(monotonic_us() - audit->began_us) / 1e6;
}

static bool make_events(struct audit *audit)
{
    audit->base = event_base_new();
    if (audit->base == NULL)
        return false;
    audit->opener = evtimer_new(audit->base, audit_on_open, audit);
    audit->looker = evtimer_new(audit->base, on_look, audit);
    audit->teller = evtimer_new(audit->base, on_tell, audit);
    audit->pause = evtimer_new(audit->base, on_pause_over, audit);
    audit->finder = evtimer_new(audit->base, audit_on_find, audit);
    return audit->opener != NULL && audit->looker != NULL && audit->teller != NULL && audit->pause != NULL &&
           audit->finder != NULL && stop_events_open(&audit->stops, audit->base, on_stop, audit) == 0;
}

static int make(struct audit *audit)
{
    int error = 0;
    audit->witness = witness_choose(0, &error);
    if (audit->witness == NULL)
        return error < 0 ? error : -ENOTSUP;
    size_t asked = (size_t)(audit->settings->conns * audit->settings->repeat);
    size_t most = asked + (size_t)CHECK_CONNS_MAX * CHECK_ROUNDS;
    audit->probes = calloc(most, sizeof *audit->probes);
    audit->look.sights = calloc(most, sizeof *audit->look.sights);
    audit->result->connections = calloc(asked, sizeof *audit->result->connections);
    bool has_all = audit->probes != NULL && audit->look.sights != NULL && audit->result->connections != NULL;
    return has_all && make_events(audit) ? 0 : -ENOMEM;
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void unmake(struct audit *audit)
{
    for (int64_t i = 0; i < audit->started; i++)
        probe_stop(&audit->probes[i]);
    stop_events_close(&audit->stops);
    free_event(audit->opener);
    free_event(audit->looker);
    free_event(audit->teller);
    free_event(audit->pause);
    free_event(audit->finder);
    if (audit->base != NULL)
        event_base_free(audit->base);
    server_life_free(audit->life);
    growth_free(&audit->growth);
    free(audit->probes);
    free(audit->look.sights);
}

/* What the order compares with. */
static void measure(struct audit *audit)
{
    const struct audit_order_row *order = audit_order_row(audit->settings->order);
    audit->result->idle_us = -1;
    if (!order->fin_with_request && !order->asks_late)
        return;
    if (audit->progress != NULL)
        audit->progress(audit->context, "clients to compare with have finished", 0, REFERENCES);
    audit->reference =
        reference_play(audit->base, audit->settings, order->asks_late ? AUDIT_IDLE : AUDIT_HALF_CLOSE);
    audit->result->reply_bytes = audit->reference.reply_bytes;
    audit->result->reply_end = audit->reference.reply_end;
    audit->result->idle_us = audit->reference.idle_us;
}

/* A late request has no moment where the server closes no idle client. Where no client came through at all
 * the round tells why. */
static bool has_nothing_to_meet(const struct audit *audit)
{
    return audit_order_row(audit->settings->order)->asks_late && audit->reference.came_through > 0 &&
           audit->reference.idle_us < 0;
}

int audit_run(const struct audit_settings *settings, audit_progress *progress, void *context,
              struct audit_result *result)
{
    *result = (struct audit_result){.descriptors_left = -1};
    struct audit audit = {.settings = settings,
                          .progress = progress,
                          .context = context,
                          .result = result,
                          .began_us = monotonic_us()};
    signal(SIGPIPE, SIG_IGN);
    int rc = make(&audit);
    if (rc == 0) /* before anything of the server is counted */
        measure(&audit);
    if (rc == 0)
        rc = begin(&audit);
    if (rc == 0) {
        while (audit.round < settings->repeat && !audit_is_called_off(&audit) &&
               !audit_has_no_future(&audit) && !has_nothing_to_meet(&audit)) {
            play_round(&audit);
            audit.round++;
        }
        finish(&audit);
    }
    unmake(&audit);
    return rc;
}

void audit_free(struct audit_result *result)
{
    free(result->connections);
    result->connections = NULL;
}
