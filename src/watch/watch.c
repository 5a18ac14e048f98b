#include "watch/watch.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/min_max.h"
#include "base/number_set.h"
#include "kernel/socket_owner.h"
#include "kernel/witness.h"
#include "watch/watch_closings.h"
#include "watch/watch_flow.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int begin(struct watch *watch)
{
    int error;
    const pid_t pid = watch->settings.pid;
    if (pid != 0 && (error = process_facts_of(pid, &watch->watched)) != 0)
        return error;
    watch->witness = witness_choose(0, &error);
    if (watch->witness == NULL)
        return error;
    return watch_find_places(watch, true);
}

struct watch *watch_new(const struct watch_settings *settings, int *error)
{
    struct watch *watch = calloc(1, sizeof *watch);
    *error = -ENOMEM;
    if (watch == NULL)
        return NULL;
    watch->settings = *settings;
    watch->last_t_s = watch->detailed_t_s = watch->full_t_s = -1;
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
    free(watch->rest);
    free(watch->held);
    free(watch->vanished);
    free(watch->ghosts);
    free(watch->strays);
    number_set_free(&watch->known_keys);
    free(watch->known);
    free(watch->processes);
    free(watch->processes_before);
    watch_free_places(watch);
    watch_free_services(watch);
    free(watch);
}

enum {
    ATTEMPTS = 3,      /* to read tables that change meanwhile */
    ANEW_US = 8000000, /* between two readings of all owners, where nothing seems to have changed */
};

/* Of a core that takes to read all owners, at most, unless it is cheap. */
enum {
    ANEW_SHARE = 100,      /* where something has changed, or may have */
    ANEW_SHARE_BUSY = 500, /* likewise, where looks alone take long */
    UNFOUND_SHARE = 40,    /* where a socket that stays has no owner yet; with the full look that it takes */
    HIDDEN_SHARE = 200,    /* likewise, where it may be of a process that may not be looked into */
};

/* ---- the sockets ---- */

/* The inode; of a socket that nobody has, its two ends and where it is, with a bit that no inode has. */
static uint64_t key_of_socket(const struct socket_entry *entry, const struct place *place)
{
    const uint64_t spread = 0x9e3779b97f4a7c15; /* of small numbers over all bits */
    return entry->inode != 0 ? entry->inode : (socket_identity(entry) ^ place->serial * spread) | 1ULL << 63;
}

int watch_add_seen(struct watch *watch, const struct seen *seen)
{
    int rc = ARRAY_RESERVE(watch->seen, watch->seen_room, watch->seen_count + 1);
    if (rc == 0)
        watch->seen[watch->seen_count++] = *seen;
    return rc;
}

static void note_listener(struct place *place, const struct socket_entry *entry)
{
    struct accept_queue *queue = &place->queues[entry->local_port];
    bool is_first = !place->listens[entry->local_port];
    place->listens[entry->local_port] = true;
    if (is_first || entry->backlog - entry->unread < queue->limit - queue->length)
        *queue = (struct accept_queue){
            .length = entry->unread, .limit = entry->backlog, .inode = entry->inode, .process = -1};
}

static int note_socket(void *context, const struct socket_entry *entry)
{
    struct watch *watch = context;
    uint16_t port = watch->settings.port;
    if (entry->state == STATE_LISTEN)
        note_listener(watch->read_place, entry);
    if (port != 0 && entry->local_port != port && entry->remote_port != port)
        return 0;
    struct seen seen = {.key = key_of_socket(entry, watch->read_place),
                        .times = 1,
                        .fd = -1,
                        .inode = entry->inode,
                        .local = address_unmapped(&entry->local),
                        .place = watch->read_place,
                        .cgroup = entry->cgroup,
                        .remote = address_unmapped(&entry->remote),
                        .recv_q = entry->state != STATE_LISTEN ? entry->unread : 0,
                        .send_q = entry->unsent,
                        .local_port = entry->local_port,
                        .remote_port = entry->remote_port,
                        .state = (uint8_t)entry->state,
                        .unread = entry->unread > 0,
                        .fin_with_data = entry->fin_with_data && entry->unread == 0,
                        .keeps_alive = entry->keeps_alive,
                        .process = -1,
                        .heard_ms = entry->heard_ms,
                        .fin_most_ms = entry->fin_most_ms};
    watch_note_rest(&seen, entry);
    int rc = watch->settings.flow != NULL ? watch_flow_note(watch->settings.flow, entry) : 0;
    if (rc == 0 && watch->settings.closings != NULL)
        rc = watch_closings_see(watch->settings.closings, entry, monotonic_us());
    return rc == 0 ? watch_add_seen(watch, &seen) : rc;
}

/* What has gone in the middle shows nothing. */
static int read_place(struct watch *watch, struct place *place, bool detailed)
{
    const struct port_range one = {watch->settings.port, watch->settings.port};
    const struct port_range *only = watch->settings.port != 0 ? &one : NULL;
    const size_t first = watch->seen_count;
    int rc = -EINTR;
    watch->read_place = place;
    for (int i = 0; i < ATTEMPTS && rc == -EINTR; i++) {
        watch->seen_count = first;
        if (watch->settings.flow != NULL)
            watch_flow_begin(watch->settings.flow);
        memset(place->listens, 0, sizeof place->listens);
        rc = watch->settings.closings != NULL
                 ? watch_closings_begin_look(watch->settings.closings, monotonic_us())
                 : 0;
        if (rc == 0 && watch->is_brief)
            rc = watch->witness->each_in_states(~STATES_AT_REST, false, only, note_socket, watch);
        else if (rc == 0)
            rc = watch_place_each(watch, place, detailed, only, note_socket, watch);
    }
    bool is_seen = place->where == NULL || place->sight == NETNS_ENTERED || place->sight == NETNS_READ;
    watch->seen_count = is_seen ? watch->seen_count : first;
    place->first_seen = first;
    place->seen_count = watch->seen_count - first;
    return rc;
}

static int read_places(struct watch *watch, bool detailed)
{
    int rc = watch->is_brief ? watch_carry_rest(watch) : 0;
    watch->seen_count = watch->is_brief ? watch->seen_count : 0;
    for (size_t i = 0; i < watch->place_count && rc == 0; i++)
        rc = read_place(watch, watch->places[i], detailed);
    return rc;
}

/* A kernel that does not take the question for both families takes the others. */
static int read_sockets(struct watch *watch, bool detailed)
{
    int rc = read_places(watch, detailed);
    if (watch->cannot_be_brief || rc == 0 || rc == -EINTR || rc == -ENOMEM)
        return rc;
    watch->is_brief = false;
    watch->cannot_be_brief = true;
    return read_places(watch, detailed);
}

/* ---- rows ---- */

static struct watch_key key_of(const struct watch *watch, const struct seen *seen, enum watch_set set)
{
    struct watch_key key = {.port = 0};
    if (set == WATCH_SERVICES) {
        key.service = seen->service;
        return key;
    }
    const struct process *process = seen->process >= 0 ? &watch->processes[seen->process] : NULL;
    bool serves = seen->place->serves[seen->local_port];
    bool by_peer = watch->settings.by_peer && set == WATCH_OWNERS;
    key.netns = seen->place->serial;
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
    row->descriptors = row->processes == 1 ? process->facts.descriptors : -1;
    row->descriptors_most = row->processes == 1 ? process->descriptors_most : -1;
}

const double watch_age_bounds_s[WATCH_AGES] = {1, 10, 60, 600, 3600, 86400, INFINITY};

static void count_age(struct watch_row *row, int64_t age_ms)
{
    int bucket = 0;
    while (watch_age_bounds_s[bucket] < (double)age_ms / 1e3)
        bucket++;
    row->ages[bucket]++;
    row->ages_ms += age_ms;
}

static void count_in(struct watch_row *row, const struct seen *seen, int64_t now_us)
{
    row->of[seen->state] += seen->times;
    row->recv_q += seen->recv_q;
    row->send_q += seen->send_q;
    row->arrived += seen->is_unknown && !row->is_new && seen->inode != 0 ? seen->times : 0;
    for (uint32_t left = seen->groups; left != 0; left &= left - 1) {
        int group = __builtin_ctz(left);
        bool is_counted = group == GROUP_ACCEPT_QUEUE && seen->is_in_rest;
        bool has_come = watch_groups[group].is_leak && (seen->groups_before & GROUP_SET(group)) == 0;
        row->count[group] += is_counted ? 0 : seen->times;
        row->came[group] += has_come ? seen->times : 0;
    }
    if (seen->state != STATE_CLOSE_WAIT)
        return;
    int64_t earliest_us = seen->since.earliest_us;
    row->unread += seen->unread;
    row->fin_with_data += seen->fin_with_data;
    row->unowned += seen->inode == 0;
    int64_t age_ms = max_of(0, (now_us - seen->since.latest_us) / 1000);
    count_age(row, age_ms);
    row->oldest_ms = max_of(row->oldest_ms, age_ms);
    row->oldest_most_ms =
        max_of(row->oldest_most_ms, earliest_us != 0 ? (now_us - earliest_us) / 1000 : INT64_MAX);
}

static void note_queue(struct watch_row *row, const struct accept_queue *queue,
                       const struct process *processes)
{
    row->queue_length = queue->length;
    row->queue_limit = queue->limit;
    if (queue->process < 0)
        return;
    row->listener = processes[queue->process].pid;
    memcpy(row->listener_command, processes[queue->process].command.text, sizeof row->listener_command);
}

/* The name of all of it. One that is not known contradicts none. */
static void note_whose(const struct watch *watch, struct watch_row *row, const struct seen *seen)
{
    const char *service = watch_service_name(watch, seen->service);
    if (!row->is_here)
        row->netns = seen->place->name;
    else if (row->netns != seen->place->name)
        row->netns = NULL;
    if (service == NULL || row->has_services)
        return;
    row->has_services = row->service != NULL && row->service != service;
    row->service = row->has_services ? NULL : service;
}

static void note_peer(struct watch_row *row, const struct seen *seen, bool has_peers)
{
    bool are_several = seen->remote.family == 0 && seen->times > 1;
    bool is_told = has_peers && seen->remote.family != 0;
    if (is_told && !row->is_here)
        row->peer = seen->remote;
    else if (has_peers && (are_several || (is_told && !address_equal(&row->peer, &seen->remote))))
        row->peer.family = 0;
}

static int count_socket(struct watch *watch, const struct seen *seen, int64_t now_us)
{
    for (int set = 0; set < WATCH_SETS; set++) {
        if ((set == WATCH_PROGRAMS && seen->process < 0) ||
            (set == WATCH_SERVICES && !watch->settings.by_service))
            continue;
        int error = 0;
        const struct watch_key key = key_of(watch, seen, (enum watch_set)set);
        struct watch_row *row = watch_table_row(&watch->tables[set], &key, &error);
        if (error != 0)
            return error;
        if (row == NULL) {
            watch->tables[set].rows.dropped += seen->times;
            continue;
        }
        note_whose(watch, row, seen);
        note_peer(row, seen, key.side == SIDE_CLIENT || key.family != 0);
        row->is_here = true;
        row->listens = key.side == SIDE_SERVER && seen->place->listens[key.port];
        if (row->listens)
            note_queue(row, &seen->place->queues[key.port], watch->processes);
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

static bool is_hidden(const struct seen *seen)
{
    return seen->pid == 0 && seen->sought == SOUGHT;
}

/* It will leave the tables with its descriptor open, and nobody can tell then: see witness.h. */
static bool is_doomed(const struct seen *seen, int64_t now_us)
{
    return seen->state == STATE_CLOSE_WAIT && seen->inode != 0 && is_hidden(seen) && seen->keeps_alive &&
           seen->since.latest_us < now_us;
}

static void count_socket_of_look(struct watch_look *look, const struct seen *seen, int64_t now_us)
{
    bool is_unfound = seen->inode != 0 && seen->pid == 0;
    if (seen->state == STATE_GONE) {
        look->ghosts++;
        return;
    }
    look->sockets += seen->is_in_rest ? 0 : seen->times;
    look->hidden += is_unfound && is_hidden(seen) ? seen->times : 0;
    look->unsure += is_unfound ? seen->times : 0;
    look->doomed += is_doomed(seen, now_us);
}

/* Who listens, where it is the listener whose queue is told. */
static void find_listeners(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        struct accept_queue *queue = &seen->place->queues[seen->local_port];
        if (seen->state == STATE_LISTEN && queue->inode == seen->inode)
            queue->process = seen->process;
    }
}

/* Whether it is of the process that is watched: what waits for its accept() is, though it has no descriptor.
 */
static bool is_watched(const struct watch *watch, const struct seen *seen)
{
    if (watch->settings.pid == 0 || seen->pid == watch->settings.pid)
        return true;
    if ((seen->groups & GROUP_SET(GROUP_ACCEPT_QUEUE)) == 0)
        return false;
    int process = seen->place->queues[seen->local_port].process;
    return process >= 0 && watch->processes[process].pid == watch->settings.pid;
}

/* Detailed looks tell of those, the others only what is left of them. */
static int64_t count_untimed(const struct watch *watch)
{
    int64_t count = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += watch->seen[i].group_at_rest != WATCH_GROUPS && watch->seen[i].rests_ms < 0
                     ? watch->seen[i].times
                     : 0;
    return count;
}

static void read_overflows(struct watch *watch, struct watch_look *look)
{
    struct kernel_counters now = watch->counters_before;
    look->listen_overflows = -1;
    if (watch->place_count == 0 || watch->places[0]->where != NULL)
        return; /* they are of our own network namespace */
    kernel_counters_read(&now);
    if (watch->last_us == 0)
        watch->counters_before = now;
    look->listen_overflows =
        now.value[COUNTER_LISTEN_OVERFLOWS] - watch->counters_before.value[COUNTER_LISTEN_OVERFLOWS];
}

static int fill_rows(struct watch *watch, struct watch_look *look, bool detailed, int64_t now_us)
{
    const struct watch_moment moment = {.t_s = look->t_s,
                                        .before_s = watch->last_t_s,
                                        .full_before_s = watch->full_t_s,
                                        .detailed_before_s = watch->detailed_t_s,
                                        .full = !watch->is_brief,
                                        .detailed = detailed};
    size_t *order = by_process(watch);
    int rc = order != NULL ? 0 : -ENOMEM;
    int64_t owed = 0;
    find_listeners(watch);
    for (int set = 0; set < WATCH_SETS; set++)
        watch_table_begin(&watch->tables[set]);
    for (size_t i = 0; rc == 0 && i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[order[i]];
        if (seen->state == STATE_LISTEN && watch->settings.pid == 0) /* with it others were not looked for */
            look->unlooked += is_hidden(seen);
        if (seen->state == STATE_LISTEN || !is_watched(watch, seen))
            continue;
        count_socket_of_look(look, seen, now_us);
        owed += seen->state == STATE_CLOSE_WAIT || seen->state == STATE_GONE;
        rc = count_socket(watch, seen, now_us);
    }
    free(order);
    trend_line_add(&watch->all, look->t_s, owed);
    for (int set = 0; set < WATCH_SETS; set++) {
        if (rc == 0)
            rc = watch_table_end(&watch->tables[set], &moment);
        look->sets[set] = watch->tables[set].rows;
    }
    watch_count_places(watch, look);
    look->refused = watch->refused;
    look->ghosts_error = watch->ghosts_error;
    look->all = watch->all;
    watch->last_t_s = look->t_s;
    watch->full_t_s = watch->is_brief ? watch->full_t_s : look->t_s;
    look->rest_s = look->t_s - watch->full_t_s;
    watch->detailed_t_s = detailed ? look->t_s : watch->detailed_t_s;
    look->untimed = watch->untimed;
    return rc;
}

/* ---- a look ---- */

void watch_look_thoroughly(struct watch *watch)
{
    watch->wants_all = true;
}

static int64_t cpu_us(void)
{
    return (int64_t)clock() * 1000000 / CLOCKS_PER_SEC;
}

/* Whether it is worth while to look for the owners of sockets that stay without one. */
static bool looks_for_unfound(const struct watch *watch, int64_t now_us)
{
    int64_t took_us = watch->ask_took_us + watch->full_took_us;
    int share = watch->refused > 0 ? HIDDEN_SHARE : UNFOUND_SHARE;
    return watch->unfound > 0 && watch->settings.pid == 0 &&
           (watch_is_cheap(watch, took_us) || now_us - watch->asked_us >= share * took_us);
}

/* What is in the tables, and which ends of connections that is. */
static int see(struct watch *watch, bool detailed, int64_t now_us)
{
    int rc = watch_check_watched(watch);
    rc = rc == 0 ? watch_find_places(watch, detailed) : rc;
    watch->wants_all |= looks_for_unfound(watch, now_us);
    watch->is_brief = rc == 0 && !detailed && watch_has_to_be_brief(watch, now_us);
    rc = rc == 0 ? read_sockets(watch, detailed) : rc;
    rc = rc == 0 ? watch_carry_ghosts(watch) : rc;
    rc = rc == 0 ? watch_find_servers(watch) : rc;
    if (rc == 0 && watch->settings.closings != NULL)
        rc = watch_closings_end_look(watch->settings.closings, watch->places[0]->serves, monotonic_us());
    if (rc == 0 && watch->settings.flow != NULL)
        rc = watch_flow_end(watch->settings.flow, now_us, watch->places[0]->serves);
    return rc;
}

/* Sockets without an owner that were there at the last look, too, and may well have one. */
static int64_t count_unfound(const struct watch *watch)
{
    int64_t count = 0;
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        count += seen->key != 0 && seen->inode != 0 && seen->pid == 0 && seen->sought < SOUGHT &&
                 !seen->is_unknown;
    }
    return count;
}

/* Whether there is time to read all descriptors of all processes: so much of a core that may take. */
static bool has_time_to_ask(const struct watch *watch, int share, int64_t now_us)
{
    return watch_is_cheap(watch, watch->ask_took_us) ||
           now_us - watch->asked_us >= share * watch->ask_took_us;
}

/* Whether that is done at this look. */
static bool asks_for_all(struct watch *watch, bool detailed, int64_t now_us)
{
    bool has_news = watch_check_processes(watch) || watch->has_unknown || watch->vanished_count > 0;
    bool had_news = watch->had_news;
    int share = watch_is_cheap(watch, watch->full_took_us) ? ANEW_SHARE : ANEW_SHARE_BUSY;
    watch->had_news = has_news;
    if (watch->is_brief)
        return false;
    if (watch->wants_all || watch->looks == 1)
        return true;
    bool is_due = has_news || had_news || (detailed && now_us - watch->asked_us >= ANEW_US);
    return is_due && has_time_to_ask(watch, share, now_us);
}

static int find_owners(struct watch *watch, bool asks, int64_t now_us)
{
    int64_t began_us = cpu_us();
    watch->reads_limits = asks;
    int rc = asks ? watch_ask_for_owners(watch) : watch_follow_owners(watch, now_us);
    rc = rc == 0 ? watch_name_owners(watch, asks) : rc;
    rc = rc == 0 ? watch_read_ghosts(watch) : rc;
    rc = rc == 0 && watch->stray_count > 0 ? watch_name_owners(watch, false) : rc;
    if (asks) {
        watch->asked_us = now_us;
        watch->ask_took_us = cpu_us() - began_us;
    }
    return rc;
}

int watch_take(struct watch *watch, bool detailed, struct watch_look *look)
{
    int64_t before_us = monotonic_us(), cpu_before_us = cpu_us();
    if (watch->began_us == 0)
        watch->began_us = before_us;
    *look = (struct watch_look){.t_s = (double)(before_us - watch->began_us) / 1e6,
                                .idle_ms = watch->settings.idle_ms};
    int rc = see(watch, detailed, before_us);
    if (rc != 0)
        return rc;
    watch->looks++;
    rc = watch_recall(watch, before_us);
    int64_t see_us = cpu_us() - cpu_before_us;
    bool asks = rc == 0 && asks_for_all(watch, detailed, before_us);
    rc = rc == 0 ? find_owners(watch, asks, before_us) : rc;
    int64_t found_us = cpu_us();
    int64_t follow_us = asks ? 0 : found_us - cpu_before_us - see_us - watch->read_us;
    look->is_thorough = asks;
    watch->unfound = count_unfound(watch);
    watch->wants_all &= !asks;
    watch_find_groups(watch);
    rc = rc == 0 ? watch_find_services(watch, asks || (detailed && watch_is_cheap(watch, see_us))) : rc;
    rc = rc == 0 ? watch_remember(watch) : rc;
    rc = rc == 0 ? watch_count_ports_left(watch, look) : rc;
    if (detailed)
        watch->untimed = count_untimed(watch);
    if (!watch->is_brief && !watch_is_cheap(watch, see_us))
        rc = rc == 0 ? watch_gather_rest(watch) : rc;
    rc = rc == 0 ? fill_rows(watch, look, detailed, before_us) : rc;
    read_overflows(watch, look);
    if (!watch->is_brief) {
        watch->full_us = before_us;
        watch->full_took_us = see_us + follow_us + cpu_us() - found_us;
    }
    look->full_cpu_s = (double)watch->full_took_us / 1e6;
    watch->last_us = before_us;
    look->took_s = (double)(monotonic_us() - before_us) / 1e6;
    look->cpu_s = (double)(cpu_us() - cpu_before_us) / 1e6;
    watch->brief_cpu_s = watch->is_brief ? look->cpu_s : watch->brief_cpu_s;
    look->brief_cpu_s = watch_has_to_be_brief(watch, monotonic_us()) ? watch->brief_cpu_s : -1;
    return rc;
}
