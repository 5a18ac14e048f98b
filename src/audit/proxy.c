#include "audit/proxy.h"

#include "audit/proxy_backend.h"
#include "audit/proxy_findings.h"
#include "audit/server_side.h"
#include "base/clock.h"
#include "control/stop_events.h"
#include "kernel/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * All pairs of all cells at once, driven by events alone:
 *
 *   open   the opener connects, some at a time, until each pair is READY or has FAILED; a look at the tables
 *   end    each pair lives by its own events and timer (proxy_pair.h); a look, what is passed on is known
 *   pool   HTTP: the clients go; what the proxy keeps of the backend is a pool if later requests come on it
 *   leave  all of ours is closed; looks, and readings of the proxy's descriptors, until nothing is held
 */

enum {
    AT_ONCE = 16,     /* pairs on their way: each needs two connections of the proxy */
    LOOKS_TRIED = 3,  /* a dump may be interrupted, by the kernel's own account */
    PAUSE_US = 25000, /* between two looks, twice as long each time */
    PAUSE_MAX_US = 400000,
    TELL_EVERY_US = 250000,
};

struct proxy_audit {
    const struct proxy_settings *settings;
    const struct witness_backend *witness;
    struct event_base *base;
    struct event *opener, *pause, *teller;
    struct stop_events stops;
    struct proxy_backend *backend;
    struct proxy_crowd crowd;
    struct proxy_pair *pairs;
    struct link_sight *sights[PROXY_SIDES]; /* of all pairs */
    int64_t started, wanted, room;          /* pairs: begun, to be begun now, allocated */
    struct server_life *life;
    struct unlisted_sockets ghosts; /* in the last reading */
    bool opens, ends;               /* what the loop is in for */
    bool interrupted;
    proxy_progress *progress;
    void *context;
    struct proxy_result *result;
};

/* What this machine could not do makes every verdict void. */
static void fail(struct proxy_audit *audit, const char *what, int error)
{
    if (audit->result->failure == NULL) {
        audit->result->failure = what;
        audit->result->failure_error = error;
    }
    event_base_loopbreak(audit->base);
}

static bool is_called_off(const struct proxy_audit *audit)
{
    return audit->interrupted || audit->result->failure != NULL;
}

static void start_timer(struct proxy_audit *audit, struct event *timer, int64_t wait_us)
{
    const struct timeval wait = timeval_of_us(wait_us);
    if (event_add(timer, &wait) != 0)
        fail(audit, "a timer could not be set", ENOMEM);
}

static void run_loop(struct proxy_audit *audit)
{
    if (is_called_off(audit))
        return;
    errno = 0;
    if (event_base_dispatch(audit->base) < 0)
        fail(audit, "the event loop failed", errno != 0 ? errno : EIO);
}

static void let_pass(struct proxy_audit *audit, int64_t wait_us)
{
    start_timer(audit, audit->pause, wait_us);
    run_loop(audit);
    event_del(audit->pause);
}

/* ---- events ---- */

static int64_t on_their_way(const struct proxy_audit *audit)
{
    return audit->crowd.in_stage[STAGE_CONNECTING] + audit->crowd.in_stage[STAGE_CALLING];
}

static bool is_opened(const struct proxy_audit *audit)
{
    return audit->started == audit->wanted && on_their_way(audit) == 0;
}

static bool is_ended(const struct proxy_audit *audit)
{
    return audit->crowd.in_stage[STAGE_FIRST] + audit->crowd.in_stage[STAGE_SECOND] == 0;
}

static void on_change(void *context)
{
    struct proxy_audit *audit = context;
    if (audit->opens && audit->started < audit->wanted)
        event_active(audit->opener, EV_TIMEOUT, 1);
    else if ((audit->opens && is_opened(audit)) || (audit->ends && is_ended(audit)))
        event_base_loopbreak(audit->base);
}

/* Where none of the first ones comes through no other will. */
static bool is_hopeless(const struct proxy_audit *audit)
{
    return audit->crowd.in_stage[STAGE_FAILED] >= AT_ONCE &&
           audit->crowd.in_stage[STAGE_FAILED] == audit->started - on_their_way(audit);
}

static void on_open(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct proxy_audit *audit = context;
    if (is_hopeless(audit))
        audit->wanted = audit->started;
    while (audit->started < audit->wanted && on_their_way(audit) < AT_ONCE && !is_hopeless(audit))
        proxy_pair_start(&audit->pairs[audit->started++]);
    if (audit->opens && is_opened(audit))
        event_base_loopbreak(audit->base);
}

static void on_tell(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct proxy_audit *audit = context;
    const int64_t *in_stage = audit->crowd.in_stage;
    int64_t over = in_stage[STAGE_DONE] + in_stage[STAGE_FAILED];
    audit->progress(audit->context, audit->opens ? "opened through the proxy" : "ended",
                    audit->opens ? over + in_stage[STAGE_READY] : over, audit->wanted);
    start_timer(audit, audit->teller, TELL_EVERY_US);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct proxy_audit *audit = context;
    audit->interrupted = true;
    event_base_loopbreak(audit->base);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct proxy_audit *)context)->base);
}

static void on_caller(void *context, int64_t number, int fd)
{
    struct proxy_audit *audit = context;
    struct proxy_pair *pair = number < audit->started ? &audit->pairs[number] : NULL;
    bool is_waited_for = pair != NULL && pair->end[PROXY_BACK].fd < 0 &&
                         (pair->stage == STAGE_CONNECTING || pair->stage == STAGE_CALLING);
    if (is_waited_for) {
        proxy_pair_adopt(pair, fd);
        return;
    }
    audit->result->retried++; /* or the client has given it up meanwhile */
    close(fd);
}

static void on_refusal(void *context, int error)
{
    fail(context, "a connection of the proxy could not be accepted", error);
}

static void on_next_request(void *context, int fd)
{
    proxy_backend_take_back(((struct proxy_audit *)context)->backend, fd);
}

/* Its first line is kept. */
static void on_answer(void *context, const char *bytes, size_t length)
{
    struct proxy_result *result = ((struct proxy_audit *)context)->result;
    size_t line = strnlen(bytes, length < sizeof result->answer - 1 ? length : sizeof result->answer - 1);
    if (result->answer[0] != '\0')
        return;
    for (size_t i = 0; i < line && bytes[i] != '\r' && bytes[i] != '\n'; i++)
        result->answer[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
}

/* ---- looks ---- */

static const struct tcp_link *front_at(const void *context, int64_t i)
{
    const struct proxy_audit *audit = context;
    return &audit->pairs[i].end[PROXY_FRONT].link;
}

/* One that a later request came on is that pair's. */
static const struct tcp_link *back_at(const void *context, int64_t i)
{
    const struct proxy_audit *audit = context;
    const struct proxy_pair *pair = &audit->pairs[i];
    return pair->result->leg[PROXY_BACK].is_reused ? NULL : &pair->end[PROXY_BACK].link;
}

static int take_look(struct proxy_audit *audit)
{
    const struct proxy_settings *settings = audit->settings;
    int rc = -EINTR;
    for (int i = 0; i < LOOKS_TRIED && rc != 0; i++) {
        rc = links_look(audit->witness, settings->front_port, front_at, audit, audit->started,
                        audit->sights[PROXY_FRONT]);
        if (rc == 0)
            rc = links_look(audit->witness, settings->back_port, back_at, audit, audit->started,
                            audit->sights[PROXY_BACK]);
    }
    if (rc != 0)
        fail(audit, "the kernel's socket tables could not be read", -rc);
    return rc;
}

static const struct link_sight *const *sights_of(const struct proxy_audit *audit)
{
    return (const struct link_sight *const *)audit->sights;
}

static int find_listeners(struct proxy_audit *audit, struct audit_look *look)
{
    const struct audit_settings target = {.address = audit->settings->front,
                                          .port = audit->settings->front_port};
    int rc = -EINTR;
    look->elsewhere = server_side_is_here(&target.address) == 0;
    for (int i = 0; i < LOOKS_TRIED && rc != 0; i++)
        rc = server_side_look_at_listeners(audit->witness, &target, look);
    return rc;
}

/* Returns 0 or a negative errno: ESRCH, nobody is known to listen; EACCES, they may not be looked into. */
static int find_processes(struct proxy_audit *audit, struct server_processes *proxy)
{
    struct audit_look look;
    *proxy = (struct server_processes){.count = 0};
    int rc = find_listeners(audit, &look);
    if (rc != 0)
        return rc;
    if (look.listener_count == 0)
        audit->result->ghost_sight = GHOSTS_FROM_AFAR;
    return look.listener_count == 0 ? -ESRCH
                                    : server_processes_find(look.listeners, look.listener_count, proxy);
}

static bool is_not_for_us(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ESRCH;
}

/* Descriptors of nothing: those in this reading and in the last one. Returns whether they could be read. */
static bool read_ghosts(struct proxy_audit *audit, struct unlisted_sockets *both)
{
    struct server_processes proxy;
    struct unlisted_sockets now = {.count = 0};
    *both = (struct unlisted_sockets){.count = 0};
    int rc = find_processes(audit, &proxy);
    if (rc == 0)
        rc = unlisted_sockets_read(proxy.each, proxy.count, &now);
    server_processes_free(&proxy);
    if (is_not_for_us(rc)) {
        audit->result->ghost_sight =
            audit->result->ghost_sight == GHOSTS_FROM_AFAR ? GHOSTS_FROM_AFAR : GHOSTS_NOT_OURS;
        return false;
    }
    both->each = calloc(now.count + 1, sizeof *both->each);
    if (rc != 0 || both->each == NULL) {
        fail(audit, "the descriptors of the proxy's processes could not be read", rc != 0 ? -rc : ENOMEM);
        unlisted_sockets_free(&now);
        return false;
    }
    for (size_t i = 0; i < now.count; i++)
        if (unlisted_sockets_have(&audit->ghosts, now.each[i].inode))
            both->each[both->count++] = now.each[i];
    unlisted_sockets_free(&audit->ghosts);
    audit->ghosts = now;
    audit->result->ghost_sight = GHOSTS_SEEN;
    return true;
}

/* ---- open ---- */

static void open_pairs(struct proxy_audit *audit, int64_t count)
{
    audit->wanted = audit->started + count;
    audit->opens = true;
    start_timer(audit, audit->opener, 0);
    run_loop(audit);
    event_del(audit->opener);
    audit->opens = false;
    if (!is_called_off(audit) && take_look(audit) == 0)
        proxy_findings_take_open(audit->result->pairs, audit->started, sights_of(audit));
}

static void end_pairs(struct proxy_audit *audit)
{
    for (int64_t i = 0; i < audit->started; i++)
        if (audit->pairs[i].stage == STAGE_READY)
            proxy_pair_end(&audit->pairs[i]);
    audit->ends = true;
    if (!is_ended(audit))
        run_loop(audit);
    audit->ends = false;
}

/* ---- pool ---- */

static int64_t held_in_front(const struct proxy_audit *audit)
{
    int64_t held = 0;
    for (int64_t i = 0; i < audit->started; i++)
        held += link_sight_is_held(&audit->sights[PROXY_FRONT][i]);
    return held;
}

/* Clients that are through go; the backend stays. */
static void let_clients_go(struct proxy_audit *audit)
{
    int64_t until_us = monotonic_us() + audit->settings->grace_ms * 1000, pause_us = PAUSE_US;
    for (int64_t i = 0; i < audit->started; i++)
        proxy_pair_close(&audit->pairs[i], PROXY_FRONT);
    do {
        let_pass(audit, pause_us);
        pause_us = pause_us < PAUSE_MAX_US ? 2 * pause_us : pause_us;
    } while (!is_called_off(audit) && take_look(audit) == 0 && held_in_front(audit) > 0 &&
             monotonic_us() < until_us);
}

static void try_pool(struct proxy_audit *audit)
{
    let_clients_go(audit);
    if (is_called_off(audit))
        return;
    audit->result->pooled = proxy_findings_pooled(audit->pairs, audit->started, sights_of(audit));
    if (audit->result->pooled == 0)
        return;
    open_pairs(audit, audit->settings->conns);
    end_pairs(audit);
}

/* ---- leave ---- */

static int64_t read_held(struct proxy_audit *audit)
{
    struct unlisted_sockets both;
    bool are_ghosts_known = read_ghosts(audit, &both);
    if (is_called_off(audit) || take_look(audit) != 0) {
        unlisted_sockets_free(&both);
        return 0;
    }
    int64_t held = proxy_findings_take_held(audit->result->pairs, audit->started, sights_of(audit),
                                            are_ghosts_known ? &both : NULL);
    unlisted_sockets_free(&both);
    return held;
}

/* What is in no table may be a descriptor still, and two readings tell. */
static void wait_for_leaving(struct proxy_audit *audit)
{
    int64_t until_us = monotonic_us() + audit->settings->grace_ms * 1000, pause_us = PAUSE_US, held;
    let_pass(audit, pause_us);
    read_held(audit);
    do {
        let_pass(audit, pause_us);
        pause_us = pause_us < PAUSE_MAX_US ? 2 * pause_us : pause_us;
        held = read_held(audit);
    } while (held > 0 && !is_called_off(audit) && monotonic_us() < until_us);
}

static void leave(struct proxy_audit *audit)
{
    audit->result->strangers = proxy_backend_strangers(audit->backend);
    proxy_backend_close(audit->backend);
    for (int64_t i = 0; i < audit->started; i++)
        proxy_pair_stop(&audit->pairs[i]);
    if (!is_called_off(audit))
        wait_for_leaving(audit);
}

/* ---- the whole ---- */

static void note_fate(struct proxy_audit *audit)
{
    struct proxy_result *result = audit->result;
    if (server_life_is_over(audit->life, &result->ending))
        result->fate = FATE_ENDED;
    else if (server_life_has_crash(audit->life, &result->ending))
        result->fate = FATE_CRASHED;
}

static int note_processes(struct proxy_audit *audit)
{
    struct server_processes proxy;
    struct proxy_result *result = audit->result;
    result->ghost_sight = GHOSTS_NOT_OURS;
    int rc = find_processes(audit, &proxy);
    if (rc != 0 && !is_not_for_us(rc))
        return rc;
    result->listener = proxy.listening > 0 ? proxy.each[0] : 0;
    memcpy(result->listener_command, process_command(result->listener).text, sizeof result->listener_command);
    audit->life = server_life_new(&proxy);
    server_processes_free(&proxy);
    return audit->life == NULL ? -ENOMEM : 0;
}

static void find_owners(struct proxy_audit *audit)
{
    struct server_processes proxy;
    int rc = find_processes(audit, &proxy);
    if (rc == 0 || is_not_for_us(rc))
        rc = proxy_findings_find_owners(audit->result->pairs, audit->started, &proxy);
    server_processes_free(&proxy);
    if (rc != 0)
        fail(audit, "the processes that hold sockets could not be read", -rc);
}

static void play(struct proxy_audit *audit)
{
    bool is_http = audit->settings->http_path != NULL;
    open_pairs(audit, audit->result->count);
    if (is_called_off(audit))
        return;
    end_pairs(audit);
    if (!is_called_off(audit) && take_look(audit) == 0) {
        proxy_findings_take_ended(audit->result->pairs, audit->started, sights_of(audit), is_http);
        find_owners(audit);
    }
    if (!is_called_off(audit) && is_http)
        try_pool(audit);
}

static void make_pairs(struct proxy_audit *audit)
{
    struct proxy_pair_result *results = audit->result->pairs;
    for (int64_t i = 0; i < audit->room; i++) {
        int64_t cell = i / audit->settings->conns; /* the last one is that of the pool */
        bool is_of_cell = cell < PROXY_CELLS;
        results[i].manner[PROXY_FRONT] = is_of_cell ? (enum proxy_manner)(cell / MANNER_COUNT) : MANNER_STAYS;
        results[i].manner[PROXY_BACK] = is_of_cell ? (enum proxy_manner)(cell % MANNER_COUNT) : MANNER_STAYS;
        proxy_pair_init(&audit->pairs[i], &audit->crowd, &results[i], i);
    }
}

static int make_events(struct proxy_audit *audit)
{
    struct event_config *config = event_config_new();
    if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        audit->base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    if (audit->base == NULL)
        return -ENOMEM;
    audit->crowd.base = audit->base;
    audit->opener = evtimer_new(audit->base, on_open, audit);
    audit->pause = evtimer_new(audit->base, on_pause_over, audit);
    audit->teller = evtimer_new(audit->base, on_tell, audit);
    bool has_all = audit->opener != NULL && audit->pause != NULL && audit->teller != NULL &&
                   stop_events_open(&audit->stops, audit->base, on_stop, audit) == 0;
    return has_all ? 0 : -ENOMEM;
}

static int make(struct proxy_audit *audit)
{
    int error = 0;
    const struct proxy_settings *settings = audit->settings;
    audit->witness = witness_choose(0, &error);
    if (audit->witness == NULL)
        return error < 0 ? error : -ENOTSUP;
    audit->result->count = settings->conns * PROXY_CELLS;
    audit->room = audit->result->count + (settings->http_path != NULL ? settings->conns : 0);
    audit->pairs = calloc((size_t)audit->room, sizeof *audit->pairs);
    for (int side = 0; side < PROXY_SIDES; side++)
        audit->sights[side] = calloc((size_t)audit->room, sizeof *audit->sights[side]);
    audit->result->pairs = calloc((size_t)audit->room, sizeof *audit->result->pairs);
    if (audit->pairs == NULL || audit->sights[PROXY_FRONT] == NULL || audit->sights[PROXY_BACK] == NULL ||
        audit->result->pairs == NULL)
        return -ENOMEM;
    int rc = make_events(audit);
    if (rc != 0)
        return rc;
    make_pairs(audit);
    const struct proxy_backend_duty duty = {.base = audit->base,
                                            .run = audit->crowd.run,
                                            .is_http = settings->http_path != NULL,
                                            .on_caller = on_caller,
                                            .on_refusal = on_refusal,
                                            .context = audit};
    rc = proxy_backend_open(&duty, &settings->back, settings->back_port, &audit->backend);
    return rc != 0 ? rc : note_processes(audit);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void unmake(struct proxy_audit *audit)
{
    for (int64_t i = 0; i < audit->started; i++)
        proxy_pair_stop(&audit->pairs[i]);
    proxy_backend_free(audit->backend);
    stop_events_close(&audit->stops);
    free_event(audit->opener);
    free_event(audit->pause);
    free_event(audit->teller);
    if (audit->base != NULL)
        event_base_free(audit->base);
    server_life_free(audit->life);
    unlisted_sockets_free(&audit->ghosts);
    free(audit->pairs);
    free(audit->sights[PROXY_FRONT]);
    free(audit->sights[PROXY_BACK]);
}

int proxy_run(const struct proxy_settings *settings, proxy_progress *progress, void *context,
              struct proxy_result *result)
{
    *result = (struct proxy_result){.count = 0};
    int64_t began_us = monotonic_us();
    struct proxy_audit audit = {
        .settings = settings, .progress = progress, .context = context, .result = result};
    audit.crowd = (struct proxy_crowd){.settings = settings,
                                       .run = (uint32_t)(began_us ^ ((int64_t)getpid() << 16)),
                                       .on_change = on_change,
                                       .on_next_request = on_next_request,
                                       .on_answer = on_answer,
                                       .context = &audit};
    signal(SIGPIPE, SIG_IGN);
    int rc = make(&audit);
    if (rc == 0) {
        if (progress != NULL)
            start_timer(&audit, audit.teller, TELL_EVERY_US);
        play(&audit);
        leave(&audit);
        note_fate(&audit);
        if (!is_called_off(&audit))
            find_owners(&audit);
        proxy_findings_conclude(result, audit.room, settings->http_path != NULL);
    }
    result->interrupted = audit.interrupted;
    result->elapsed_s = (double)(monotonic_us() - began_us) / 1e6;
    unmake(&audit);
    return rc;
}

void proxy_free(struct proxy_result *result)
{
    free(result->pairs);
    result->pairs = NULL;
}
