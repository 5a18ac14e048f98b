#include "audit/watch.h"

#include "storm/clock.h"
#include "tcp/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One socket of the look under way. */
struct seen {
    uint64_t inode;
    struct address remote;
    uint16_t local_port, remote_port;
    uint8_t state, family;
    bool unread;
    pid_t pid;
    int64_t heard_ms;
};

/* What was known of a socket at the last look: owners are not asked for twice. */
struct known {
    uint64_t key;
    pid_t pid;
    int64_t close_wait_since_us; /* 0: it was not */
};

struct watch {
    struct watch_settings settings;
    const struct witness_backend *witness;
    struct seen *seen;
    size_t seen_count, seen_room;
    struct known *known; /* by key */
    size_t known_count;
    uint8_t listens[65536 / 8];
    struct watch_row *rows;
    int row_count;
    int64_t dropped_rows;
    int64_t began_us;
};

struct watch *watch_new(const struct watch_settings *settings)
{
    int error;
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->settings = *settings;
    watch->witness = witness_choose(0, &error);
    watch->rows = calloc(WATCH_ROWS_MAX, sizeof *watch->rows);
    if (watch->rows != NULL && watch->witness != NULL)
        return watch;
    watch_free(watch);
    return NULL;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    free(watch->seen);
    free(watch->known);
    free(watch->rows);
    free(watch);
}

/* ---- the sockets ---- */

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct watch *watch = context;
    if (entry->state == STATE_LISTEN) {
        watch->listens[entry->local_port / 8] |= (uint8_t)(1U << entry->local_port % 8);
        return 0;
    }
    uint16_t port = watch->settings.port;
    if (port != 0 && entry->local_port != port && entry->remote_port != port)
        return 0;
    if (watch->seen_count == watch->seen_room) {
        size_t room = watch->seen_room > 0 ? 2 * watch->seen_room : 1024;
        struct seen *grown = realloc(watch->seen, room * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        watch->seen = grown;
        watch->seen_room = room;
    }
    watch->seen[watch->seen_count++] = (struct seen){.inode = entry->inode,
                                                     .remote = address_unmapped(&entry->remote),
                                                     .local_port = entry->local_port,
                                                     .remote_port = entry->remote_port,
                                                     .state = (uint8_t)entry->state,
                                                     .unread = entry->unread > 0,
                                                     .heard_ms = entry->heard_ms};
    return 0;
}

static int read_sockets(struct watch *watch, bool detailed)
{
    static const int families[] = {AF_INET, AF_INET6};
    const struct port_range one = {watch->settings.port, watch->settings.port};
    const struct port_range *only = watch->settings.port != 0 ? &one : NULL;
    watch->seen_count = 0;
    memset(watch->listens, 0, sizeof watch->listens);
    for (int i = 0; i < 2; i++) {
        int rc = detailed ? watch->witness->each_detailed(families[i], only, note_socket, watch)
                          : watch->witness->each(families[i], only, note_socket, watch);
        if (rc != 0 && i == 0)
            return rc; /* a kernel without IPv6 has no second table */
    }
    return 0;
}

/* ---- their owners ---- */

/* The inode; of a socket that nobody has, its two ends (FNV-1a), with a bit that no inode has. */
static uint64_t key_of_socket(const struct seen *seen)
{
    uint64_t hash = 0xcbf29ce484222325U ^ seen->local_port ^ (uint64_t)seen->remote_port << 16;
    for (size_t i = 0; i < sizeof seen->remote.bytes; i++)
        hash = (hash ^ seen->remote.bytes[i]) * 0x100000001b3U;
    return seen->inode != 0 ? seen->inode : hash | 1ULL << 63;
}

static int by_key(const void *a, const void *b)
{
    const struct known *one = a, *other = b;
    return (one->key > other->key) - (one->key < other->key);
}

static struct known *find_known(const struct watch *watch, const struct seen *seen)
{
    const struct known key = {.key = key_of_socket(seen)};
    return watch->known_count > 0 ? bsearch(&key, watch->known, watch->known_count, sizeof key, by_key)
                                  : NULL;
}

static int ask_for_owners(struct watch *watch)
{
    uint64_t *inodes = calloc(watch->seen_count + 1, sizeof *inodes);
    size_t wanted = 0;
    if (inodes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct known *known = find_known(watch, &watch->seen[i]);
        watch->seen[i].pid = known != NULL ? known->pid : 0;
        if (watch->seen[i].inode != 0 && watch->seen[i].pid == 0)
            inodes[wanted++] = watch->seen[i].inode;
    }
    struct socket_owners *owners = wanted > 0 ? socket_owners_new(inodes, wanted) : NULL;
    free(inodes);
    if (owners == NULL)
        return wanted > 0 ? -ENOMEM : 0;
    if (watch->settings.pid != 0)
        socket_owners_read_pid(owners, watch->settings.pid);
    else
        socket_owners_read_others(owners, NULL, 0);
    for (size_t i = 0; i < watch->seen_count; i++)
        if (watch->seen[i].inode != 0 && watch->seen[i].pid == 0)
            watch->seen[i].pid = socket_owner_of(owners, watch->seen[i].inode);
    socket_owners_free(owners);
    return 0;
}

/* When it came to CLOSE_WAIT, as far as this look and the earlier ones can tell; 0: it is not in it. The
 * kernel tells in a detailed look only, and is remembered. */
static int64_t since(const struct watch *watch, const struct seen *seen, int64_t now_us)
{
    const struct known *known = find_known(watch, seen);
    int64_t since_us = seen->heard_ms > 0 ? now_us - seen->heard_ms * 1000 : now_us;
    if (seen->state != STATE_CLOSE_WAIT)
        return 0;
    return known != NULL && known->close_wait_since_us != 0 && known->close_wait_since_us < since_us
               ? known->close_wait_since_us
               : since_us;
}

static int remember(struct watch *watch, int64_t now_us)
{
    struct known *fresh = calloc(watch->seen_count + 1, sizeof *fresh);
    size_t count = 0;
    if (fresh == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        if (seen->inode != 0 || seen->state == STATE_CLOSE_WAIT)
            fresh[count++] = (struct known){.key = key_of_socket(seen),
                                            .pid = seen->pid,
                                            .close_wait_since_us = since(watch, seen, now_us)};
    }
    if (count > 0)
        qsort(fresh, count, sizeof *fresh, by_key);
    free(watch->known);
    watch->known = fresh;
    watch->known_count = count;
    return 0;
}

/* ---- rows ---- */

static bool is_row_of(const struct watch_row *row, const struct watch_row *key)
{
    return row->side == key->side && row->port == key->port && row->pid == key->pid &&
           row->peer.family == key->peer.family &&
           (key->peer.family == 0 || address_equal(&row->peer, &key->peer));
}

static struct watch_row key_of(const struct watch *watch, const struct seen *seen)
{
    bool serves = (watch->listens[seen->local_port / 8] & 1U << seen->local_port % 8) != 0;
    struct watch_row key = {.side = serves ? SIDE_SERVER : SIDE_CLIENT,
                            .port = serves ? seen->local_port : seen->remote_port,
                            .pid = seen->pid};
    if (!serves || watch->settings.by_peer)
        key.peer = seen->remote;
    return key;
}

static struct watch_row *row_of(struct watch *watch, const struct seen *seen)
{
    struct watch_row key = key_of(watch, seen);
    for (int i = 0; i < watch->row_count; i++)
        if (is_row_of(&watch->rows[i], &key))
            return &watch->rows[i];
    if (watch->row_count == WATCH_ROWS_MAX)
        return NULL;
    memcpy(key.command, process_command(key.pid).text, sizeof key.command);
    key.oldest_ms = -1;
    watch->rows[watch->row_count] = key;
    return &watch->rows[watch->row_count++];
}

static void count_in(struct watch_row *row, const struct seen *seen, const struct known *known,
                     int64_t now_us)
{
    row->is_here = true;
    row->of[seen->state]++;
    if (seen->state != STATE_CLOSE_WAIT)
        return;
    row->unread += seen->unread;
    row->unowned += seen->inode == 0;
    int64_t age_ms = known != NULL ? (now_us - known->close_wait_since_us) / 1000 : 0;
    if (age_ms > row->oldest_ms)
        row->oldest_ms = age_ms;
}

static void clear(struct watch_row *row)
{
    row->is_here = false;
    memset(row->of, 0, sizeof row->of);
    row->unread = row->unowned = 0;
    row->oldest_ms = -1;
}

static int most_close_wait_first(const void *a, const void *b)
{
    const struct watch_row *one = a, *other = b;
    int64_t difference = other->of[STATE_CLOSE_WAIT] - one->of[STATE_CLOSE_WAIT];
    if (difference != 0)
        return difference > 0 ? 1 : -1;
    if (one->side != other->side)
        return one->side == SIDE_SERVER ? -1 : 1;
    return one->port < other->port ? -1 : one->port > other->port;
}

/* Rows that have been empty make room again. */
static void forget_empty_rows(struct watch *watch)
{
    int kept = 0;
    for (int i = 0; i < watch->row_count; i++)
        if (watch->rows[i].is_here)
            watch->rows[kept++] = watch->rows[i];
    watch->row_count = kept;
}

static void fill_rows(struct watch *watch, struct watch_look *look, int64_t now_us)
{
    for (int i = 0; i < watch->row_count; i++)
        clear(&watch->rows[i]);
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        if (watch->settings.pid != 0 && seen->pid != watch->settings.pid)
            continue;
        look->sockets++;
        look->hidden += seen->inode != 0 && seen->pid == 0;
        struct watch_row *row = row_of(watch, seen);
        if (row == NULL)
            look->dropped_rows++;
        else
            count_in(row, seen, find_known(watch, seen), now_us);
    }
    for (int i = 0; i < watch->row_count; i++)
        growth_add(&watch->rows[i].growth, look->t_s, watch->rows[i].of[STATE_CLOSE_WAIT]);
    forget_empty_rows(watch);
    if (watch->row_count > 0)
        qsort(watch->rows, (size_t)watch->row_count, sizeof *watch->rows, most_close_wait_first);
}

int watch_take(struct watch *watch, bool detailed, struct watch_look *look)
{
    int64_t before_us = monotonic_us();
    if (watch->began_us == 0)
        watch->began_us = before_us;
    *look = (struct watch_look){.t_s = (double)(before_us - watch->began_us) / 1e6};
    int rc = read_sockets(watch, detailed);
    rc = rc == 0 ? ask_for_owners(watch) : rc;
    rc = rc == 0 ? remember(watch, before_us) : rc;
    if (rc != 0)
        return rc;
    fill_rows(watch, look, before_us);
    look->rows = watch->rows;
    look->row_count = watch->row_count;
    look->took_s = (double)(monotonic_us() - before_us) / 1e6;
    return 0;
}

const struct watch_row *watch_growing(const struct watch_look *look, struct trend *trend)
{
    const struct watch_row *worst = NULL;
    for (int i = 0; i < look->row_count; i++) {
        struct trend of_row = growth_of(&look->rows[i].growth);
        if (of_row.kind == TREND_LEAK && (worst == NULL || of_row.slope_per_s > trend->slope_per_s)) {
            worst = &look->rows[i];
            *trend = of_row;
        }
    }
    return worst;
}
