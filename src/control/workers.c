#include "control/workers.h"

#include "base/clock.h"
#include "control/hosts.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATIENCE_S = 10,
    RESETS_PER_S = 20000,
    RESETS_MOST = 10000000,
    AFTER_KILL_S = 20, /* to close the sockets of a killed process takes the kernel a while */
    END_NOW_MS = 500,
    REAP_EVERY_MS = 5,
};

static void on_patience(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    crew_kill(context);
}

/* A loss may show first as the end of a stream or as the end of a process. */
static void lose(struct peer *peer)
{
    struct crew *crew = peer->crew;
    if (!crew->dismissed && !peer->doomed)
        crew->on_lost(crew->owner, peer);
}

static void on_stream_end(void *context)
{
    lose(context);
}

bool crew_has_left(const struct crew *crew)
{
    int alive = 0;
    for (int i = 0; i < crew->count; i++)
        alive += crew->peers[i].process.pid != 0 && !crew->peers[i].process.ended;
    return crew->dismissed && alive == 0;
}

static void note_end(struct peer *peer)
{
    struct crew *crew = peer->crew;
    lose(peer);
    if (peer->doomed && !crew->dismissed)
        crew->on_dead(crew->owner, peer);
}

/* Of a process on a host: it has ended, or the host is lost. */
static void on_end_elsewhere(void *context)
{
    struct peer *peer = context;
    note_end(peer);
    if (crew_has_left(peer->crew))
        event_base_loopbreak(peer->crew->base);
}

void crew_reap(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        if (process_reap(&crew->peers[i].process))
            note_end(&crew->peers[i]);
    if (crew_has_left(crew))
        event_base_loopbreak(crew->base);
}

static void on_child(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    crew_reap(context);
}

static void name_peers(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++) {
        struct peer *peer = &crew->peers[i];
        peer->crew = crew;
        peer->owner = crew->owner;
        peer->is_witness = i >= crew->worker_count;
        peer->side = i < crew->pairs ? SIDE_SERVER : SIDE_CLIENT;
        if (peer->is_witness)
            snprintf(peer->process.name, sizeof peer->process.name,
                     crew->witness_count > 1 ? "witness %d" : "the witness", i - crew->worker_count);
        else
            snprintf(peer->process.name, sizeof peer->process.name, "%s worker %d", side_name(peer->side),
                     i % crew->pairs);
    }
}

static int witness_of(const struct crew *crew, const struct peer *worker)
{
    for (int i = 0; i < crew->witness_count; i++)
        if (strcmp(crew_witness(crew, i)->host->identity, worker->host->identity) == 0)
            return i;
    return 0;
}

/* Workers of each side on its hosts, and a witness for each kernel and network namespace. */
static int place_peers(struct crew *crew, struct team *team)
{
    int *host = calloc((size_t)crew->pairs, sizeof *host), witness = crew->worker_count;
    if (host == NULL)
        return -ENOMEM;
    for (int side = 0; side < SIDE_COUNT; side++) {
        team_place(team, (enum side)side, crew->pairs, host);
        for (int pair = 0; pair < crew->pairs; pair++)
            crew->peers[side * crew->pairs + pair].host = &team->hosts[host[pair]];
    }
    for (int i = 0; i < team->count; i++)
        if (!team_is_double(team, i))
            crew->peers[witness++].host = &team->hosts[i];
    for (int i = 0; i < crew->worker_count; i++)
        crew->peers[i].witness = witness_of(crew, &crew->peers[i]);
    free(host);
    return 0;
}

static int witnesses_of(const struct team *team)
{
    int count = 0;
    for (int i = 0; team != NULL && i < team->count; i++)
        count += !team_is_double(team, i);
    return team != NULL ? count : 1;
}

int crew_init(struct crew *crew, struct event_base *base, int pairs, struct team *team,
              const char *const *const roles[SIDE_COUNT], void (*on_lost)(void *owner, struct peer *peer),
              void *owner)
{
    *crew = (struct crew){
        .base = base,
        .pairs = pairs,
        .worker_count = 2 * pairs,
        .witness_count = witnesses_of(team),
        .count = 2 * pairs + witnesses_of(team),
        .roles = {roles[SIDE_SERVER], roles[SIDE_CLIENT]},
        .on_lost = on_lost,
        .owner = owner,
    };
    crew->peers = calloc((size_t)crew->count, sizeof *crew->peers);
    crew->patience = evtimer_new(base, on_patience, crew);
    crew->child_signal = evsignal_new(base, SIGCHLD, on_child, crew);
    if (crew->peers == NULL || crew->patience == NULL || crew->child_signal == NULL) {
        crew_free(crew);
        return -ENOMEM;
    }
    name_peers(crew);
    return team != NULL ? place_peers(crew, team) : 0;
}

static int start_peer(struct peer *peer, wire_on_line *on_line)
{
    static const char *const witness[PROCESS_WORDS_MAX + 1] = {"witness"};
    struct wire_ears ears = {peer->is_witness ? WAY_FROM_WITNESS : WAY_FROM_WORKER, on_line,
                             peer->crew->on_bad, peer->host != NULL ? on_end_elsewhere : on_stream_end};
    const char *const *words = peer->is_witness ? witness : peer->crew->roles[peer->side];
    if (peer->host != NULL) {
        peer->wire = host_start(peer->host, &peer->process, words, &ears, peer);
        return peer->wire != NULL ? 0 : peer->host->fault[0] != '\0' ? -EHOSTUNREACH : -ENOMEM;
    }
    int fd = process_start(&peer->process, words);
    if (fd < 0)
        return fd;
    peer->wire = wire_new(peer->crew->base, fd, &ears, peer);
    if (peer->wire != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

int crew_start(struct crew *crew, wire_on_line *on_line, struct peer **failed)
{
    if (event_add(crew->child_signal, NULL) != 0) {
        *failed = &crew->peers[0];
        return -ENOMEM;
    }
    for (int i = 0; i < crew->count; i++) {
        int rc = start_peer(&crew->peers[i], on_line);
        crew->peers[i].heard_us = monotonic_us();
        if (rc != 0) {
            *failed = &crew->peers[i];
            return rc;
        }
    }
    return 0;
}

void crew_dismiss(struct crew *crew)
{
    if (crew->dismissed)
        return;
    int64_t fds[SIDE_COUNT], errors[SIDE_COUNT];
    crew_sum(crew, fds, errors);
    int64_t to_reset =
        fds[SIDE_SERVER] + fds[SIDE_CLIENT]; /* before it leaves, a worker resets what is open */
    to_reset = to_reset < RESETS_MOST ? to_reset : RESETS_MOST; /* a host may say anything */
    const struct timeval patience = {PATIENCE_S + to_reset / RESETS_PER_S, 0};
    crew->dismissed = true;
    for (int i = 0; i < crew->count; i++)
        if (crew->peers[i].wire != NULL)
            wire_send(crew->peers[i].wire, "quit");
    evtimer_add(crew->patience, &patience);
    event_active(crew->child_signal, EV_SIGNAL, 1); /* there may be nobody left to wait for */
}

static void end_process(struct peer *peer)
{
    if (peer->host != NULL)
        host_kill(peer->host, peer->wire);
    else
        process_kill(&peer->process);
}

void crew_doom(struct peer *peer)
{
    peer->doomed = true;
    end_process(peer);
}

void crew_kill(struct crew *crew)
{
    if (crew->killed_us == 0)
        crew->killed_us = monotonic_us();
    for (int i = 0; i < crew->count; i++)
        end_process(&crew->peers[i]);
}

static int still_here(const struct crew *crew)
{
    int count = 0;
    for (int i = 0; i < crew->count; i++) {
        const struct process *process = &crew->peers[i].process;
        count += process->pid != 0 && !process->ended && !process->elsewhere;
    }
    return count;
}

void crew_end_now(struct crew *crew)
{
    static const struct timespec a_moment = {0, REAP_EVERY_MS * 1000000};
    int64_t until_us = monotonic_us() + END_NOW_MS * 1000;
    crew->dismissed = true;
    crew_kill(crew);
    while (still_here(crew) > 0 && monotonic_us() < until_us) {
        for (int i = 0; i < crew->count; i++)
            process_reap(&crew->peers[i].process);
        if (still_here(crew) > 0)
            nanosleep(&a_moment, NULL);
    }
    for (int i = 0; i < crew->count; i++)
        crew->peers[i].process.ended = true;
    event_base_loopbreak(crew->base);
}

const struct peer *crew_give_up(struct crew *crew, int64_t now_us)
{
    const struct peer *stuck = NULL;
    if (crew->killed_us == 0 || now_us - crew->killed_us < AFTER_KILL_S * INT64_C(1000000))
        return NULL;
    for (int i = 0; i < crew->count; i++) {
        struct process *process = &crew->peers[i].process;
        if (process->pid == 0 || process->ended || process->elsewhere)
            continue;
        process->ended = true;
        stuck = &crew->peers[i];
    }
    return stuck;
}

bool peer_is_alive(const struct peer *peer)
{
    return peer->wire != NULL && !peer->doomed && !peer->process.ended;
}

void crew_heard(struct peer *peer)
{
    peer->heard_us = monotonic_us();
}

void crew_excuse(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        crew_heard(&crew->peers[i]);
}

/* One that has not answered is not asked again: its lines would pile up. */
void crew_ping(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++) {
        struct peer *peer = &crew->peers[i];
        if (peer_is_alive(peer) && peer->said_hello && peer->pong_serial == peer->ping_serial)
            wire_send(peer->wire, "ping %lld", (long long)++peer->ping_serial);
    }
}

void crew_free(struct crew *crew)
{
    for (int i = 0; crew->peers != NULL && i < crew->count; i++) {
        if (crew->peers[i].host != NULL)
            host_forget(crew->peers[i].host, crew->peers[i].wire);
        wire_free(crew->peers[i].wire);
    }
    free(crew->peers);
    if (crew->patience != NULL)
        event_free(crew->patience);
    if (crew->child_signal != NULL)
        event_free(crew->child_signal);
    *crew = (struct crew){0};
}

struct peer_text peer_name(const struct peer *peer)
{
    struct peer_text out;
    snprintf(out.text, sizeof out.text, "%s%s%s", peer->process.name, peer->host != NULL ? " on " : "",
             peer->host != NULL ? host_name(peer->host).text : "");
    return out;
}

struct peer *crew_witness(const struct crew *crew, int i)
{
    return &crew->peers[crew->worker_count + i];
}

struct peer *crew_server(const struct crew *crew, int pair)
{
    return &crew->peers[pair];
}

struct peer *crew_client(const struct crew *crew, int pair)
{
    return &crew->peers[crew->pairs + pair];
}

void crew_sum(const struct crew *crew, int64_t fds[SIDE_COUNT], int64_t errors[SIDE_COUNT])
{
    memset(fds, 0, SIDE_COUNT * sizeof *fds);
    memset(errors, 0, SIDE_COUNT * sizeof *errors);
    for (int i = 0; i < crew->worker_count; i++) {
        fds[crew->peers[i].side] += crew->peers[i].fds;
        errors[crew->peers[i].side] += crew->peers[i].errors;
    }
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void crew_sum_flow(const struct crew *crew, struct flow_tally sums[SIDE_COUNT])
{
    memset(sums, 0, SIDE_COUNT * sizeof *sums);
    for (int i = 0; i < crew->worker_count; i++) {
        const struct flow_tally *own = &crew->peers[i].flow;
        struct flow_tally *sum = &sums[crew->peers[i].side];
        sum->begun += own->begun;
        sum->connected += own->connected;
        sum->late += own->late;
        sum->timeouts += own->timeouts;
        sum->leaked += own->leaked;
        sum->lost += own->lost;
        sum->errors += own->errors;
        sum->span_us = longest(sum->span_us, own->span_us);
        sum->worst_us = longest(sum->worst_us, own->worst_us);
        sum->oldest_us = longest(sum->oldest_us, own->oldest_us);
        sum->error = own->error != 0 ? own->error : sum->error;
    }
}
