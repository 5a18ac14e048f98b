#include "audit/client_audit_state.h"

#include "base/clock.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    BACKLOG_OF_NONE = 0, /* room for one: the others stay in SYN_SENT */
    ACCEPTS_AT_ONCE = 64,
    LOOKS_TRIED = 3,       /* a dump may be interrupted, by the kernel's own account */
    LOOK_EVERY_US = 50000, /* and at most a part of the time: */
    LOOK_SHARE = 5,
    EXIT_US = 100000, /* what closes so shortly before its process ends may have been closed by that */
    STOP_MS = 5000,
    LAST_PAUSE_MS = 25,
    CALM_LOOKS = 3,
    TELL_EVERY_US = 250000,
};

static void fail(struct client_audit *audit, const char *what, int error)
{
    struct audit_result *result = &audit->result->audit;
    if (result->failure == NULL) {
        result->failure = what;
        result->failure_error = error;
    }
    event_base_loopbreak(audit->base);
}

static bool is_called_off(const struct client_audit *audit)
{
    return audit->is_stopped || audit->result->audit.failure != NULL;
}

static void start_timer(struct client_audit *audit, struct event *timer, int64_t wait_us)
{
    const struct timeval wait = timeval_of_us(wait_us);
    if (event_add(timer, &wait) != 0)
        fail(audit, "a timer could not be set", ENOMEM);
}

static const struct server_manner_row *manner_of(const struct client_audit *audit)
{
    return server_manner_row(audit->settings->manner);
}

/* ---- who comes ---- */

static void stop_accepting(struct client_audit *audit)
{
    if (audit->accepts)
        event_del(&audit->acceptable);
    audit->accepts = false;
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct client_audit *audit = context;
    for (int i = 0; i < ACCEPTS_AT_ONCE && audit->count < audit->room; i++) {
        int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0 && errno == EAGAIN)
            return;
        if (accepted < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (accepted < 0) {
            stop_accepting(audit);
            fail(audit, "a connection could not be accepted", errno);
            return;
        }
        audit->came_us = monotonic_us();
        audit->happened++;
        client_visit_begin(&audit->visits[audit->count++], &audit->house, accepted);
    }
    if (audit->count == audit->room)
        stop_accepting(audit); /* later ones wait in the queue: refused they would be another test */
}

static bool is_ours(const struct client_audit *audit, const struct address *address, uint16_t port)
{
    const struct audit_settings *settings = &audit->settings->audit;
    struct address unmapped = address_unmapped(address);
    return port == settings->port &&
           (address_is_wildcard(&settings->address) || address_equal(&unmapped, &settings->address));
}

static bool is_known(const struct client_audit *audit, const struct socket_entry *entry)
{
    for (int64_t i = 0; i < audit->count; i++)
        if (audit->visits[i].link.remote_port == entry->local_port)
            return true;
    return false;
}

/* A client's end, of a connection that nobody accepts. */
static int note_unaccepted(void *context, const struct socket_entry *entry)
{
    struct client_audit *audit = context;
    bool is_open = entry->state == STATE_SYN_SENT || entry->state == STATE_ESTABLISHED;
    if (!is_open || audit->count == audit->room || !is_ours(audit, &entry->remote, entry->remote_port) ||
        is_known(audit, entry))
        return 0;
    struct client_visit *visit = &audit->visits[audit->count++];
    *visit = (struct client_visit){.fd = -1, .house = &audit->house, .stage = VISIT_READY};
    visit->link = (struct tcp_link){.own = address_unmapped(&entry->remote),
                                    .own_port = entry->remote_port,
                                    .remote = address_unmapped(&entry->local),
                                    .remote_port = entry->local_port};
    visit->came_us = audit->came_us = monotonic_us();
    return 0;
}

static int find_unaccepted(struct client_audit *audit)
{
    uint16_t port = audit->settings->audit.port;
    const struct port_range only = {port, port};
    int rc = audit->witness->each(AF_INET, &only, note_unaccepted, audit);
    if (rc == 0)
        rc = audit->witness->each(AF_INET6, &only, note_unaccepted, audit);
    return rc == -ENOENT ? 0 : rc;
}

/* ---- looks ---- */

static const struct tcp_link *link_at(const void *context, int64_t i)
{
    return &((const struct client_audit *)context)->visits[i].link;
}

static int look_once(struct client_audit *audit)
{
    int rc = manner_of(audit)->never_accepts ? find_unaccepted(audit) : 0;
    return rc != 0 ? rc
                   : links_look(audit->witness, audit->settings->audit.port, link_at, audit, audit->count,
                                audit->sights);
}

/* Returns whether it could be read. */
static bool take_look(struct client_audit *audit)
{
    int rc = -EINTR;
    for (int i = 0; i < LOOKS_TRIED && rc == -EINTR; i++)
        rc = look_once(audit);
    if (rc != 0)
        fail(audit, "the kernel's socket tables could not be read", -rc);
    rc = rc == 0 ? client_traces_take(&audit->traces, audit->sights, audit->count) : 0;
    if (rc != 0)
        fail(audit, "the processes that hold sockets could not be read", -rc);
    return !is_called_off(audit) || audit->is_stopped;
}

/* ---- what is done to them ---- */

static enum probe_end end_of(const struct client_visit *visit)
{
    return visit->error == 0 ? END_FIN : visit->error == ECONNRESET ? END_RESET : END_FAILED;
}

static void act_on(struct client_audit *audit, int64_t i)
{
    struct client_visit *visit = &audit->visits[i];
    const struct tcp_link *link = &visit->link;
    if (visit->stage == VISIT_READY) {
        probe_adopt(&audit->probes[i], &audit->crowd, client_visit_adopt(visit), &link->remote,
                    link->remote_port, visit->bytes);
    } else if (visit->stage == VISIT_OVER) {
        probe_adopt_ended(&audit->probes[i], &audit->crowd, end_of(visit), visit->error, &link->remote,
                          link->remote_port, visit->bytes);
        audit->probes[i].ended_us = visit->ended_us;
        visit->stage = VISIT_ADOPTED;
    }
}

/* Where our descriptor is gone the state of our end tells that the client has closed, or a connection that
 * nobody has accepted was given up. */
static void note_closed(struct client_audit *audit, int64_t i, int64_t before_us)
{
    const struct link_sight *sight = &audit->sights[i];
    struct probe *probe = &audit->probes[i];
    bool tells =
        audit_order_row(audit->settings->audit.order)->tables_tell || manner_of(audit)->never_accepts;
    bool is_closed = manner_of(audit)->never_accepts
                         ? !link_sight_is_held(sight) && !(sight->seen && sight->state == STATE_SYN_SENT)
                     : sight->own_seen ? sight->own_state == STATE_TIME_WAIT
                                       : !probe_is_forgotten(probe, &audit->settings->audit, before_us);
    if (tells && is_closed && probe->acted_us != 0 && probe->acted_us < before_us)
        probe_note_closed(probe, END_FIN, monotonic_us());
}

static void note_held(struct client_audit *audit, int64_t i)
{
    struct client_trace *trace = &audit->traces.each[i];
    const struct probe *probe = &audit->probes[i];
    if (trace->has_ended)
        return;
    trace->looks_closed += probe->phase == PROBE_ENDED;
    trace->was_held = probe->phase == PROBE_WAITED &&
                      (link_sight_is_held(&audit->sights[i]) || audit->sights[i].state == STATE_SYN_SENT);
    if (trace->was_held)
        trace->held = client_sight_of(&audit->sights[i]);
}

static bool is_there(const struct client_audit *audit)
{
    return !audit->has_program || !audit->program->is_over;
}

/* Of a look that began then. */
static void take_note(struct client_audit *audit, int64_t before_us)
{
    for (int64_t i = 0; i < audit->count; i++)
        note_closed(audit, i, before_us);
    int rc = client_traces_read(&audit->traces, audit->sights, audit->count);
    if (rc != 0)
        fail(audit, "the descriptors of the client's processes could not be read", -rc);
    for (int64_t i = 0; i < audit->count; i++)
        note_held(audit, i);
}

/* ---- when it is over ---- */

/* A look may take longer than a grace period: meanwhile nobody hears what the clients do. */
static void count_calm(struct client_audit *audit)
{
    int64_t happened = audit->happened + audit->house.happened;
    audit->calm_looks = happened == audit->happened_before ? audit->calm_looks + 1 : 0;
    audit->happened_before = happened;
}

/* Its moment may come yet: the client may send something. */
static bool is_undecided(const struct client_audit *audit, int64_t i, int64_t now_us)
{
    const struct client_visit *visit = &audit->visits[i];
    return visit->stage == VISIT_READY || visit->stage == VISIT_OVER ||
           (visit->stage == VISIT_TALKS && now_us - visit->came_us < audit->settings->audit.grace_ms * 1000);
}

static bool are_all_decided(const struct client_audit *audit, int64_t now_us)
{
    if (audit->crowd.in_phase[PROBE_ACTED] > 0)
        return false;
    for (int64_t i = 0; i < audit->count; i++)
        if (is_undecided(audit, i, now_us))
            return false;
    return true;
}

static bool is_over(const struct client_audit *audit)
{
    const struct client_settings *settings = audit->settings;
    int64_t now_us = monotonic_us(), grace_us = settings->audit.grace_ms * 1000;
    if (!is_there(audit))
        return true;
    if (audit->count == 0)
        return audit->has_program && now_us - audit->began_us > settings->until_ready_ms * 1000;
    if (audit->count < audit->room && (!audit->has_program || now_us - audit->came_us < grace_us))
        return false;
    return audit->calm_looks >= CALM_LOOKS && are_all_decided(audit, now_us);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct client_audit *audit = context;
    int64_t before_us = monotonic_us();
    if ((audit->count > 0 || manner_of(audit)->never_accepts) && is_there(audit) && take_look(audit)) {
        take_note(audit, before_us);
        for (int64_t i = 0; i < audit->count; i++) /* after the look: then it is known whose they are */
            act_on(audit, i);
    }
    count_calm(audit);
    if (is_over(audit))
        event_base_loopbreak(audit->base);
    audit->looked_us = monotonic_us();
    audit->look_took_us = audit->looked_us - before_us;
    int64_t pause_us = (LOOK_SHARE - 1) * audit->look_took_us;
    start_timer(audit, audit->looker, pause_us > LOOK_EVERY_US ? pause_us : LOOK_EVERY_US);
}

/* ---- other events ---- */

/* What is due is done after a look: at once, unless looks would take most of the time. */
static void on_visit_change(void *context)
{
    struct client_audit *audit = context;
    if (monotonic_us() - audit->looked_us > (LOOK_SHARE - 1) * audit->look_took_us)
        event_active(audit->looker, EV_TIMEOUT, 1);
}

static void on_probe_change(void *context, enum probe_phase from)
{
    (void)from;
    ((struct client_audit *)context)->happened++;
}

static void on_program(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct client_audit *audit = context;
    program_hear(audit->program);
    if (!audit->program->is_over && audit->program->error == 0)
        return;
    event_del(audit->heard);
    if (audit->program->error != 0)
        fail(audit, "the end of the program cannot be detected", audit->program->error);
    event_base_loopbreak(audit->base);
}

static void on_tell(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct client_audit *audit = context;
    audit->progress(audit->context, "connected and judged",
                    audit->crowd.in_phase[PROBE_ENDED] + audit->crowd.in_phase[PROBE_WAITED], audit->count);
    start_timer(audit, audit->teller, TELL_EVERY_US);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct client_audit *audit = context;
    audit->is_stopped = true;
    event_base_loopbreak(audit->base);
}

/* What is in no table may be on its way into one, and a process on its way out: a moment later it is not. */
static void take_last_look(struct client_audit *audit)
{
    if (is_there(audit))
        poll(NULL, 0, LAST_PAUSE_MS);
    int64_t before_us = monotonic_us();
    if (take_look(audit))
        take_note(audit, before_us);
}

static int finish(struct client_audit *audit)
{
    struct audit_look *look = calloc(1, sizeof *look);
    struct audit_result *result = &audit->result->audit;
    if (look != NULL)
        look->sights = calloc((size_t)audit->room, sizeof *look->sights);
    int rc = look == NULL || look->sights == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        stop_accepting(audit);
        if (result->failure == NULL && audit->count > 0)
            take_last_look(audit);
        result->interrupted = audit->is_stopped && (audit->has_program || audit->count == 0 ||
                                                    !are_all_decided(audit, monotonic_us()));
        for (int64_t i = 0; i < audit->count; i++)
            if (audit->visits[i].stage == VISIT_OVER)
                act_on(audit, i);
        client_audit_conclude(audit, look);
    }
    if (look != NULL)
        free(look->sights);
    free(look);
    return rc;
}

/* ---- the whole ---- */

static int listen_there(struct client_audit *audit)
{
    const struct audit_settings *settings = &audit->settings->audit;
    bool never_accepts = manner_of(audit)->never_accepts;
    audit->listener =
        listen_socket_open(&settings->address, settings->port, never_accepts ? BACKLOG_OF_NONE : BACKLOG);
    if (audit->listener < 0 || never_accepts)
        return audit->listener < 0 ? audit->listener : 0;
    event_assign(&audit->acceptable, audit->base, audit->listener, EV_READ | EV_PERSIST, on_acceptable,
                 audit);
    audit->accepts = event_add(&audit->acceptable, NULL) == 0;
    return audit->accepts ? 0 : -ENOMEM;
}

static int start_program(struct client_audit *audit)
{
    const struct program_place place = {.output = STDERR_FILENO};
    if (audit->settings->command == NULL)
        return 0;
    int rc = program_start(audit->program, audit->settings->command, &place);
    if (rc != 0)
        return rc;
    audit->has_program = true;
    audit->traces.ancestor = audit->program->keeper;
    audit->heard = event_new(audit->base, audit->program->stream, EV_READ | EV_PERSIST, on_program, audit);
    return audit->heard != NULL && event_add(audit->heard, NULL) == 0 ? 0 : -ENOMEM;
}

static int make_events(struct client_audit *audit)
{
    struct event_config *config = event_config_new();
    if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        audit->base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    if (audit->base == NULL)
        return -ENOMEM;
    audit->house.base = audit->crowd.base = audit->base;
    audit->looker = evtimer_new(audit->base, on_look, audit);
    audit->teller = evtimer_new(audit->base, on_tell, audit);
    bool has_all = audit->looker != NULL && audit->teller != NULL &&
                   stop_events_open(&audit->stops, audit->base, on_stop, audit) == 0;
    return has_all ? 0 : -ENOMEM;
}

static int make(struct client_audit *audit)
{
    int error = 0;
    size_t room = (size_t)audit->room;
    audit->witness = witness_choose(0, &error);
    if (audit->witness == NULL)
        return error < 0 ? error : -ENOTSUP;
    audit->visits = calloc(room, sizeof *audit->visits);
    audit->probes = calloc(room, sizeof *audit->probes);
    audit->sights = calloc(room, sizeof *audit->sights);
    audit->traces.each = calloc(room, sizeof *audit->traces.each);
    audit->result->audit.connections = calloc(room, sizeof *audit->result->audit.connections);
    if (audit->visits == NULL || audit->probes == NULL || audit->sights == NULL ||
        audit->traces.each == NULL || audit->result->audit.connections == NULL)
        return -ENOMEM;
    int rc = make_events(audit);
    if (rc == 0)
        rc = listen_there(audit);
    return rc == 0 ? start_program(audit) : rc;
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void unmake(struct client_audit *audit)
{
    for (int64_t i = 0; i < audit->count; i++) {
        client_visit_stop(&audit->visits[i]);
        if (audit->probes[i].crowd != NULL)
            probe_stop(&audit->probes[i]);
    }
    stop_accepting(audit);
    if (audit->listener >= 0)
        close(audit->listener);
    program_stop(audit->program, STOP_MS);
    stop_events_close(&audit->stops);
    free_event(audit->looker);
    free_event(audit->teller);
    free_event(audit->heard);
    if (audit->base != NULL)
        event_base_free(audit->base);
    free(audit->visits);
    free(audit->probes);
    free(audit->sights);
    free(audit->traces.each);
}

static void play(struct client_audit *audit)
{
    start_timer(audit, audit->looker, 0);
    if (audit->progress != NULL)
        start_timer(audit, audit->teller, TELL_EVERY_US);
    errno = 0;
    if (!is_called_off(audit) && event_base_dispatch(audit->base) < 0)
        fail(audit, "the event loop failed", errno != 0 ? errno : EIO);
}

int client_audit_run(const struct client_settings *settings, struct program *program,
                     audit_progress *progress, void *context, struct client_result *result)
{
    *result = (struct client_result){.client = 0};
    struct client_audit audit = {.settings = settings,
                                 .program = program,
                                 .room = settings->audit.conns,
                                 .listener = -1,
                                 .began_us = monotonic_us(),
                                 .progress = progress,
                                 .context = context,
                                 .result = result};
    audit.house = (struct visit_house){.manner = server_manner_row(settings->manner),
                                       .reply = settings->reply,
                                       .reply_length = settings->reply_length,
                                       .is_http = settings->is_http,
                                       .requests = settings->requests,
                                       .on_change = on_visit_change,
                                       .context = &audit};
    audit.crowd =
        (struct probe_crowd){.settings = &settings->audit, .on_change = on_probe_change, .context = &audit};
    signal(SIGPIPE, SIG_IGN);
    int rc = make(&audit);
    if (rc == 0) {
        play(&audit);
        rc = finish(&audit);
    }
    result->audit.elapsed_s = (double)(monotonic_us() - audit.began_us) / 1e6;
    unmake(&audit);
    return rc;
}

void client_audit_free(struct client_result *result)
{
    audit_free(&result->audit);
}
