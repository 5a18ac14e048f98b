#include "watch/watch_flow.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/socket_deaths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PORTS = 65536,
    NEWS_BUFFER = 8 << 20, /* bytes: 6,000 sockets that end between two looks */
};

/* One end of a connection. Times are on the clock of monotonic_us(). */
struct end {
    uint64_t identity;
    uint16_t local_port, remote_port;
    bool is_open;         /* neither side has begun to close it */
    bool is_told;         /* the kernel has told of its end: it is not to be missed */
    int64_t after_us;     /* it came after that, ... */
    int64_t came_us;      /* ... and before that: 0: it was there in the first look */
    int64_t last_open_us; /* when it was last seen open; 0: never */
};

struct ends {
    struct number_set keys;
    struct end *by_slot;
};

/* An end that the kernel has told of, which the last look had not seen. */
struct short_life {
    uint64_t identity;
    uint16_t local_port, remote_port;
    int64_t least_ms, most_ms; /* of its age */
};

struct watch_flow {
    struct socket_deaths news;
    bool has_news;
    int64_t last_us; /* the last look; 0: none yet */
    int64_t taken_us;
    struct ends known;         /* of the last look */
    struct number_set missing; /* went without news by the last look, which may be late */
    struct end *seen;          /* of the look under way */
    size_t seen_count, seen_room;
    struct short_life *shorts;
    size_t short_count, short_room;
    struct number_set told;           /* of the look under way: that the kernel told of */
    int32_t place[SIDE_COUNT][PORTS]; /* + 1, among the ports; 0: none */
    struct flow_port ports[FLOW_PORTS_MAX];
    int port_count;
    int64_t dropped;
    bool is_taken;
};

int flow_bucket(int64_t life_ms)
{
    int bucket = 0;
    while (bucket < FLOW_LIVES - 1 && life_ms >= (int64_t)1 << bucket)
        bucket++;
    return bucket;
}

struct watch_flow *watch_flow_new(void)
{
    struct watch_flow *flow = calloc(1, sizeof *flow);
    if (flow != NULL)
        flow->has_news = socket_deaths_open(&flow->news, NEWS_BUFFER) == 0;
    return flow;
}

static void free_ends(struct ends *ends)
{
    number_set_free(&ends->keys);
    free(ends->by_slot);
    *ends = (struct ends){.by_slot = NULL};
}

void watch_flow_free(struct watch_flow *flow)
{
    if (flow == NULL)
        return;
    if (flow->has_news)
        socket_deaths_close(&flow->news);
    free_ends(&flow->known);
    number_set_free(&flow->missing);
    number_set_free(&flow->told);
    free(flow->seen);
    free(flow->shorts);
    free(flow);
}

/* ---- what a look shows ---- */

void watch_flow_begin(struct watch_flow *flow)
{
    flow->seen_count = 0;
}

/* Whether it is a connection's end that has a socket: what the kernel keeps for a while is none, nor is one
 * that is not established yet. */
static bool is_end(const struct socket_entry *entry)
{
    const uint32_t others = STATE_SET(STATE_LISTEN) | STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_SYN_RECV) |
                            STATE_SET(STATE_TIME_WAIT) | STATE_SET(STATE_CLOSE);
    return entry->remote_port != 0 && !state_set_has(others, entry->state) &&
           (entry->inode != 0 || entry->state != STATE_FIN_WAIT2);
}

int watch_flow_note(struct watch_flow *flow, const struct socket_entry *entry)
{
    if (!is_end(entry))
        return 0;
    int rc = ARRAY_RESERVE(flow->seen, flow->seen_room, flow->seen_count + 1);
    if (rc == 0)
        flow->seen[flow->seen_count++] = (struct end){.identity = socket_identity(entry),
                                                      .local_port = entry->local_port,
                                                      .remote_port = entry->remote_port,
                                                      .is_open = entry->state == STATE_ESTABLISHED};
    return rc;
}

/* ---- counting ---- */

static struct flow_port *port_of(struct watch_flow *flow, const bool *serves, uint16_t local, uint16_t remote)
{
    enum side side = serves[local] ? SIDE_SERVER : SIDE_CLIENT;
    uint16_t port = serves[local] ? local : remote;
    int32_t *place = &flow->place[side][port];
    if (*place == 0 && flow->port_count == FLOW_PORTS_MAX)
        return NULL;
    if (*place == 0) {
        flow->ports[flow->port_count] = (struct flow_port){.port = port, .side = side};
        *place = ++flow->port_count;
    }
    return &flow->ports[*place - 1];
}

static void count_life(struct flow_port *port, int64_t least_ms, int64_t most_ms)
{
    least_ms = least_ms > 0 ? least_ms : 0;
    most_ms = most_ms > least_ms ? most_ms : least_ms;
    port->lives[flow_bucket(least_ms + (most_ms - least_ms) / 2)]++;
}

/* It began to close between last_open_us and now. One that was there in the first look has lived for nobody
 * knows how long. */
static void count_closed(struct flow_port *port, const struct end *end, int64_t now_us)
{
    if (port == NULL || end->came_us == 0)
        return;
    int64_t least_us = end->last_open_us != 0 ? end->last_open_us - end->came_us : 0;
    count_life(port, least_us / 1000, (now_us - end->after_us) / 1000);
}

static void count_came(struct watch_flow *flow, struct flow_port *port)
{
    if (port != NULL)
        port->came++;
    else
        flow->dropped++;
}

/* ---- the kernel's news ---- */

int watch_flow_note_death(struct watch_flow *flow, const struct socket_life *dead)
{
    const struct socket_entry *entry = &dead->entry;
    if (entry->local_port == 0 || entry->remote_port == 0)
        return 0;
    uint64_t identity = socket_identity(entry);
    if (number_set_has(&flow->missing, identity))
        return 0;
    if (number_set_has(&flow->known.keys, identity)) {
        int rc = number_set_add(&flow->told, identity);
        return rc < 0 ? rc : 0;
    }
    struct tcp_age age = tcp_life_age(&dead->life);
    int rc = ARRAY_RESERVE(flow->shorts, flow->short_room, flow->short_count + 1);
    if (rc == 0)
        flow->shorts[flow->short_count++] =
            (struct short_life){identity, entry->local_port, entry->remote_port, age.least_ms, age.most_ms};
    return rc;
}

static int on_death(void *context, const struct socket_life *dead)
{
    return watch_flow_note_death(context, dead);
}

/* One that the kernel has told of, and no look has seen. It may be older than the last look where its
 * connection had ended by then, and only its descriptor was closed now. */
static void count_short(struct watch_flow *flow, const struct short_life *life, int64_t since_ms,
                        const bool *serves)
{
    int64_t most_ms = life->most_ms < since_ms ? life->most_ms : since_ms;
    if (life->least_ms > since_ms)
        return;
    struct flow_port *port = port_of(flow, serves, life->local_port, life->remote_port);
    count_came(flow, port);
    if (port == NULL)
        return;
    port->ended++;
    count_life(port, life->least_ms, most_ms);
}

/* ---- the end of a look ---- */

static int keep_seen(struct watch_flow *flow, struct ends *fresh)
{
    int rc = number_set_reserve(&fresh->keys, flow->seen_count);
    fresh->by_slot = rc == 0 ? calloc(fresh->keys.slot_count + 1, sizeof *fresh->by_slot) : NULL;
    return fresh->by_slot != NULL ? 0 : -ENOMEM;
}

/* Compares one with what was known of it. */
static void note_end(struct watch_flow *flow, struct end *end, int64_t now_us, const bool *serves)
{
    size_t slot = number_set_slot(&flow->known.keys, end->identity);
    struct flow_port *port = port_of(flow, serves, end->local_port, end->remote_port);
    bool is_first_look = flow->last_us == 0, was_open = true;
    if (slot != NO_SLOT) {
        const struct end *before = &flow->known.by_slot[slot];
        was_open = before->is_open;
        end->after_us = before->after_us;
        end->came_us = before->came_us;
        end->last_open_us = before->last_open_us;
    } else if (!is_first_look) {
        end->after_us = flow->last_us;
        end->came_us = now_us;
        count_came(flow, port);
    }
    if (end->is_open)
        end->last_open_us = now_us;
    else if (was_open)
        count_closed(port, end, now_us);
}

/* Those of the last look that are not there any more. */
static int note_gone(struct watch_flow *flow, const struct ends *fresh, int64_t now_us, const bool *serves)
{
    number_set_free(&flow->missing);
    for (size_t slot = 0; slot < flow->known.keys.slot_count; slot++) {
        const struct end *end = &flow->known.by_slot[slot];
        if (end->identity == 0 || number_set_has(&fresh->keys, end->identity))
            continue;
        struct flow_port *port = port_of(flow, serves, end->local_port, end->remote_port);
        if (port != NULL)
            port->ended++;
        if (end->is_open)
            count_closed(port, end, now_us);
        int rc =
            number_set_has(&flow->told, end->identity) ? 0 : number_set_add(&flow->missing, end->identity);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void begin_counts(struct watch_flow *flow)
{
    memset(flow->place, 0, sizeof flow->place);
    flow->port_count = 0;
    flow->dropped = flow->news.dropped = 0;
    flow->taken_us = flow->last_us;
    flow->is_taken = false;
}

int watch_flow_end(struct watch_flow *flow, int64_t now_us, const bool *serves)
{
    struct ends fresh = {.by_slot = NULL};
    if (flow->is_taken)
        begin_counts(flow);
    int rc = flow->has_news ? socket_deaths_read(&flow->news, on_death, flow) : 0;
    rc = rc == -ENOMEM ? rc : keep_seen(flow, &fresh);
    for (size_t i = 0; rc == 0 && i < flow->seen_count; i++) {
        struct end *end = &flow->seen[i];
        if (number_set_add(&fresh.keys, end->identity) == 0)
            continue; /* met twice */
        note_end(flow, end, now_us, serves);
        fresh.by_slot[number_set_slot(&fresh.keys, end->identity)] = *end;
    }
    rc = rc == 0 ? note_gone(flow, &fresh, now_us, serves) : rc;
    for (size_t i = 0; rc == 0 && flow->last_us != 0 && i < flow->short_count; i++)
        if (!number_set_has(&fresh.keys, flow->shorts[i].identity)) /* it ended right after this look */
            count_short(flow, &flow->shorts[i], (now_us - flow->last_us) / 1000, serves);
    number_set_free(&flow->told);
    flow->short_count = 0;
    if (rc != 0) {
        free_ends(&fresh);
        return rc;
    }
    free_ends(&flow->known);
    flow->known = fresh;
    flow->taken_us = flow->last_us == 0 ? now_us : flow->taken_us;
    flow->last_us = now_us;
    return 0;
}

void watch_flow_take(struct watch_flow *flow, struct flow_counts *counts)
{
    *counts = (struct flow_counts){.over_s = (double)(flow->last_us - flow->taken_us) / 1e6,
                                   .count = flow->port_count,
                                   .ports = flow->ports,
                                   .dropped = flow->dropped,
                                   .lost = flow->news.dropped,
                                   .has_news = flow->has_news};
    flow->is_taken = true;
}
