#include "audit/audit.h"

#include "audit/findings.h"
#include "audit/probe.h"
#include "audit/server_side.h"
#include "storm/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 10,
    AT_ONCE = 256,      /* connect() calls that wait for an answer, where no rate is asked for */
    LOOK_EVERY_MS = 50, /* where only the kernel's tables tell when the server closes */
    LOOK_SHARE = 5,     /* and at most this part of the time */
    GHOST_PAUSE_US = 20000,
    TELL_EVERY_MS = 250,
};

const char *const audit_order_names[] = {"half-close", "client-first", "abort", "idle", NULL};

struct audit {
    const struct audit_settings *settings;
    const struct witness_backend *witness; /* NULL: none works here */
    struct event_base *base;
    struct event *tick, *interrupts[2];
    struct probe *probes;
    struct audit_look look;
    int64_t started, count; /* probes of all rounds so far; and of all rounds */
    int round;
    int64_t round_first, round_began_us;
    int64_t looked_us, look_took_us, told_us, began_us;
    bool interrupted;
    audit_progress *progress;
    void *context;
    struct audit_result *result;
    int64_t ghosts_before;
};

/* ---- a round ---- */

static int64_t last_of_round(const struct audit *audit)
{
    return audit->round_first + audit->settings->conns;
}

static int64_t in_phase(const struct audit *audit, enum probe_phase phase)
{
    int64_t count = 0;
    for (int64_t i = audit->round_first; i < audit->started; i++)
        count += audit->probes[i].phase == phase;
    return count;
}

static void start_some(struct audit *audit, int64_t now_us)
{
    const struct audit_settings *settings = audit->settings;
    int64_t due = settings->rate > 0
                      ? audit->round_first + (now_us - audit->round_began_us) * settings->rate / 1000000 + 1
                      : audit->started + AT_ONCE - in_phase(audit, PROBE_CONNECTING);
    while (audit->started < due && audit->started < last_of_round(audit))
        probe_start(&audit->probes[audit->started++], audit->base, settings, audit->round);
}

/* After close() the client has no descriptor that would tell: the state of its end does. */
static bool tables_tell(const struct audit *audit)
{
    return audit->settings->order == AUDIT_CLIENT_FIRST && audit->witness != NULL;
}

static int take_look(struct audit *audit)
{
    int64_t before_us = monotonic_us();
    int rc = audit->witness == NULL ? -ENOTSUP
                                    : server_side_look(audit->witness, audit->settings, audit->probes,
                                                       audit->started, &audit->look);
    audit->looked_us = monotonic_us();
    audit->look_took_us = audit->looked_us - before_us;
    return rc;
}

static void look_for_closed(struct audit *audit, int64_t now_us)
{
    int64_t pause_us = LOOK_EVERY_MS * 1000;
    if (pause_us < (LOOK_SHARE - 1) * audit->look_took_us)
        pause_us = (LOOK_SHARE - 1) * audit->look_took_us;
    if (now_us - audit->looked_us < pause_us || take_look(audit) != 0)
        return;
    for (int64_t i = audit->round_first; i < audit->started; i++) {
        const struct audit_sight *sight = &audit->look.sights[i];
        bool waits = sight->own_seen && sight->own_state != STATE_TIME_WAIT;
        if (audit->probes[i].phase == PROBE_ACTED && !waits && audit->probes[i].acted_us < now_us)
            probe_note_closed(&audit->probes[i], audit->looked_us);
    }
}

static bool is_round_over(const struct audit *audit, int64_t now_us)
{
    if (audit->started < last_of_round(audit))
        return false;
    for (int64_t i = audit->round_first; i < audit->started; i++) {
        const struct probe *probe = &audit->probes[i];
        bool waits =
            probe->phase == PROBE_ACTED && now_us - probe->acted_us < audit->settings->grace_ms * 1000;
        if (probe->phase < PROBE_ACTED || waits)
            return false;
    }
    return true;
}

static void tell(struct audit *audit, int64_t now_us)
{
    if (audit->progress == NULL || now_us - audit->told_us < TELL_EVERY_MS * 1000)
        return;
    audit->told_us = now_us;
    int64_t over = in_phase(audit, PROBE_ENDED), acted = in_phase(audit, PROBE_ACTED) + over;
    if (acted < audit->settings->conns)
        audit->progress(audit->context, "opening and closing", acted, audit->settings->conns);
    else
        audit->progress(audit->context, "closed by the server", over, audit->settings->conns);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    int64_t now_us = monotonic_us();
    start_some(audit, now_us);
    for (int64_t i = audit->round_first; i < audit->started; i++)
        probe_tick(&audit->probes[i], now_us);
    if (tables_tell(audit))
        look_for_closed(audit, now_us);
    tell(audit, now_us);
    if (is_round_over(audit, monotonic_us()))
        event_base_loopbreak(audit->base);
}

static void on_interrupt(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    audit->interrupted = true;
    event_base_loopbreak(audit->base);
}

/* ---- what the server does with descriptors of nothing ---- */

/* A client that hears the last FIN may be sooner than the server's close() that follows its shutdown(): until
 * the grace period is over it has the time for it. */
static int64_t count_ghosts(struct audit *audit)
{
    int64_t until_us = monotonic_us() + audit->settings->grace_ms * 1000;
    int64_t before = audit->ghosts_before, ghosts = server_side_ghosts(&audit->look);
    if (audit->round > 0)
        before += audit->result->ghosts_after[audit->round - 1];
    while (ghosts > before && audit->settings->order != AUDIT_ABORT && !audit->interrupted &&
           monotonic_us() < until_us) {
        usleep(GHOST_PAUSE_US);
        event_base_loop(audit->base, EVLOOP_NONBLOCK); /* Ctrl-C is heard */
        ghosts = server_side_ghosts(&audit->look);
    }
    return ghosts;
}

static void note_ghosts(struct audit *audit)
{
    struct audit_result *result = audit->result;
    int64_t ghosts = audit->ghosts_before >= 0 ? count_ghosts(audit) : -1;
    result->ghosts_known = ghosts >= 0;
    result->ghosts = ghosts > audit->ghosts_before ? ghosts - audit->ghosts_before : 0;
    result->ghosts_after[audit->round] = result->ghosts;
}

/* ---- the whole ---- */

static void play_round(struct audit *audit)
{
    static const struct timeval tick = {0, TICK_MS * 1000};
    audit->round_first = (int64_t)audit->round * audit->settings->conns;
    audit->round_began_us = monotonic_us();
    event_add(audit->tick, &tick);
    event_base_dispatch(audit->base);
    event_del(audit->tick);
    take_look(audit);
    findings_take(audit->result, audit->settings, audit->probes, audit->round_first, audit->started,
                  &audit->look);
    audit->result->rounds = audit->round + 1;
    note_ghosts(audit);
}

static int begin(struct audit *audit)
{
    audit->look.elsewhere = !server_side_is_here(&audit->settings->address);
    take_look(audit);
    if (audit->settings->order == AUDIT_ABORT && audit->look.listener_count == 0)
        return -ENOENT;
    audit->result->listener = server_side_listener(&audit->look);
    audit->ghosts_before = server_side_ghosts(&audit->look);
    return 0;
}

static void finish(struct audit *audit)
{
    struct audit_result *result = audit->result;
    result->interrupted = audit->interrupted;
    result->elapsed_s = (double)(monotonic_us() - audit->began_us) / 1e6;
    findings_conclude(result, &audit->look);
}

static int make(struct audit *audit)
{
    static const int signals[] = {SIGINT, SIGTERM};
    int error;
    audit->witness = witness_choose(0, &error);
    audit->count = audit->settings->conns * audit->settings->repeat;
    audit->base = event_base_new();
    audit->probes = calloc((size_t)audit->count, sizeof *audit->probes);
    audit->look.sights = calloc((size_t)audit->count, sizeof *audit->look.sights);
    audit->result->connections = calloc((size_t)audit->count, sizeof *audit->result->connections);
    if (audit->base == NULL || audit->probes == NULL || audit->look.sights == NULL ||
        audit->result->connections == NULL)
        return -ENOMEM;
    audit->tick = event_new(audit->base, -1, EV_PERSIST, on_tick, audit);
    for (int i = 0; i < 2; i++) {
        audit->interrupts[i] = evsignal_new(audit->base, signals[i], on_interrupt, audit);
        event_add(audit->interrupts[i], NULL);
    }
    return 0;
}

static void unmake(struct audit *audit)
{
    for (int64_t i = 0; i < audit->started; i++)
        probe_stop(&audit->probes[i]);
    for (int i = 0; i < 2; i++)
        if (audit->interrupts[i] != NULL)
            event_free(audit->interrupts[i]);
    if (audit->tick != NULL)
        event_free(audit->tick);
    if (audit->base != NULL)
        event_base_free(audit->base);
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
    if (rc == 0)
        rc = begin(&audit);
    if (rc == 0) {
        for (; audit.round < settings->repeat && !audit.interrupted; audit.round++)
            play_round(&audit);
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
