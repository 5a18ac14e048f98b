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

static void on_kill_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    workers_kill(context);
}

/* A loss may show first as the end of a stream or as the end of a process. */
static void lose(struct peer *peer)
{
    struct workers *workers = peer->workers;
    if (!workers->dismissed && !peer->killed_by_order)
        workers->on_lost(workers->owner, peer);
}

bool workers_have_left(const struct workers *workers)
{
    int alive = 0;
    for (int i = 0; i < workers->count; i++)
        alive += workers->peers[i].process.pid != 0 && !workers->peers[i].process.ended;
    return workers->dismissed && alive == 0;
}

static void note_end(struct peer *peer)
{
    struct workers *workers = peer->workers;
    lose(peer);
    if (peer->killed_by_order && !workers->dismissed)
        workers->on_dead(workers->owner, peer);
}

/* Of a process here its stream: the process is collected. Of one elsewhere it has ended, or its host is
 * lost. */
static void on_end(void *context)
{
    struct peer *peer = context;
    if (!peer->process.elsewhere) {
        lose(peer);
        return;
    }
    note_end(peer);
    if (workers_have_left(peer->workers))
        event_base_loopbreak(peer->workers->base);
}

void workers_reap(struct workers *workers)
{
    for (int i = 0; i < workers->count; i++)
        if (process_reap(&workers->peers[i].process))
            note_end(&workers->peers[i]);
    if (workers_have_left(workers))
        event_base_loopbreak(workers->base);
}

static void on_child(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    workers_reap(context);
}

static void name_peers(struct workers *workers)
{
    for (int i = 0; i < workers->count; i++) {
        struct peer *peer = &workers->peers[i];
        peer->workers = workers;
        peer->owner = workers->owner;
        peer->is_witness = i >= workers->worker_count;
        peer->side = i < workers->pairs ? SIDE_SERVER : SIDE_CLIENT;
        if (peer->is_witness)
            snprintf(peer->process.name, sizeof peer->process.name,
                     workers->witness_count > 1 ? "witness %d" : "the witness", i - workers->worker_count);
        else
            snprintf(peer->process.name, sizeof peer->process.name, "%s worker %d", side_name(peer->side),
                     i % workers->pairs);
    }
}

static int witness_of(const struct workers *workers, const struct peer *worker)
{
    for (int i = 0; i < workers->witness_count; i++)
        if (strcmp(workers_witness(workers, i)->host->identity, worker->host->identity) == 0)
            return i;
    return 0;
}

/* Workers of each side on its hosts, and a witness for each kernel and network namespace. */
static int place_peers(struct workers *workers, struct hosts *hosts)
{
    int *host = calloc((size_t)workers->pairs, sizeof *host), witness = workers->worker_count;
    if (host == NULL)
        return -ENOMEM;
    for (int side = 0; side < SIDE_COUNT; side++) {
        hosts_place(hosts, (enum side)side, workers->pairs, host);
        for (int pair = 0; pair < workers->pairs; pair++)
            workers->peers[side * workers->pairs + pair].host = &hosts->each[host[pair]];
    }
    for (int i = 0; i < hosts->count; i++)
        if (!hosts_is_double(hosts, i))
            workers->peers[witness++].host = &hosts->each[i];
    for (int i = 0; i < workers->worker_count; i++)
        workers->peers[i].witness = witness_of(workers, &workers->peers[i]);
    free(host);
    return 0;
}

static int witnesses_of(const struct hosts *hosts)
{
    int count = 0;
    for (int i = 0; i < hosts->count; i++)
        count += !hosts_is_double(hosts, i);
    return count;
}

int workers_init(struct workers *workers, struct event_base *base, int pairs, struct hosts *hosts,
                 const char *const *const roles[SIDE_COUNT], void (*on_lost)(void *owner, struct peer *peer),
                 void *owner)
{
    *workers = (struct workers){
        .base = base,
        .pairs = pairs,
        .worker_count = 2 * pairs,
        .witness_count = witnesses_of(hosts),
        .count = 2 * pairs + witnesses_of(hosts),
        .roles = {roles[SIDE_SERVER], roles[SIDE_CLIENT]},
        .on_lost = on_lost,
        .owner = owner,
    };
    workers->peers = calloc((size_t)workers->count, sizeof *workers->peers);
    workers->kill_timer = evtimer_new(base, on_kill_timer, workers);
    workers->child_signal = evsignal_new(base, SIGCHLD, on_child, workers);
    if (workers->peers == NULL || workers->kill_timer == NULL || workers->child_signal == NULL) {
        workers_free(workers);
        return -ENOMEM;
    }
    name_peers(workers);
    return place_peers(workers, hosts);
}

static int start_peer(struct peer *peer, message_handler *on_message)
{
    static const char *const witness[PROCESS_WORDS_MAX + 1] = {"witness"};
    struct link_ears ears = {peer->is_witness ? WAY_FROM_WITNESS : WAY_FROM_WORKER, on_message,
                             peer->workers->on_bad, on_end};
    const char *const *words = peer->is_witness ? witness : peer->workers->roles[peer->side];
    return host_start(peer->host, &peer->process, words, &ears, peer, &peer->link);
}

int workers_start(struct workers *workers, message_handler *on_message, struct peer **failed)
{
    if (event_add(workers->child_signal, NULL) != 0) {
        *failed = &workers->peers[0];
        return -ENOMEM;
    }
    for (int i = 0; i < workers->count; i++) {
        int rc = start_peer(&workers->peers[i], on_message);
        workers->peers[i].heard_us = monotonic_us();
        if (rc != 0) {
            *failed = &workers->peers[i];
            return rc;
        }
    }
    return 0;
}

void workers_dismiss(struct workers *workers)
{
    if (workers->dismissed)
        return;
    int64_t fds[SIDE_COUNT], errors[SIDE_COUNT];
    workers_sum(workers, fds, errors);
    int64_t to_reset =
        fds[SIDE_SERVER] + fds[SIDE_CLIENT]; /* before it leaves, a worker resets what is open */
    to_reset = to_reset < RESETS_MOST ? to_reset : RESETS_MOST; /* a host may say anything */
    const struct timeval kill_timer = {PATIENCE_S + to_reset / RESETS_PER_S, 0};
    workers->dismissed = true;
    for (int i = 0; i < workers->count; i++)
        if (workers->peers[i].link != NULL)
            link_send(workers->peers[i].link, &(struct message){.id = MESSAGE_QUIT});
    evtimer_add(workers->kill_timer, &kill_timer);
    event_active(workers->child_signal, EV_SIGNAL, 1); /* there may be nobody left to wait for */
}

static void end_process(struct peer *peer)
{
    host_kill(peer->host, &peer->process, peer->link);
}

void peer_kill_by_order(struct peer *peer)
{
    peer->killed_by_order = true;
    end_process(peer);
}

void workers_kill(struct workers *workers)
{
    if (workers->killed_us == 0)
        workers->killed_us = monotonic_us();
    for (int i = 0; i < workers->count; i++)
        end_process(&workers->peers[i]);
}

static int still_here(const struct workers *workers)
{
    int count = 0;
    for (int i = 0; i < workers->count; i++) {
        const struct process *process = &workers->peers[i].process;
        count += process->pid != 0 && !process->ended && !process->elsewhere;
    }
    return count;
}

void workers_end_now(struct workers *workers)
{
    static const struct timespec a_moment = {0, REAP_EVERY_MS * 1000000};
    int64_t until_us = monotonic_us() + END_NOW_MS * 1000;
    workers->dismissed = true;
    workers_kill(workers);
    while (still_here(workers) > 0 && monotonic_us() < until_us) {
        for (int i = 0; i < workers->count; i++)
            process_reap(&workers->peers[i].process);
        if (still_here(workers) > 0)
            nanosleep(&a_moment, NULL);
    }
    for (int i = 0; i < workers->count; i++)
        workers->peers[i].process.ended = true;
    event_base_loopbreak(workers->base);
}

const struct peer *workers_give_up(struct workers *workers, int64_t now_us)
{
    const struct peer *stuck = NULL;
    if (workers->killed_us == 0 || now_us - workers->killed_us < AFTER_KILL_S * INT64_C(1000000))
        return NULL;
    for (int i = 0; i < workers->count; i++) {
        struct process *process = &workers->peers[i].process;
        if (process->pid == 0 || process->ended || process->elsewhere)
            continue;
        process->ended = true;
        stuck = &workers->peers[i];
    }
    return stuck;
}

bool peer_is_alive(const struct peer *peer)
{
    return peer->link != NULL && !peer->killed_by_order && !peer->process.ended;
}

void peer_heard(struct peer *peer)
{
    peer->heard_us = monotonic_us();
}

void workers_excuse(struct workers *workers)
{
    for (int i = 0; i < workers->count; i++)
        peer_heard(&workers->peers[i]);
}

/* One that has not answered is not asked again: its lines would pile up. */
void workers_ping(struct workers *workers)
{
    for (int i = 0; i < workers->count; i++) {
        struct peer *peer = &workers->peers[i];
        if (peer_is_alive(peer) && peer->said_hello && peer->pong_serial == peer->ping_serial)
            link_send(peer->link, &(struct message){.id = MESSAGE_PING, .serial = ++peer->ping_serial});
    }
}

void workers_free(struct workers *workers)
{
    for (int i = 0; workers->peers != NULL && i < workers->count; i++) {
        if (workers->peers[i].host != NULL) /* it was placed */
            host_forget(workers->peers[i].host, workers->peers[i].link);
        link_free(workers->peers[i].link);
    }
    free(workers->peers);
    if (workers->kill_timer != NULL)
        event_free(workers->kill_timer);
    if (workers->child_signal != NULL)
        event_free(workers->child_signal);
    *workers = (struct workers){0};
}

struct peer_text peer_name(const struct peer *peer)
{
    struct peer_text out;
    snprintf(out.text, sizeof out.text, "%s%s", peer->process.name, host_place(peer->host).text);
    return out;
}

struct peer *workers_witness(const struct workers *workers, int i)
{
    return &workers->peers[workers->worker_count + i];
}

struct peer *workers_server(const struct workers *workers, int pair)
{
    return &workers->peers[pair];
}

struct peer *workers_client(const struct workers *workers, int pair)
{
    return &workers->peers[workers->pairs + pair];
}

void workers_sum(const struct workers *workers, int64_t fds[SIDE_COUNT], int64_t errors[SIDE_COUNT])
{
    memset(fds, 0, SIDE_COUNT * sizeof *fds);
    memset(errors, 0, SIDE_COUNT * sizeof *errors);
    for (int i = 0; i < workers->worker_count; i++) {
        fds[workers->peers[i].side] += workers->peers[i].fds;
        errors[workers->peers[i].side] += workers->peers[i].errors;
    }
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void workers_sum_flow(const struct workers *workers, struct flow_tally sums[SIDE_COUNT])
{
    memset(sums, 0, SIDE_COUNT * sizeof *sums);
    for (int i = 0; i < workers->worker_count; i++) {
        const struct flow_tally *own = &workers->peers[i].flow;
        struct flow_tally *sum = &sums[workers->peers[i].side];
        sum->begun += own->begun;
        sum->connected += own->connected;
        sum->late += own->late;
        sum->timeouts += own->timeouts;
        sum->abandoned += own->abandoned;
        sum->leaked += own->leaked;
        sum->lost += own->lost;
        sum->elsewhere += own->elsewhere;
        sum->reused += own->reused;
        sum->errors += own->errors;
        sum->span_us = longest(sum->span_us, own->span_us);
        sum->worst_us = longest(sum->worst_us, own->worst_us);
        sum->slowest_us = longest(sum->slowest_us, own->slowest_us);
        sum->oldest_us = longest(sum->oldest_us, own->oldest_us);
        sum->error = own->error != 0 ? own->error : sum->error;
    }
}
