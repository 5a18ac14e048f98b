/* controller_workers: what a controller asks of its processes, and what it hears from them. */
#include "engine/controller_state.h"

#include "base/clock.h"
#include "base/number_text.h"
#include "base/version.h"
#include "control/hosts.h"
#include "events/socket_iterator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ITERATOR_CONNS = 100000 }; /* among fewer a look takes some 10 ms either way */

void controller_tell_witnesses(struct controller *c, const struct message *message)
{
    for (int i = 0; i < c->workers.witness_count; i++)
        link_send(workers_witness(&c->workers, i)->link, message);
}

/* Something that is answered in turn: an answer that a later pong overtakes is lost, see
 * controller_note_pong. */
void controller_ask(struct peer *peer, enum message_id question, int64_t serial)
{
    peer->asked_ping = peer->ping_serial;
    link_send(peer->link, &(struct message){.id = question, .serial = serial});
}

/* ---- looks: of the witnesses, and of the workers where they may hold ghosts ---- */

static int64_t opened_by(const void *context, int pair)
{
    const struct controller *c = context;
    return c->mode->opened_by(c, pair);
}

static bool must_look_wait(void *owner)
{
    return observers_clogged(((const struct controller *)owner)->observers) != NULL;
}

static void on_look_begin(void *owner)
{
    struct controller *c = owner;
    c->at_look.opened = controller_opened(c);
    event_witness_look_begins(&c->event_witness);
    hosts_ask_counters(c->plan->settings->hosts); /* the answers come before those of the witnesses */
    for (int i = 0; i < c->workers.witness_count; i++)
        workers_witness(&c->workers, i)->asked_ping = workers_witness(&c->workers, i)->ping_serial;
    workers_sum(&c->workers, c->at_look.fds, c->at_look.errors);
    const int64_t nofile[SIDE_COUNT] = {plan_nofile(c->plan, SIDE_SERVER), plan_nofile(c->plan, SIDE_CLIENT)};
    by_host_note(&c->at_look.by_host, &c->workers, opened_by, c, nofile);
}

/* A side that holds more descriptors than the kernel has sockets of it holds ghosts: only its processes know
 * how many. */
static bool may_hold_ghosts(const struct controller *c)
{
    int64_t fds[SIDE_COUNT], errors[SIDE_COUNT];
    workers_sum(&c->workers, fds, errors);
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t held = fds[side] < c->at_look.fds[side] ? fds[side] : c->at_look.fds[side];
        if (held > c->coming.sides[side].owned)
            return true;
    }
    return false;
}

/* The look is complete when all have answered. */
static void ask_for_ghosts(struct controller *c)
{
    c->ghosts_serial++;
    for (int i = 0; i < c->workers.worker_count; i++) {
        struct peer *peer = &c->workers.peers[i];
        peer->owes_ghosts = peer_is_alive(peer);
        if (!peer->owes_ghosts)
            continue;
        c->awaited.ghosts++;
        controller_ask(peer, MESSAGE_ASK_GHOSTS, c->ghosts_serial);
    }
    if (c->awaited.ghosts > 0)
        sampler_extend(&c->sampler);
}

static void on_look(void *owner, const struct look *look)
{
    struct controller *c = owner;
    c->coming = *look;
    if (may_hold_ghosts(c))
        ask_for_ghosts(c);
    if (c->awaited.ghosts == 0)
        controller_take_look(c);
}

static void on_ghosts(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (!peer->owes_ghosts || message->ghosts.serial != c->ghosts_serial)
        return;
    peer->owes_ghosts = false;
    c->coming.sides[peer->side].ghosts += message->ghosts.count;
    c->coming.parts[peer->witness].sides[peer->side].ghosts += message->ghosts.count;
    if (--c->awaited.ghosts > 0)
        return;
    sampler_complete(&c->sampler);
    controller_take_look(c);
}

static void on_blind(void *owner, int error)
{
    struct controller *c = owner;
    controller_fail(c, "the witness (%s) failed repeatedly to read the kernel's sockets: %s",
                    c->plan->witness->name, strerror(error));
}

void controller_hear_looks(struct controller *c)
{
    c->sampler.must_wait = must_look_wait;
    c->sampler.on_begin = on_look_begin;
    c->sampler.on_look = on_look;
    c->sampler.on_blind = on_blind;
    c->sampler.owner = c;
}

/* ---- whose the lingering sockets are ---- */

static void on_class(void *context, const struct message *message)
{
    const struct peer *peer = context;
    struct controller *c = peer->owner;
    if (message->class.serial != c->owners_serial || !peer->owes_owners)
        return;
    struct lingering_class class = message->class.of;
    if (strcmp(message->class.command, "-") != 0) /* it has no name that could be read */
        snprintf(class.command, sizeof class.command, "%.15s", message->class.command);
    if (peer->host->launcher != NULL && class.pid != 0)
        snprintf(class.host, sizeof class.host, "%.47s", peer->host->launcher);
    lingering_add(&c->lingering, &class);
}

static void on_owned(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (!peer->owes_owners || message->owned.serial != c->owners_serial)
        return;
    peer->owes_owners = false;
    c->lingering.total += message->owned.total;
    if (message->owned.error != 0)
        c->owners_error = message->owned.error;
    if (--c->awaited.owners == 0)
        controller_on_event(c, EVENT_OWNERS);
}

/* ---- the beginning and the end of an order ---- */

/* Each witness those of the workers beside it. */
static void tell_pids(struct controller *c)
{
    for (int i = 0; i < c->workers.witness_count; i++)
        for (int k = 0; k < c->workers.worker_count; k++) {
            const struct peer *witness = workers_witness(&c->workers, i), *worker = &c->workers.peers[k];
            if (strcmp(witness->host->identity, worker->host->identity) == 0)
                link_send(witness->link, &(struct message){.id = MESSAGE_PID, .pid = worker->process.pid});
        }
}

static void tell_target(struct controller *c)
{
    struct message target = {.id = MESSAGE_TARGET,
                             .target = {.first_port = c->ports.first, .last_port = c->ports.last}};
    target.target.count = hosts_server_addresses(c->plan->settings->hosts, target.target.addresses);
    controller_tell_witnesses(c, &target);
}

static void on_hello(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (!message_is_same_version(message)) {
        controller_fail(c, "%s is tcpstorm %s, this is %s: use the same version", peer_name(peer).text,
                        message->hello.version, TCPSTORM_VERSION);
        return;
    }
    if (peer->said_hello)
        return;
    peer->said_hello = true;
    if (--c->awaited.greetings == 0)
        controller_on_event(c, EVENT_GREETED);
}

/* Before they open anything. */
static void tell_keepalive(struct controller *c)
{
    for (int i = 0; i < c->workers.worker_count; i++) {
        const struct peer *peer = &c->workers.peers[i];
        int64_t idle_s = c->plan->settings->keepalive_s[peer->side];
        if (idle_s > 0)
            link_send(peer->link, &(struct message){.id = MESSAGE_KEEPALIVE, .keepalive = {idle_s}});
    }
}

static void tell_backend(struct controller *c, const char *name)
{
    controller_tell_witnesses(c, &(struct message){.id = MESSAGE_BACKEND, .backend = {name}});
}

void controller_tell_how_to_look(struct controller *c, bool is_proof)
{
    if (c->plan->settings->events != NULL && c->plan->witness == &witness_netlink &&
        c->plan->settings->conns >= ITERATOR_CONNS)
        tell_backend(c, is_proof ? c->plan->witness->name : SOCKET_ITERATOR_NAME);
}

void controller_tell_lanes(struct controller *c)
{
    event_witness_aim(&c->event_witness, c->plan->settings->events, &c->ports);
    tell_pids(c);
    tell_keepalive(c);
    for (int i = 0; i < c->plan->lane_count; i++)
        link_send(workers_server(&c->workers, c->lanes[i].pair)->link,
                  &(struct message){.id = MESSAGE_LISTEN,
                                    .listen = {.lane = i,
                                               .address = *controller_lane_address(c, &c->lanes[i]),
                                               .port = c->ports.first + i,
                                               .backlog = c->plan->backlog,
                                               .quota = c->lanes[i].quota,
                                               .opening = c->order->opening}});
    tell_target(c);
}

static void on_stopped(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    if (!peer->is_stopping || message->serial != c->stop_serial)
        return;
    peer->is_stopping = false;
    if (--c->awaited.stops == 0)
        controller_on_event(c, EVENT_STOPPED);
}

static void on_listening(void *context, const struct message *message)
{
    const struct peer *peer = context;
    struct controller *c = peer->owner;
    int64_t i = message->lane;
    if (i >= c->plan->lane_count || c->lanes[i].listening)
        return;
    c->lanes[i].listening = true;
    if (--c->awaited.lanes == 0)
        controller_on_event(c, EVENT_LISTENING);
}

/* "EMFILE", by which people search. Only glibc (2.32) has a call for it. */
static const char *name_of_error(int error)
{
#ifdef __GLIBC__
    const char *name = strerrorname_np(error);
    return name != NULL ? name : "?";
#else
    (void)error;
    return "?";
#endif
}

static void on_fault(void *context, const struct message *message)
{
    const struct peer *peer = context;
    struct controller *c = peer->owner;
    if (controller_is_stopping(c))
        return;
    const char *call = message->fault.call;
    int error = message->fault.error;
    const char *advice = advice_for(call, error);
    char where[32] = "";
    if (message->fault.port > 0)
        snprintf(where, sizeof where, " on port %d", message->fault.port);
    controller_fail(c, "%s(): %s (%s)%s in %s, with %s of %s connections opened%s%s", call, strerror(error),
                    name_of_error(error), where, peer_name(peer).text, grouped(controller_opened(c)).text,
                    grouped(c->plan->settings->conns).text, advice[0] != '\0' ? ": " : "", advice);
}

static void on_seen(void *context, const struct message *message)
{
    const struct peer *peer = context;
    struct controller *c = peer->owner;
    sampler_hear_seen(&c->sampler, (int)(peer - workers_witness(&c->workers, 0)), message);
}

static void on_unseen(void *context, const struct message *message)
{
    const struct peer *peer = context;
    struct controller *c = peer->owner;
    sampler_hear_unseen(&c->sampler, (int)(peer - workers_witness(&c->workers, 0)), message);
}

/* Of a witness in the middle of a look: that it was heard is all there is to it. */
static void on_looking(void *context, const struct message *message)
{
    (void)context;
    (void)message;
}

static message_handler *const handlers[MESSAGE_COUNT] = {
    [MESSAGE_PONG] = controller_note_pong,
    [MESSAGE_HELLO] = on_hello,
    [MESSAGE_LISTENING] = on_listening,
    [MESSAGE_FAULT] = on_fault,
    [MESSAGE_GHOSTS] = on_ghosts,
    [MESSAGE_STOPPED] = on_stopped,
    [MESSAGE_SEEN] = on_seen,
    [MESSAGE_UNSEEN] = on_unseen,
    [MESSAGE_LOOKING] = on_looking,
    [MESSAGE_CLASS] = on_class,
    [MESSAGE_OWNED] = on_owned,
};

static void on_message(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    peer_heard(peer);
    if (controller_is_over(c))
        return;
    if (!peer->is_witness && message->id != MESSAGE_PONG)
        c->progress_us = peer->heard_us;
    if (!message_dispatch(handlers, peer, message) && !message_dispatch(c->mode->handlers, peer, message))
        controller_fail(c, "%s speaks another protocol: \"%s\"", peer_name(peer).text,
                        message_rows[message->id].name);
}

static void on_bad_line(void *context, const struct message_complaint *why)
{
    struct peer *peer = context;
    controller_fail(peer->owner, "%s speaks another protocol: %s", peer_name(peer).text, why->text);
}

/* ---- their start ---- */

/* The words that start a worker of that side: see cmd_worker. */
void controller_name_role(struct controller *c, enum side side)
{
    const struct fault_case *cause = c->experiment->cause;
    const char **words = c->role_words[side];
    *words++ = "worker";
    *words++ = c->mode->roles[side];
    if (cause != NULL && cause->behaviour[side] != NULL) {
        *words++ = cause->bug.name; /* its behaviour is found by it */
        *words++ = c->experiment->is_fixed ? "fixed" : NULL;
    }
    c->roles[side] = c->role_words[side];
}

void controller_start_workers(struct controller *c)
{
    struct peer *failed;
    c->workers.on_bad = on_bad_line;
    c->awaited.greetings = c->workers.count;
    int rc = workers_start(&c->workers, on_message, &failed);
    if (rc == -EAGAIN)
        controller_fail(c, "cannot start %s: raise the limit of processes (ulimit -u) or lower --conns",
                        failed->process.name);
    else if (rc == -EHOSTUNREACH)
        controller_fail(c, "cannot start %s: %s %s", failed->process.name, host_name(failed->host).text,
                        failed->host->fault);
    else if (rc != 0)
        controller_fail(c, "cannot start %s: %s; lower --conns", failed->process.name, strerror(-rc));
    c->sampler.witness_count = rc == 0 ? c->workers.witness_count : 0;
    for (int i = 0; i < c->sampler.witness_count; i++)
        c->sampler.witnesses[i] = workers_witness(&c->workers, i)->link;
    if (rc == 0)
        tell_backend(c, c->plan->witness->name);
}
