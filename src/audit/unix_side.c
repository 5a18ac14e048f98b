#include "audit/unix_side.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/unix_diag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An index of the probes by an inode. */
struct inode_map {
    struct number_set inodes;
    int64_t *probes; /* by the slots */
};

/* An end of the server whose client has closed before it was accepted: nobody can tell which client's. */
struct stray {
    uint64_t inode;
    uint32_t unread;
};

struct unix_look {
    const struct probe *probes;
    struct audit_look *look;
    struct inode_map own, servers;
    struct stray *strays;
    size_t stray_count, stray_room;
    int64_t orphans; /* that still wait to be accepted, likewise */
};

/* ---- the index ---- */

static uint64_t own_inode(const struct probe *probe)
{
    return probe->inode;
}

static uint64_t server_inode(const struct probe *probe)
{
    return probe->server_inode;
}

static int map_inodes(struct inode_map *map, const struct probe *probes, int64_t count,
                      uint64_t (*inode_of)(const struct probe *))
{
    if (number_set_reserve(&map->inodes, (size_t)count) != 0)
        return -ENOMEM;
    map->probes = calloc(map->inodes.slot_count + 1, sizeof *map->probes);
    for (int64_t i = 0; map->probes != NULL && i < count; i++)
        if (inode_of(&probes[i]) != 0) {
            number_set_add(&map->inodes, inode_of(&probes[i]));
            map->probes[number_set_slot(&map->inodes, inode_of(&probes[i]))] = i;
        }
    return map->probes != NULL ? 0 : -ENOMEM;
}

static void free_map(struct inode_map *map)
{
    number_set_free(&map->inodes);
    free(map->probes);
}

/* -1: none has it. */
static int64_t probe_of(const struct inode_map *map, uint64_t inode)
{
    size_t slot = inode != 0 ? number_set_slot(&map->inodes, inode) : NO_SLOT;
    return slot != NO_SLOT ? map->probes[slot] : -1;
}

/* ---- what is seen ---- */

static enum tcp_state state_of(const struct unix_entry *entry)
{
    if (entry->has_sent_eof && entry->peer != 0)
        return STATE_FIN_WAIT2;
    return entry->has_received_eof ? STATE_CLOSE_WAIT : STATE_ESTABLISHED;
}

static void note_listener(struct audit_look *look, const struct unix_entry *entry)
{
    int64_t room = entry->backlog > entry->unread ? (int64_t)entry->backlog - (int64_t)entry->unread : 0;
    look->queued += entry->unread;
    look->room = look->listener_count == 0 || room < look->room ? room : look->room;
    if (look->listener_count < LISTENERS_MAX)
        look->listeners[look->listener_count++] = entry->inode;
}

static int note_stray(struct unix_look *unix_look, const struct unix_entry *entry)
{
    unix_look->orphans += entry->inode == 0;
    if (entry->inode == 0)
        return 0;
    if (ARRAY_RESERVE(unix_look->strays, unix_look->stray_room, unix_look->stray_count + 1) != 0)
        return -ENOMEM;
    unix_look->strays[unix_look->stray_count++] = (struct stray){entry->inode, entry->unread};
    return 0;
}

static void note_server_end(struct audit_sight *sight, enum tcp_state state, uint64_t inode, uint32_t unread)
{
    sight->server_seen = true;
    sight->server_state = state;
    sight->inode = inode;
    sight->unread = unread;
}

static int note_entry(void *context, const struct unix_entry *entry)
{
    struct unix_look *unix_look = context;
    if (entry->listens) {
        if (entry->is_there)
            note_listener(unix_look->look, entry);
        return 0;
    }
    int64_t own = probe_of(&unix_look->own, entry->inode), i = probe_of(&unix_look->own, entry->peer);
    if (own >= 0) {
        unix_look->look->sights[own].own_seen = true;
        return 0;
    }
    if (i < 0)
        i = probe_of(&unix_look->servers, entry->inode);
    if (i >= 0)
        note_server_end(&unix_look->look->sights[i], state_of(entry), entry->inode, entry->unread);
    else if (entry->is_there && entry->peer == 0)
        return note_stray(unix_look, entry);
    return 0;
}

/* ---- what it means ---- */

/* It has closed its end when it had no server's yet. */
static bool is_unpaired(const struct probe *probe, const struct audit_sight *sight)
{
    return probe->acted_us > 0 && probe->fd < 0 && probe->end == END_NONE && probe->server_inode == 0 &&
           !sight->server_seen;
}

static int by_inode(const void *a, const void *b)
{
    uint64_t one = ((const struct stray *)a)->inode, other = ((const struct stray *)b)->inode;
    return (one < other) - (one > other);
}

/* The newest are ours: so many as there are more than before the first connection. */
static void pair_strays(struct unix_look *unix_look, int64_t count)
{
    struct audit_look *look = unix_look->look;
    int64_t strays = (int64_t)unix_look->stray_count - look->strays_before, used = 0;
    int64_t waiting = unix_look->orphans < look->queued ? unix_look->orphans : look->queued;
    int64_t orphans = waiting - look->orphans_before;
    if (unix_look->stray_count > 0)
        qsort(unix_look->strays, unix_look->stray_count, sizeof *unix_look->strays, by_inode);
    for (int64_t i = 0; i < count; i++) {
        struct audit_sight *sight = &look->sights[i];
        if (!is_unpaired(&unix_look->probes[i], sight))
            continue;
        if (used < strays) {
            note_server_end(sight, STATE_CLOSE_WAIT, unix_look->strays[used].inode,
                            unix_look->strays[used].unread);
            used++;
        } else if (orphans > 0) {
            note_server_end(sight, STATE_CLOSE_WAIT, 0, 0);
            orphans--;
        }
    }
}

/* A dump can miss one where others come and go: what seems to be gone is asked for by itself. */
static bool was_missed(const struct probe *probe)
{
    uint64_t peer;
    return probe->end == END_NONE && probe->server_inode != 0 &&
           unix_diag_peer(probe->server_inode, &peer) != -ENOENT;
}

/* Our own end, as that of TCP: one that is closed is in no table, but the server's end is or is not. */
static void note_own_ends(const struct unix_look *unix_look, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const struct probe *probe = &unix_look->probes[i];
        struct audit_sight *sight = &unix_look->look->sights[i];
        bool has_left = probe->acted_us > 0 && probe->fd < 0;
        if (has_left && !sight->server_seen && was_missed(probe))
            note_server_end(sight, STATE_CLOSE_WAIT, probe->server_inode, 0);
        sight->own_seen |= has_left;
        sight->own_state = !has_left            ? sight->server_seen ? STATE_ESTABLISHED : STATE_CLOSE_WAIT
                           : sight->server_seen ? STATE_FIN_WAIT2
                                                : STATE_TIME_WAIT;
    }
}

static void forget(struct audit_look *look, int64_t count)
{
    look->listener_count = 0;
    look->queued = 0;
    look->room = -1;
    if (look->sights != NULL && count > 0)
        memset(look->sights, 0, (size_t)count * sizeof *look->sights);
}

int unix_side_look(const struct audit_settings *settings, const struct probe *probes, int64_t count,
                   struct audit_look *look)
{
    struct unix_look unix_look = {.probes = probes, .look = look};
    int rc = map_inodes(&unix_look.own, probes, count, own_inode);
    if (rc == 0)
        rc = map_inodes(&unix_look.servers, probes, count, server_inode);
    forget(look, count);
    if (rc == 0)
        rc = unix_diag_each(&settings->unix_place, note_entry, &unix_look);
    if (rc == 0 && !look->has_begun) {
        look->has_begun = true;
        look->strays_before = (int64_t)unix_look.stray_count;
        look->orphans_before = unix_look.orphans;
    }
    if (rc == 0)
        pair_strays(&unix_look, count);
    if (rc == 0)
        note_own_ends(&unix_look, count);
    free_map(&unix_look.own);
    free_map(&unix_look.servers);
    free(unix_look.strays);
    return rc;
}

/* ---- in the stock ---- */

struct marking {
    struct inode_map servers;
    struct stock *stock;
};

static int mark(void *context, const struct unix_entry *entry)
{
    struct marking *marking = context;
    if (!entry->is_there || entry->listens || entry->inode == 0)
        return 0;
    const struct stock_thing *found = stock_find(marking->stock, entry->inode);
    if (found == NULL)
        return 0;
    struct stock_thing *thing = &marking->stock->each[found - marking->stock->each];
    thing->is_front = true;
    if (entry->peer == 0 && probe_of(&marking->servers, entry->inode) < 0)
        thing->kind = STOCK_GHOST;
    return 0;
}

int unix_side_mark(const struct audit_settings *settings, const struct probe *probes, int64_t count,
                   struct stock *stock)
{
    struct marking marking = {.stock = stock};
    int rc = map_inodes(&marking.servers, probes, count, server_inode);
    if (rc == 0)
        rc = unix_diag_each(&settings->unix_place, mark, &marking);
    free_map(&marking.servers);
    return rc;
}
