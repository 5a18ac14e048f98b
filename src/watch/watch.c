#include "watch/watch.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/number_set.h"
#include "kernel/host_limits.h"
#include "kernel/socket_owner.h"
#include "kernel/witness.h"
#include "watch/watch_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PORTS = 65536,
    ATTEMPTS = 3, /* to read tables that change meanwhile */
};

/* One socket of the look under way. */
struct seen {
    uint64_t key; /* by which it is known at the next look */
    uint64_t inode;
    struct address remote;
    uint16_t local_port, remote_port;
    uint8_t state;
    bool unread;
    bool was_hidden;             /* its owner was not found at the last look either */
    pid_t pid;                   /* 0: no process, or none that was found */
    int process;                 /* its place among the processes; -1: none */
    int64_t heard_ms;            /* -1: not asked for */
    int64_t close_wait_since_us; /* 0: it is not in CLOSE_WAIT */
};

/* What was known of a socket at the last look. */
struct known {
    pid_t pid;
    int64_t close_wait_since_us; /* 0: it was not */
};

/* One that holds sockets which were seen. */
struct process {
    pid_t pid;
    struct process_facts facts;
    struct process_command command;
};

struct watch {
    struct watch_settings settings;
    const struct witness_backend *witness;
    struct process_facts watched; /* settings.pid */
    uint16_t ephemeral_first, ephemeral_last;
    int64_t began_us;

    struct seen *seen;
    size_t seen_count, seen_room;
    struct number_set known_keys;
    struct known *known;       /* by the slots of the keys */
    size_t known_held;         /* of them with an inode */
    struct process *processes; /* by pid */
    int process_count;
    size_t process_room;
    int refused;
    bool had_news; /* at the last look: who owns what may have been in motion */

    bool listens[PORTS]; /* something listens there */
    bool serves[PORTS];  /* connections whose local port this is were accepted, now or before */
    struct watch_table tables[WATCH_SETS];
    struct trend_line all;
};

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
    number_set_free(&watch->known_keys);
    free(watch->known);
    free(watch->processes);
    free(watch);
}

/* ---- the sockets ---- */

/* The inode; of a socket that nobody has, its two ends, with a bit that no inode has. */
static uint64_t key_of_socket(const struct socket_entry *entry)
{
    return entry->inode != 0 ? entry->inode : socket_identity(entry) | 1ULL << 63;
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct watch *watch = context;
    if (entry->state == STATE_LISTEN) {
        watch->listens[entry->local_port] = true;
        return 0;
    }
    uint16_t port = watch->settings.port;
    if (port != 0 && entry->local_port != port && entry->remote_port != port)
        return 0;
    if (ARRAY_RESERVE(watch->seen, watch->seen_room, watch->seen_count + 1) != 0)
        return -ENOMEM;
    watch->seen[watch->seen_count++] = (struct seen){.key = key_of_socket(entry),
                                                     .inode = entry->inode,
                                                     .remote = address_unmapped(&entry->remote),
                                                     .local_port = entry->local_port,
                                                     .remote_port = entry->remote_port,
                                                     .state = (uint8_t)entry->state,
                                                     .unread = entry->unread > 0,
                                                     .process = -1,
                                                     .heard_ms = entry->heard_ms};
    return 0;
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
        uint32_t local[PORTS], remote[PORTS];
        int32_t votes[PORTS];
    } *ports = calloc(1, sizeof *ports);
    if (ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++) {
        ports->local[watch->seen[i].local_port]++;
        ports->remote[watch->seen[i].remote_port]++;
    }
    for (size_t i = 0; i < watch->seen_count; i++)
        ports->votes[watch->seen[i].local_port] +=
            vote_of(watch, &watch->seen[i], ports->local, ports->remote);
    for (int port = 0; port < PORTS; port++) {
        bool served = ports->local[port] > 0 && (watch->serves[port] || ports->votes[port] > 0);
        watch->serves[port] = watch->listens[port] || served;
    }
    free(ports);
    return 0;
}

/* ---- what was known ---- */

static const struct known *find_known(const struct watch *watch, const struct seen *seen)
{
    size_t slot = number_set_slot(&watch->known_keys, seen->key);
    return slot != NO_SLOT ? &watch->known[slot] : NULL;
}

/* When it came to CLOSE_WAIT, as far as this look and the earlier ones can tell; 0: it is not in it. The
 * kernel tells in a detailed look only, and is remembered. */
static int64_t close_wait_since(const struct seen *seen, const struct known *known, int64_t now_us)
{
    if (seen->state != STATE_CLOSE_WAIT)
        return 0;
    int64_t since_us = seen->heard_ms > 0 ? now_us - seen->heard_ms * 1000 : now_us;
    bool is_older = known != NULL && known->close_wait_since_us != 0 && known->close_wait_since_us < since_us;
    return is_older ? known->close_wait_since_us : since_us;
}

/* Returns whether the sockets that have descriptors are those of the last look. */
static bool recall(struct watch *watch, int64_t now_us)
{
    size_t held = 0;
    bool are_same = true;
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        const struct known *known = find_known(watch, seen);
        seen->close_wait_since_us = close_wait_since(seen, known, now_us);
        if (seen->inode == 0)
            continue;
        held++;
        are_same &= known != NULL;
        seen->pid = known != NULL ? known->pid : 0;
        seen->was_hidden = known != NULL && known->pid == 0;
    }
    return are_same && held == watch->known_held;
}

static bool is_worth_knowing(const struct seen *seen)
{
    return seen->inode != 0 || seen->state == STATE_CLOSE_WAIT;
}

static int remember(struct watch *watch)
{
    struct number_set keys = {0};
    size_t count = 0, held = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += is_worth_knowing(&watch->seen[i]);
    int rc = number_set_reserve(&keys, count);
    struct known *fresh = rc == 0 ? calloc(keys.slot_count, sizeof *fresh) : NULL;
    if (fresh == NULL) {
        number_set_free(&keys);
        return -ENOMEM;
    }
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        held += seen->inode != 0;
        if (!is_worth_knowing(seen))
            continue;
        number_set_add(&keys, seen->key);
        fresh[number_set_slot(&keys, seen->key)] =
            (struct known){.pid = seen->pid, .close_wait_since_us = seen->close_wait_since_us};
    }
    number_set_free(&watch->known_keys);
    free(watch->known);
    watch->known_keys = keys;
    watch->known = fresh;
    watch->known_held = held;
    return 0;
}

/* ---- their owners ---- */

/* A descriptor that was closed, passed on or inherited shows in how many a process has. */
static bool has_changed(const struct process *process)
{
    struct process_facts now;
    return process_facts_of(process->pid, &now) != 0 || now.started != process->facts.started ||
           now.descriptors != process->facts.descriptors || now.descriptors < 0;
}

static bool have_processes_changed(const struct watch *watch)
{
    for (int i = 0; i < watch->process_count; i++)
        if (has_changed(&watch->processes[i]))
            return true;
    return false;
}

/* The process that is watched, unless it has ended: its pid may be another's by now. */
static int check_watched(const struct watch *watch)
{
    struct process_facts now;
    if (watch->settings.pid == 0)
        return 0;
    int rc = process_facts_of(watch->settings.pid, &now);
    return rc == 0 && now.started != watch->watched.started ? -ESRCH : rc;
}

static int ask_for_owners(struct watch *watch)
{
    uint64_t *inodes = calloc(watch->seen_count + 1, sizeof *inodes);
    if (inodes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++)
        inodes[i] = watch->seen[i].inode;
    struct socket_owners *owners = socket_owners_new(inodes, watch->seen_count);
    free(inodes);
    if (owners == NULL)
        return -ENOMEM;
    int rc = watch->settings.pid != 0 ? socket_owners_read_pid(owners, watch->settings.pid)
                                      : socket_owners_read_others(owners, NULL, 0);
    for (size_t i = 0; i < watch->seen_count; i++)
        watch->seen[i].pid = watch->seen[i].inode != 0 ? socket_owner_of(owners, watch->seen[i].inode) : 0;
    watch->refused = socket_owners_refused(owners);
    socket_owners_free(owners);
    return rc < 0 ? rc : check_watched(watch);
}

/* The place of that pid among the processes, or where it belongs. */
static int place_of(const struct watch *watch, pid_t pid)
{
    int low = 0, high = watch->process_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (watch->processes[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct watch *watch, int place, pid_t pid)
{
    return place < watch->process_count && watch->processes[place].pid == pid;
}

/* One that has ended has no name. */
static int read_process(struct process *process, pid_t pid)
{
    *process = (struct process){.pid = pid};
    int rc = process_facts_of(pid, &process->facts);
    if (rc != 0)
        return rc == -ESRCH ? 0 : rc;
    process->command = process_command(pid);
    if (process->command.text[0] == '\0' && process_facts_of(pid, &process->facts) == 0)
        process->command.text[0] = '?';
    return 0;
}

static int insert_process(struct watch *watch, int place, pid_t pid)
{
    if (ARRAY_RESERVE(watch->processes, watch->process_room, watch->process_count + 1) != 0)
        return -ENOMEM;
    struct process *at = &watch->processes[place];
    memmove(at + 1, at, (size_t)(watch->process_count - place) * sizeof *at);
    watch->process_count++;
    return read_process(at, pid);
}

/* Who they are now. One that has ended meanwhile, and so has no name, owns nothing. */
static int name_owners(struct watch *watch)
{
    pid_t last = 0;
    watch->process_count = 0;
    for (size_t i = 0; i < watch->seen_count; i++) {
        pid_t pid = watch->seen[i].pid;
        int place = pid != 0 && pid != last ? place_of(watch, pid) : 0;
        bool is_new = pid != 0 && pid != last && !is_at(watch, place, pid);
        int rc = is_new ? insert_process(watch, place, pid) : 0;
        if (rc != 0)
            return rc;
        last = pid;
    }
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        int place = seen->pid != 0 ? place_of(watch, seen->pid) : -1;
        bool is_there = place >= 0 && watch->processes[place].command.text[0] != '\0';
        seen->process = is_there ? place : -1;
        seen->pid = is_there ? seen->pid : 0;
    }
    return 0;
}

/* ---- rows ---- */

static struct watch_key key_of(const struct watch *watch, const struct seen *seen, enum watch_set set)
{
    struct watch_key key = {.port = 0};
    const struct process *process = seen->process >= 0 ? &watch->processes[seen->process] : NULL;
    bool serves = watch->serves[seen->local_port];
    bool by_peer = watch->settings.by_peer && set == WATCH_OWNERS;
    key.side = serves ? SIDE_SERVER : SIDE_CLIENT;
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

static void count_in(struct watch_row *row, const struct seen *seen, int64_t now_us)
{
    row->of[seen->state]++;
    if (seen->state != STATE_CLOSE_WAIT)
        return;
    row->unread += seen->unread;
    row->unowned += seen->inode == 0;
    int64_t age_ms = (now_us - seen->close_wait_since_us) / 1000;
    if (age_ms > row->oldest_ms)
        row->oldest_ms = age_ms;
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
        bool has_peers = key.side == SIDE_CLIENT || key.family != 0;
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

static int fill_rows(struct watch *watch, struct watch_look *look, int64_t now_us)
{
    size_t *order = by_process(watch);
    int rc = order != NULL ? 0 : -ENOMEM;
    int64_t close_wait = 0;
    for (int set = 0; set < WATCH_SETS; set++)
        watch_table_begin(&watch->tables[set]);
    for (size_t i = 0; rc == 0 && i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[order[i]];
        bool is_unfound = seen->inode != 0 && seen->pid == 0;
        if (watch->settings.pid != 0 && seen->pid != watch->settings.pid)
            continue;
        look->sockets++;
        look->hidden += is_unfound && seen->was_hidden;
        look->unsure += is_unfound;
        close_wait += seen->state == STATE_CLOSE_WAIT;
        rc = count_socket(watch, seen, now_us);
    }
    free(order);
    trend_line_add(&watch->all, look->t_s, close_wait);
    for (int set = 0; set < WATCH_SETS; set++) {
        watch_table_end(&watch->tables[set], look->t_s);
        look->sets[set] = watch->tables[set].rows;
    }
    look->refused = watch->refused;
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
    int rc = check_watched(watch);
    rc = rc == 0 ? read_sockets(watch, detailed) : rc;
    rc = rc == 0 ? find_servers(watch) : rc;
    if (rc != 0)
        return rc;
    bool are_same = recall(watch, before_us);
    bool has_news = is_first || !are_same || have_processes_changed(watch);
    if (has_news || watch->had_news || detailed)
        rc = ask_for_owners(watch);
    watch->had_news = has_news;
    rc = rc == 0 ? name_owners(watch) : rc;
    rc = rc == 0 ? remember(watch) : rc;
    rc = rc == 0 ? fill_rows(watch, look, before_us) : rc;
    look->took_s = (double)(monotonic_us() - before_us) / 1e6;
    look->cpu_s = (double)(clock() - cpu_before) / CLOCKS_PER_SEC;
    return rc;
}
