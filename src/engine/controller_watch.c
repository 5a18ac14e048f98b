/* controller_watch: the watch over what is owed to a controller. Whoever owes it something is held to that:
 * every process answers a ping, a question that is answered out of turn was lost, and an order for which
 * nothing is awaited any more would never end. */
#include "engine/controller_state.h"

#include "base/clock.h"
#include "base/number_text.h"
#include "control/hosts.h"

#include <event2/event.h>
#include <stdio.h>

enum {
    LATE_BEAT_MS = 2000,
    PING_BEATS = 4,           /* heartbeats between two pings */
    SILENCE_LIMIT_MS = 15000, /* a worker goes back to its event loop after 512 ends */
    TURN_LIMIT_MS = 400,      /* for 512 ends, of each of the workers that share a processor */
    WITNESS_LIMIT_MS =
        30000, /* the kernel may skip millions of sockets that are none of ours before it sends one */
    PROGRESS_LIMIT_MS = 15000, /* an act reports far more often, SYN retransmissions included */
};

/* Something that this peer is to say is waited for: from its start on it owes a hello. */
static bool owes(const struct controller *c, const struct peer *peer)
{
    if (!peer->said_hello)
        return true;
    if (peer->is_witness)
        return peer->owes_owners ||
               sampler_awaits(&c->sampler, (int)(peer - workers_witness(&c->workers, 0)));
    bool is_at_work = c->phase == PHASE_LISTENING || c->phase == PHASE_ACTING;
    return is_at_work || peer->is_stopping || peer->owes_ghosts;
}

/* Hundreds of workers on a processor wait for each other's turns. */
static int64_t patience_us(const struct controller *c, int64_t limit_ms)
{
    int64_t processors = c->plan->limits.processors > 0 ? c->plan->limits.processors : 1;
    int64_t turns_ms = c->workers.count * TURN_LIMIT_MS / processors;
    return (turns_ms > limit_ms ? turns_ms : limit_ms) * 1000;
}

static int64_t silence_limit_us(const struct controller *c, const struct peer *peer)
{
    return patience_us(c, peer->is_witness ? WITNESS_LIMIT_MS : SILENCE_LIMIT_MS);
}

static const struct peer *silent_peer(const struct controller *c, int64_t now_us)
{
    for (int i = 0; i < c->workers.count; i++) {
        const struct peer *peer = &c->workers.peers[i];
        if (peer_is_alive(peer) && owes(c, peer) && now_us - peer->heard_us > silence_limit_us(c, peer))
            return peer;
    }
    return NULL;
}

/* All are there, and yet nothing comes of it. */
static bool is_stuck(const struct controller *c, int64_t now_us)
{
    return c->phase <= PHASE_ACTING && now_us - c->progress_us > patience_us(c, PROGRESS_LIMIT_MS);
}

static const struct peer *whose_turn(const struct controller *c)
{
    for (int i = 0; i < c->workers.count; i++)
        if (!c->workers.peers[i].said_hello)
            return &c->workers.peers[i];
    for (int i = 0; i < c->plan->lane_count; i++)
        if (!c->lanes[i].listening)
            return workers_server(&c->workers, c->lanes[i].pair);
    return c->mode->silent(c);
}

/* Without it the order would wait for ever. */
static bool is_anything_awaited(const struct controller *c)
{
    const struct awaited *awaited = &c->awaited;
    switch (c->phase) {
    case PHASE_STARTING:
        return awaited->greetings > 0;
    case PHASE_LISTENING:
        return awaited->lanes > 0;
    case PHASE_ACTING:
        return awaited->opens + awaited->acts + awaited->reports + awaited->deaths > 0;
    case PHASE_SETTLING:
    case PHASE_HOLDING:
        return sampler_is_due(&c->sampler) || awaited->ghosts > 0;
    case PHASE_STOPPING:
        return awaited->stops > 0;
    case PHASE_ASKING:
        return awaited->owners > 0;
    default:
        return true;
    }
}

static void watch_leaving(struct controller *c, int64_t now_us)
{
    workers_reap(&c->workers);
    const struct peer *stuck = workers_give_up(&c->workers, now_us);
    if (stuck != NULL && c->outcome != OUTCOME_FAULT) { /* the first fault is what matters */
        c->outcome = OUTCOME_FAULT;
        snprintf(c->fault.text, sizeof c->fault.text, "%s (pid %d) was killed and has not ended",
                 peer_name(stuck).text, (int)stuck->process.pid);
    }
    if (workers_have_left(&c->workers))
        event_base_loopbreak(c->base);
}

static void give_up(struct controller *c, const struct peer *peer, const char *what, int64_t for_us)
{
    controller_fail(c, "%s (pid %d) %s for %lld s at %s, with %s of %s connections opened",
                    peer_name(peer).text, (int)peer->process.pid, what, (long long)(for_us / 1000000),
                    c->label.text, grouped(controller_opened(c)).text,
                    grouped(c->plan->settings->conns).text);
    workers_kill(&c->workers);
}

void controller_watch(struct controller *c)
{
    int64_t now_us = monotonic_us();
    if (now_us - c->last_beat_us >
        LATE_BEAT_MS * 1000) { /* this process was stopped, and the others with it */
        workers_excuse(&c->workers);
        c->progress_us = now_us;
    }
    c->last_beat_us = now_us;
    if (controller_is_over(c)) {
        watch_leaving(c, now_us);
        return;
    }
    workers_reap(&c->workers);
    if (c->beats++ % PING_BEATS == 0)
        workers_ping(&c->workers);
    const struct peer *silent = silent_peer(c, now_us);
    if (controller_is_over(c)) /* somebody had ended */
        return;
    if (silent != NULL)
        give_up(c, silent, "has not answered", now_us - silent->heard_us);
    else if (is_stuck(c, now_us))
        give_up(c, whose_turn(c), "made no progress", now_us - c->progress_us);
    else if (!is_anything_awaited(c))
        controller_fail(
            c, "the run has nothing left to wait for at %s and is not over: this is a bug, please report it",
            c->label.text);
}

void controller_note_pong(void *context, const struct message *message)
{
    struct peer *peer = context;
    struct controller *c = peer->owner;
    int64_t serial = message->serial;
    if (serial <= peer->pong_serial || serial > peer->ping_serial)
        return;
    peer->pong_serial = serial;
    bool owes_an_answer = peer->is_witness ? owes(c, peer) : peer->is_stopping || peer->owes_ghosts;
    if (owes_an_answer && serial > peer->asked_ping)
        controller_fail(c, "%s (pid %d) has not answered a question at %s, but answers later ones",
                        peer_name(peer).text, (int)peer->process.pid, c->label.text);
}

/* "host "ssh web1" ...", or the process that was lost. */
void controller_describe_lost(struct controller *c)
{
    const struct host *host = c->lost->host;
    if (host->fault[0] != '\0') {
        snprintf(c->fault.text, sizeof c->fault.text,
                 "%s %s at %s, with %s of %s connections opened; all others were closed down",
                 host_name(host).text, host->fault, c->label.text, grouped(controller_opened(c)).text,
                 grouped(c->plan->settings->conns).text);
        return;
    }
    snprintf(c->fault.text, sizeof c->fault.text,
             "%s (pid %d)%s %s at %s, with %s of %s connections opened; all others were closed down",
             c->lost->process.name, (int)c->lost->process.pid, host_place(host).text,
             process_end_text(&c->lost->process).text, c->label.text, grouped(controller_opened(c)).text,
             grouped(c->plan->settings->conns).text);
}
