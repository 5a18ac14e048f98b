#include "watch/watch.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/number_set.h"
#include "kernel/host_limits.h"
#include "kernel/socket_owner.h"
#include "kernel/witness.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int begin(struct watch *watch)
{
    int error;
    struct host_limits limits;
    const pid_t pid = watch->settings.pid;
    if (pid != 0 &&
        ((error = process_facts_of(pid, &watch->watched)) != 0 || (error = process_shares_network(pid)) != 0))
        return error;
    watch->witness = witness_choose(0, &error);
    if (watch->witness == NULL)
        return error;
    host_limits_read(&limits);
    watch->ephemeral_first = (uint16_t)limits.port_first;
    watch->ephemeral_last = (uint16_t)limits.port_last;
    return 0;
}

struct watch *watch_new(const struct watch_settings *settings, int *error)
{
    struct watch *watch = calloc(1, sizeof *watch);
    *error = -ENOMEM;
    if (watch == NULL)
        return NULL;
    watch->settings = *settings;
    *error = begin(watch);
    if (*error == 0)
        return watch;
    watch_free(watch);
    return NULL;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    for (int set = 0; set < WATCH_SETS; set++)
        watch_table_free(&watch->tables[set]);
    free(watch->seen);
    free(watch->ghosts);
    free(watch->strays);
    number_set_free(&watch->known_keys);
    free(watch->known);
    free(watch->processes);
    free(watch);
}

enum { ATTEMPTS = 3 }; /* to read tables that change meanwhile */

/* ---- the sockets ---- */

/* The inode; of a socket that nobody has, its two ends, with a bit that no inode has. */
static uint64_t key_of_socket(const struct socket_entry *entry)
{
    return entry->inode != 0 ? entry->inode : socket_identity(entry) | 1ULL << 63;
}

int watch_add_seen(struct watch *watch, const struct seen *seen)
{
    int rc = ARRAY_RESERVE(watch->seen, watch->seen_room, watch->seen_count + 1);
    if (rc == 0)
        watch->seen[watch->seen_count++] = *seen;
    return rc;
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct watch *watch = context;
    uint16_t port = watch->settings.port;
    watch->listens[entry->local_port] |= entry->state == STATE_LISTEN;
    if (port != 0 && entry->local_port != port && entry->remote_port != port)
        return 0;
    const struct seen seen = {.key = key_of_socket(entry),
                              .inode = entry->inode,
                              .remote = address_unmapped(&entry->remote),
                              .local_port = entry->local_port,
                              .remote_port = entry->remote_port,
                              .state = (uint8_t)entry->state,
                              .unread = entry->unread > 0,
                              .fin_with_data = entry->fin_with_data && entry->unread == 0,
                              .keeps_alive = entry->keeps_alive,
                              .process = -1,
                              .heard_ms = entry->heard_ms,
                              .fin_most_ms = entry->fin_most_ms};
    return watch_add_seen(watch, &seen);
}

static int read_tables(struct watch *watch, bool detailed)
{
    const struct port_range one = {watch->settings.port, watch->settings.port};
    const struct port_range *only = watch->settings.port != 0 ? &one : NULL;
    const struct witness_backend *witness = watch->witness;
    watch->seen_count = 0;
    memset(watch->listens, 0, sizeof watch->listens);
    int rc = detailed ? witness->each_detailed(AF_INET, only, note_socket, watch)
                      : witness->each(AF_INET, only, note_socket, watch);
    if (rc != 0)
        return rc;
    rc = detailed ? witness->each_detailed(AF_INET6, only, note_socket, watch)
                  : witness->each(AF_INET6, only, note_socket, watch);
    return rc == -ENOENT || rc == -EAFNOSUPPORT ? 0 : rc; /* a kernel without IPv6 */
}

static int read_sockets(struct watch *watch, bool detailed)
{
    int rc = -EINTR;
    for (int i = 0; i < ATTEMPTS && rc == -EINTR; i++)
        rc = read_tables(watch, detailed);
    return rc;
}

/* ---- which end of its connection a socket is ---- */

/* Neither a listener nor a ghost, whose other end may not be known. */
static bool is_connection(const struct seen *seen)
{
    return seen->state != STATE_LISTEN && seen->state != STATE_GONE;
}

static bool is_ephemeral(const struct watch *watch, uint16_t port)
{
    return port >= watch->ephemeral_first && port <= watch->ephemeral_last;
}

/* The ephemeral port is the client's. Where both are or neither is: connections that a listener has accepted
 * share its port, and those of a client share the remote one. Above 0 for a server's end. */
static int vote_of(const struct watch *watch, const struct seen *seen, const uint32_t *local,
                   const uint32_t *remote)
{
    uint32_t of_local = local[seen->local_port], of_remote = remote[seen->remote_port];
    int vote = is_ephemeral(watch, seen->remote_port) - is_ephemeral(watch, seen->local_port);
    return vote != 0 ? vote : (of_local > of_remote) - (of_local < of_remote);
}

/* A port that something listens on is a server's; it stays one while connections of it are left. Where nobody
 * has listened since the watch began, the connections themselves have to tell. */
static int find_servers(struct watch *watch)
{
    struct ports {
        uint32_t local[WATCH_PORTS_COUNT], remote[WATCH_PORTS_COUNT];
        int32_t votes[WATCH_PORTS_COUNT];
    } *ports = calloc(1, sizeof *ports);
    if (ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++) {
        ports->local[watch->seen[i].local_port] += watch->seen[i].state != STATE_LISTEN;
        ports->remote[watch->seen[i].remote_port] += is_connection(&watch->seen[i]);
    }
    for (size_t i = 0; i < watch->seen_count; i++)
        if (is_connection(&watch->seen[i]))
            ports->votes[watch->seen[i].local_port] +=
                vote_of(watch, &watch->seen[i], ports->local, ports->remote);
    for (int port = 1; port < WATCH_PORTS_COUNT; port++) {
        bool served = ports->local[port] > 0 && (watch->serves[port] || ports->votes[port] > 0);
        watch->serves[port] = watch->listens[port] || served;
    }
    free(ports);
    return 0;
}

/* ---- rows ---- */

static struct watch_key key_of(const struct watch *watch, const struct seen *seen, enum watch_set set)
{
    struct watch_key key = {.port = 0};
    const struct process *process = seen->process >= 0 ? &watch->processes[seen->process] : NULL;
    bool serves = watch->serves[seen->local_port];
    bool by_peer = watch->settings.by_peer && set == WATCH_OWNERS;
    key.side = serves ? SIDE_SERVER : seen->remote_port != 0 ? SIDE_CLIENT : WATCH_SIDE_UNKNOWN;
    if (set != WATCH_PROGRAMS)
        key.port = serves ? seen->local_port : seen->remote_port;
    if (set == WATCH_OWNERS && process != NULL) {
        key.started = process->facts.started;
        key.pid = process->pid;
    }
    if (process != NULL && (set == WATCH_PROGRAMS || (set == WATCH_PORTS && !serves)))
        memcpy(key.command, process->command.text, sizeof key.command);
    if (by_peer) {
        key.family = (uint8_t)seen->remote.family;
        memcpy(key.peer, seen->remote.bytes, sizeof key.peer);
    }
    return key;
}

/* Sockets come process by process. */
static void note_process(struct watch_row *row, const struct process *process)
{
    if (process == NULL || row->pid == process->pid)
        return;
    if (row->processes == 0)
        memcpy(row->command, process->command.text, sizeof row->command);
    else if (strcmp(row->command, process->command.text) != 0)
        row->command[0] = '\0';
    row->processes++;
    row->pid = process->pid;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void count_in(struct watch_row *row, const struct seen *seen, int64_t now_us)
{
    row->of[seen->state]++;
    if (seen->state != STATE_CLOSE_WAIT)
        return;
    int64_t earliest_us = seen->since.earliest_us;
    row->unread += seen->unread;
    row->fin_with_data += seen->fin_with_data;
    row->unowned += seen->inode == 0;
    row->oldest_ms = larger(row->oldest_ms, (now_us - seen->since.latest_us) / 1000);
    row->oldest_most_ms =
        larger(row->oldest_most_ms, earliest_us != 0 ? (now_us - earliest_us) / 1000 : INT64_MAX);
}

static int count_socket(struct watch *watch, const struct seen *seen, int64_t now_us)
{
    for (int set = 0; set < WATCH_SETS; set++) {
        if (set == WATCH_PROGRAMS && seen->process < 0)
            continue;
        int error = 0;
        const struct watch_key key = key_of(watch, seen, (enum watch_set)set);
        struct watch_row *row = watch_table_row(&watch->tables[set], &key, &error);
        if (error != 0)
            return error;
        if (row == NULL) {
            watch->tables[set].rows.dropped++;
            continue;
        }
        bool has_peers = seen->remote.family != 0 && (key.side == SIDE_CLIENT || key.family != 0);
        if (has_peers && !row->is_here)
            row->peer = seen->remote;
        else if (has_peers && !address_equal(&row->peer, &seen->remote))
            row->peer.family = 0;
        row->is_here = true;
        row->listens = key.side == SIDE_SERVER && watch->listens[key.port];
        note_process(row, seen->process >= 0 ? &watch->processes[seen->process] : NULL);
        count_in(row, seen, now_us);
    }
    return 0;
}

/* The sockets' places, those of one process together (counting sort). NULL without memory. */
static size_t *by_process(const struct watch *watch)
{
    size_t *order = calloc(watch->seen_count + 1, sizeof *order);
    size_t *next = calloc((size_t)watch->process_count + 2, sizeof *next);
    for (size_t i = 0; order != NULL && next != NULL && i < watch->seen_count; i++)
        next[watch->seen[i].process + 2]++;
    for (int i = 0; next != NULL && i <= watch->process_count; i++)
        next[i + 1] += next[i];
    for (size_t i = 0; order != NULL && next != NULL && i < watch->seen_count; i++)
        order[next[watch->seen[i].process + 1]++] = i;
    if (next == NULL) {
        free(order);
        order = NULL;
    }
    free(next);
    return order;
}

/* It will leave the tables with its descriptor open, and nobody can tell then: see witness.h. */
static bool is_doomed(const struct seen *seen, int64_t now_us)
{
    return seen->state == STATE_CLOSE_WAIT && seen->inode != 0 && seen->pid == 0 && seen->was_hidden &&
           seen->keeps_alive && seen->since.latest_us < now_us;
}

static void count_socket_of_look(struct watch_look *look, const struct seen *seen, int64_t now_us)
{
    bool is_unfound = seen->inode != 0 && seen->pid == 0;
    if (seen->state == STATE_GONE) {
        look->ghosts++;
        return;
    }
    look->sockets++;
    look->hidden += is_unfound && seen->was_hidden;
    look->unsure += is_unfound;
    look->doomed += is_doomed(seen, now_us);
}

static int fill_rows(struct watch *watch, struct watch_look *look, int64_t now_us)
{
    size_t *order = by_process(watch);
    int rc = order != NULL ? 0 : -ENOMEM;
    int64_t owed = 0;
    for (int set = 0; set < WATCH_SETS; set++)
        watch_table_begin(&watch->tables[set]);
    for (size_t i = 0; rc == 0 && i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[order[i]];
        if (seen->state == STATE_LISTEN)
            look->unlooked += seen->pid == 0 && seen->was_hidden;
        if (seen->state == STATE_LISTEN || (watch->settings.pid != 0 && seen->pid != watch->settings.pid))
            continue;
        count_socket_of_look(look, seen, now_us);
        owed += seen->state == STATE_CLOSE_WAIT || seen->state == STATE_GONE;
        rc = count_socket(watch, seen, now_us);
    }
    free(order);
    trend_line_add(&watch->all, look->t_s, owed);
    for (int set = 0; set < WATCH_SETS; set++) {
        watch_table_end(&watch->tables[set], look->t_s);
        look->sets[set] = watch->tables[set].rows;
    }
    look->refused = watch->refused;
    look->ghosts_error = watch->ghosts_error;
    look->all = watch->all;
    return rc;
}

/* ---- a look ---- */

int watch_take(struct watch *watch, bool detailed, struct watch_look *look)
{
    int64_t before_us = monotonic_us();
    clock_t cpu_before = clock();
    bool is_first = watch->began_us == 0;
    if (is_first)
        watch->began_us = before_us;
    *look = (struct watch_look){.t_s = (double)(before_us - watch->began_us) / 1e6};
    int rc = watch_check_watched(watch);
    rc = rc == 0 ? read_sockets(watch, detailed) : rc;
    rc = rc == 0 ? watch_carry_ghosts(watch) : rc;
    rc = rc == 0 ? find_servers(watch) : rc;
    if (rc != 0)
        return rc;
    bool are_same = watch_recall(watch, before_us);
    bool has_news = is_first || !are_same || watch_have_processes_changed(watch);
    bool asks = has_news || watch->had_news || detailed;
    watch->had_news = has_news;
    rc = asks ? watch_ask_for_owners(watch) : 0;
    rc = rc == 0 ? watch_name_owners(watch) : rc;
    rc = rc == 0 && asks ? watch_read_ghosts(watch) : rc;
    rc = rc == 0 && asks ? watch_name_owners(watch) : rc;
    rc = rc == 0 ? watch_remember(watch) : rc;
    rc = rc == 0 ? fill_rows(watch, look, before_us) : rc;
    watch->last_us = before_us;
    look->took_s = (double)(monotonic_us() - before_us) / 1e6;
    look->cpu_s = (double)(clock() - cpu_before) / CLOCKS_PER_SEC;
    return rc;
}
