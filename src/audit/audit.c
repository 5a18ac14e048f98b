#include "audit/audit.h"

#include "audit/findings.h"
#include "audit/ghosts.h"
#include "audit/probe.h"
#include "audit/reference.h"
#include "audit/server_process.h"
#include "audit/server_side.h"
#include "base/clock.h"
#include "control/stop_events.h"
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
    AT_ONCE = 256,                /* connect() calls at most that wait for an answer */
    UNKNOWN_ROOM = 4,             /* in an accept queue whose length cannot be seen: less than any backlog */
    PAUSE_FROM_AFAR_US = 20000,   /* between so many, where not even that can be seen */
    PAUSE_MIN_US = 1000,          /* until the queue is looked at again where it had no room: */
    PAUSE_MAX_US = 50000,         /* twice as long each time, up to this */
    PATIENCE_UNKNOWN_US = 250000, /* then one more, where it is not known whether there is room */
    LOOK_EVERY_US = 50000,        /* by the looker, */
    LOOK_SHARE = 5,               /* and at most this part of the time */
    LOOKS_TRIED = 3,              /* a dump may be interrupted, by the kernel's own account */
    GHOST_PAUSE_US = 25000,       /* between two readings of descriptors, twice as long each time */
    GHOST_PAUSE_MAX_US = 800000,
    ENDING_US = 1000000, /* for a process that has lost its listening socket */
    ENDING_PAUSE_US = 20000,
    TELL_EVERY_US = 250000,
};

const char *const audit_order_names[] = {"half-close",  "client-first",     "abort", "idle",
                                         "never-close", "eof-with-request", NULL};

struct audit {
    const struct audit_settings *settings;
    const struct witness_backend *witness;
    struct event_base *base;
    struct event *opener, *looker, *teller, *pause;
    struct stop_events stops;
    struct probe *probes;
    struct probe_crowd crowds[AUDIT_ROUNDS_MAX];
    struct audit_look look;
    int64_t started, count; /* probes of all rounds so far; and of all rounds */
    int round;
    int64_t round_first, round_began_us;
    int64_t opened_us, room_us,
        opener_pause_us; /* last opened; last room seen; the pause before the next look */
    int64_t look_took_us, began_us;
    int64_t queued_before;
    uint64_t listeners_before[LISTENERS_MAX];
    int listener_count_before;
    struct server_life *life;
    struct ghosts ghosts;
    bool is_playing; /* a round's probes are on their way */
    bool interrupted;
    audit_progress *progress;
    void *context;
    struct audit_result *result;
};

static struct probe_crowd *crowd_of(struct audit *audit)
{
    return &audit->crowds[audit->round];
}

/* What this machine could not do makes every verdict void. */
static void fail(struct audit *audit, const char *what, int error)
{
    if (audit->result->failure == NULL) {
        audit->result->failure = what;
        audit->result->failure_error = error;
    }
    event_base_loopbreak(audit->base);
}

static void start_timer(struct audit *audit, struct event *timer, int64_t wait_us)
{
    const struct timeval wait = timeval_of_us(wait_us);
    if (event_add(timer, &wait) != 0)
        fail(audit, "a timer could not be set", ENOMEM);
}

static bool is_called_off(const struct audit *audit)
{
    return audit->interrupted || audit->result->failure != NULL;
}

static void run_loop(struct audit *audit)
{
    if (is_called_off(audit))
        return;
    errno = 0;
    if (event_base_dispatch(audit->base) < 0)
        fail(audit, "the event loop failed", errno != 0 ? errno : EIO);
}

/* ---- the opener ---- */

static int64_t last_of_round(const struct audit *audit)
{
    return audit->round_first + audit->settings->conns;
}

static int64_t connecting(struct audit *audit)
{
    return crowd_of(audit)->in_phase[PROBE_CONNECTING];
}

static void open_some(struct audit *audit, int64_t count, int64_t now_us)
{
    for (; count > 0 && audit->started < last_of_round(audit); count--)
        probe_start(&audit->probes[audit->started++], crowd_of(audit));
    audit->opened_us = audit->room_us = now_us;
    audit->opener_pause_us = PAUSE_MIN_US;
}

static void open_by_the_clock(struct audit *audit, int64_t now_us)
{
    int64_t rate = audit->settings->rate, begun = audit->started - audit->round_first;
    int64_t due = (now_us - audit->round_began_us) * rate / 1000000 + 1;
    open_some(audit, due - begun, now_us);
    int64_t next_us = audit->round_began_us + (due > begun ? due : begun) * 1000000 / rate;
    start_timer(audit, audit->opener, next_us > now_us ? next_us - now_us : PAUSE_MIN_US);
}

static int look_at_listeners(struct audit *audit)
{
    int rc = -EINTR;
    for (int i = 0; i < LOOKS_TRIED && rc != 0; i++)
        rc = server_side_look_at_listeners(audit->witness, audit->settings, &audit->look);
    return rc;
}

/* For how many more connections the server has room now. */
static int64_t room_now(struct audit *audit, int64_t now_us)
{
    const struct audit_look *look = &audit->look;
    int64_t on_their_way = connecting(audit), room;
    int rc = look_at_listeners(audit);
    if (rc != 0)
        fail(audit, "the kernel's tables of sockets could not be read", -rc);
    if (rc != 0)
        return 0;
    if (look->listener_count == 0) /* from afar the handshake is all that can be seen */
        room = now_us - audit->opened_us >= PAUSE_FROM_AFAR_US ? UNKNOWN_ROOM : 0;
    else if (look->room < 0)
        room = look->queued < UNKNOWN_ROOM                      ? UNKNOWN_ROOM - look->queued
               : now_us - audit->room_us >= PATIENCE_UNKNOWN_US ? on_their_way + 1
                                                                : 0;
    else
        room = look->room;
    room -= on_their_way;
    return room < AT_ONCE - on_their_way ? room : AT_ONCE - on_their_way;
}

static void give_up_the_rest(struct audit *audit)
{
    while (audit->started < last_of_round(audit))
        probe_give_up(&audit->probes[audit->started++], crowd_of(audit));
}

static void open_as_there_is_room(struct audit *audit, int64_t now_us)
{
    int64_t room = room_now(audit, now_us);
    if (room > 0) {
        open_some(audit, room, now_us);
    } else if (now_us - audit->room_us > audit->settings->connect_timeout_ms * 1000 &&
               connecting(audit) == 0) {
        give_up_the_rest(audit);
        return;
    }
    start_timer(audit, audit->opener, audit->opener_pause_us);
    if (audit->opener_pause_us < PAUSE_MAX_US)
        audit->opener_pause_us *= 2;
}

static void on_open(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    int64_t now_us = monotonic_us();
    if (audit->started == last_of_round(audit))
        return;
    if (audit->settings->rate > 0)
        open_by_the_clock(audit, now_us);
    else
        open_as_there_is_room(audit, now_us);
}

/* ---- the looker ---- */

/* After close() the client has no descriptor that would tell: the state of its end does. */
static bool tables_tell(const struct audit *audit)
{
    return audit->settings->order == AUDIT_CLIENT_FIRST;
}

static int take_look(struct audit *audit)
{
    int rc = -EINTR;
    for (int i = 0; i < LOOKS_TRIED && rc != 0; i++) {
        int64_t before_us = monotonic_us();
        rc = server_side_look(audit->witness, audit->settings, audit->probes, audit->started, &audit->look);
        audit->look_took_us = monotonic_us() - before_us;
    }
    return rc;
}

/* An end that is gone without TIME_WAIT was reset, or the kernel has forgotten it, which says nothing. */
static bool has_seen_close(const struct audit *audit, int64_t i, int64_t before_us)
{
    const struct audit_sight *sight = &audit->look.sights[i];
    const struct probe *probe = &audit->probes[i];
    if (probe->acted_us == 0 || probe->acted_us >= before_us)
        return false;
    return sight->own_seen ? sight->own_state == STATE_TIME_WAIT
                           : !probe_is_forgotten(probe, audit->settings, before_us);
}

static void note_closed(struct audit *audit, int64_t before_us, int64_t now_us)
{
    for (int64_t i = 0; i < audit->started; i++)
        if (has_seen_close(audit, i, before_us))
            probe_note_closed(&audit->probes[i], now_us);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    int64_t before_us = monotonic_us();
    if (crowd_of(audit)->in_phase[PROBE_ACTED] > 0 && take_look(audit) == 0)
        note_closed(audit, before_us, monotonic_us());
    int64_t pause_us = (LOOK_SHARE - 1) * audit->look_took_us;
    start_timer(audit, audit->looker, pause_us > LOOK_EVERY_US ? pause_us : LOOK_EVERY_US);
}

/* ---- what is going on ---- */

static void on_tell(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    const int64_t *in_phase = crowd_of(audit)->in_phase;
    int64_t over = in_phase[PROBE_ENDED], acted = in_phase[PROBE_ACTED] + in_phase[PROBE_WAITED] + over;
    if (acted < audit->settings->conns)
        audit->progress(audit->context, "opening and closing", acted, audit->settings->conns);
    else
        audit->progress(audit->context, "closed by the server", over, audit->settings->conns);
    start_timer(audit, audit->teller, TELL_EVERY_US);
}

/* A probe has gone on: more may be opened, or all may be over. */
static void on_change(void *context, enum probe_phase from)
{
    struct audit *audit = context;
    const int64_t *in_phase = crowd_of(audit)->in_phase;
    if (!audit->is_playing)
        return;
    if (audit->started < last_of_round(audit)) {
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

static void let_pass(struct audit *audit, int64_t wait_us)
{
    start_timer(audit, audit->pause, wait_us);
    run_loop(audit);
    event_del(audit->pause);
}

/* ---- what became of the server's processes ---- */

static bool listens_as_before(const struct audit *audit)
{
    for (int i = 0; i < audit->listener_count_before; i++)
        for (int k = 0; k < audit->look.listener_count; k++)
            if (audit->listeners_before[i] == audit->look.listeners[k])
                return true;
    return audit->listener_count_before == 0;
}

/* A process that ends loses its sockets first: a moment later it is gone. */
static bool is_server_over(struct audit *audit)
{
    int64_t until_us = monotonic_us() + ENDING_US;
    while (!server_life_is_over(audit->life, &audit->result->ending)) {
        if (!server_life_is_known(audit->life) || monotonic_us() > until_us || is_called_off(audit))
            return false;
        let_pass(audit, ENDING_PAUSE_US);
    }
    return true;
}

static bool has_no_future(const struct audit *audit)
{
    return audit->result->fate == FATE_ENDED || audit->result->fate == FATE_CRASHED;
}

static void note_crash(struct audit *audit)
{
    struct audit_ending ending;
    if (has_no_future(audit) || !server_life_has_crash(audit->life, &ending))
        return;
    audit->result->fate = FATE_CRASHED;
    audit->result->ending = ending;
}

static void note_fate(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (listens_as_before(audit)) {
        note_crash(audit);
        return;
    }
    if (is_server_over(audit))
        result->fate = FATE_ENDED;
    else
        result->fate = server_life_is_known(audit->life) ? FATE_STOPPED : FATE_STOPPED_SOMEHOW;
}

/* ---- what the server does with descriptors of nothing ---- */

static bool is_not_for_us(int64_t rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ESRCH;
}

static int64_t read_ghosts(struct audit *audit)
{
    const struct server_processes none = {.count = 0};
    struct server_processes server = none;
    int64_t rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc == 0)
        rc = ghosts_read(&audit->ghosts, &server, &audit->result->ghost_owner);
    server_processes_free(&server);
    return rc;
}

/* A client that hears the last FIN may be sooner than the server's close() that follows its shutdown(): it
 * has a grace period for that. After an RST it has had that already, and two readings are enough. */
static int64_t wait_for_ghosts(struct audit *audit)
{
    int64_t before = audit->round > 0 ? audit->result->ghosts_after[audit->round - 1] : 0;
    int64_t grace_us = audit->settings->order == AUDIT_ABORT ? 0 : audit->settings->grace_ms * 1000;
    int64_t until_us = monotonic_us() + grace_us, pause_us = GHOST_PAUSE_US, ghosts;
    ghosts_renew(&audit->ghosts);
    ghosts = read_ghosts(audit);
    do {
        if (ghosts < 0)
            break;
        let_pass(audit, pause_us);
        pause_us = pause_us < GHOST_PAUSE_MAX_US ? 2 * pause_us : pause_us;
        ghosts = read_ghosts(audit);
    } while (ghosts > before && !is_called_off(audit) && monotonic_us() < until_us);
    return ghosts;
}

static void note_ghosts(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (result->ghost_sight != GHOSTS_SEEN)
        return;
    int64_t ghosts = wait_for_ghosts(audit);
    if (ghosts >= 0)
        result->ghosts = result->ghosts_after[audit->round] = ghosts;
    else if (is_not_for_us(ghosts))
        result->ghost_sight = GHOSTS_NOT_OURS;
    else
        fail(audit, "the descriptors of the server's processes could not be read", (int)-ghosts);
}

/* ---- a round ---- */

static void play(struct audit *audit)
{
    *crowd_of(audit) = (struct probe_crowd){.settings = audit->settings,
                                            .base = audit->base,
                                            .round = audit->round,
                                            .on_change = on_change,
                                            .context = audit};
    audit->round_first = (int64_t)audit->round * audit->settings->conns;
    audit->round_began_us = audit->room_us = monotonic_us();
    audit->opened_us = 0;
    audit->opener_pause_us = PAUSE_MIN_US;
    start_timer(audit, audit->opener, 0);
    if (tables_tell(audit))
        start_timer(audit, audit->looker, LOOK_EVERY_US);
    if (audit->progress != NULL)
        start_timer(audit, audit->teller, TELL_EVERY_US);
    audit->is_playing = true;
    run_loop(audit);
    audit->is_playing = false;
    event_del(audit->opener);
    event_del(audit->looker);
    event_del(audit->teller);
}

static void note_watched(struct audit *audit, int64_t now_us)
{
    for (int round = 0; round <= audit->round; round++)
        if (audit->crowds[round].acted_us > 0)
            audit->result->watched_ms[round] = (now_us - audit->crowds[round].acted_us) / 1000;
}

static void play_round(struct audit *audit)
{
    play(audit);
    int64_t now_us = monotonic_us();
    int rc = take_look(audit);
    if (rc != 0)
        fail(audit, "the kernel's tables of sockets could not be read", -rc);
    findings_take(audit->result, audit->settings, audit->probes, audit->round_first, audit->started,
                  &audit->look, audit->queued_before, now_us);
    audit->result->rounds = audit->round + 1;
    note_watched(audit, now_us);
    if (is_called_off(audit))
        return;
    note_fate(audit);
    if (!has_no_future(audit))
        note_ghosts(audit);
    note_crash(audit); /* it takes a moment from the last socket of a process to its end */
}

/* ---- the whole ---- */

static int note_processes(struct audit *audit)
{
    struct server_processes server;
    int rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc != 0 && !is_not_for_us(rc))
        return rc;
    audit->result->ghost_sight = audit->look.listener_count == 0 ? GHOSTS_FROM_AFAR : GHOSTS_NOT_OURS;
    audit->result->listener = server.listening > 0 ? server.each[0] : 0;
    memcpy(audit->result->listener_command, process_command(audit->result->listener).text,
           sizeof audit->result->listener_command);
    audit->life = server_life_new(&server);
    rc = audit->life == NULL ? -ENOMEM : rc == 0 ? ghosts_begin(&audit->ghosts, &server) : rc;
    server_processes_free(&server);
    if (rc == 0)
        audit->result->ghost_sight = GHOSTS_SEEN;
    return is_not_for_us(rc) ? 0 : rc;
}

static int begin(struct audit *audit)
{
    int rc = server_side_is_here(&audit->settings->address);
    if (rc < 0)
        return rc;
    audit->look.elsewhere = rc == 0;
    rc = take_look(audit);
    if (rc != 0)
        return rc;
    if (audit->settings->order == AUDIT_ABORT && audit->look.listener_count == 0)
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
    result->interrupted = audit->interrupted;
    result->elapsed_s = (double)(monotonic_us() - audit->began_us) / 1e6;
    server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    findings_conclude(result, audit->settings, &server);
    server_processes_free(&server);
}

static bool make_events(struct audit *audit)
{
    audit->base = event_base_new();
    if (audit->base == NULL)
        return false;
    audit->opener = evtimer_new(audit->base, on_open, audit);
    audit->looker = evtimer_new(audit->base, on_look, audit);
    audit->teller = evtimer_new(audit->base, on_tell, audit);
    audit->pause = evtimer_new(audit->base, on_pause_over, audit);
    return audit->opener != NULL && audit->looker != NULL && audit->teller != NULL && audit->pause != NULL &&
           stop_events_open(&audit->stops, audit->base, on_stop, audit) == 0;
}

static int make(struct audit *audit)
{
    int error = 0;
    audit->witness = witness_choose(0, &error);
    if (audit->witness == NULL)
        return error < 0 ? error : -ENOTSUP;
    audit->count = audit->settings->conns * audit->settings->repeat;
    audit->probes = calloc((size_t)audit->count, sizeof *audit->probes);
    audit->look.sights = calloc((size_t)audit->count, sizeof *audit->look.sights);
    audit->result->connections = calloc((size_t)audit->count, sizeof *audit->result->connections);
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
    if (audit->base != NULL)
        event_base_free(audit->base);
    server_life_free(audit->life);
    ghosts_end(&audit->ghosts);
    free(audit->probes);
    free(audit->look.sights);
}

int audit_run(const struct audit_settings *settings, audit_progress *progress, void *context,
              struct audit_result *result)
{
    *result = (struct audit_result){.count = 0};
    struct audit audit = {.settings = settings,
                          .progress = progress,
                          .context = context,
                          .result = result,
                          .began_us = monotonic_us()};
    signal(SIGPIPE, SIG_IGN);
    int rc = make(&audit);
    if (rc == 0 && settings->order == AUDIT_EOF_WITH_REQUEST) /* before anything of the server is counted */
        result->reply_bytes = reference_reply(audit.base, settings);
    if (rc == 0)
        rc = begin(&audit);
    if (rc == 0) {
        while (audit.round < settings->repeat && !is_called_off(&audit) && !has_no_future(&audit)) {
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
