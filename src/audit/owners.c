#include "audit/owners.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/process.h"
#include "kernel/thread_calls.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A process that holds some of them. */
struct holder {
    pid_t pid, parent;
    bool listens;
    int64_t started_us;  /* on the clock of monotonic_us(); it may be TICK_US later */
    int64_t holds, ours; /* connections; and of those, such as were opened after it was started */
    int64_t later;       /* connections that were opened after it was started, held by whomever */
    enum audit_owner_role role;
};

/* Who holds what: a process and a connection. */
struct holding {
    size_t holder;
    int64_t connection;
};

enum { TICK_US = 10000 }; /* a tick of user space (USER_HZ): starts of processes are known to that */

struct search {
    struct audit_result *result;
    struct number_set inodes;
    int64_t *connection_of; /* by the slots of the inodes */
    struct holder *holders;
    size_t holder_count, holder_room;
    struct holding *holdings;
    size_t count, room;
    int64_t unresolved; /* inodes without a holder */
    bool some_are_hidden;
};

/* ---- who holds them ---- */

static int note_holding(void *context, int fd, uint64_t inode)
{
    (void)fd;
    struct search *search = context;
    size_t slot = number_set_slot(&search->inodes, inode);
    if (slot == NO_SLOT)
        return 0;
    struct audit_connection *connection = &search->result->connections[search->connection_of[slot]];
    const struct holder *holder = &search->holders[search->holder_count];
    search->unresolved -= connection->owner == 0;
    if (connection->owner == holder->pid)
        return 0; /* a copy */
    connection->owner = holder->pid;
    int rc = ARRAY_RESERVE(search->holdings, search->room, search->count + 1);
    if (rc == 0)
        search->holdings[search->count++] =
            (struct holding){search->holder_count, search->connection_of[slot]};
    return rc;
}

static int read_process(struct search *search, pid_t pid, bool listens)
{
    struct process_stat stat;
    int rc = ARRAY_RESERVE(search->holders, search->holder_room, search->holder_count + 1);
    if (rc != 0)
        return rc;
    rc = process_stat_of(pid, &stat);
    if (rc == 0) {
        search->holders[search->holder_count] = (struct holder){
            .pid = pid, .parent = stat.parent, .listens = listens, .started_us = process_started_us(&stat)};
        size_t before = search->count;
        rc = process_each_socket(pid, note_holding, search);
        search->holder_count += search->count > before;
    }
    search->some_are_hidden |= rc == -EACCES;
    return rc == -ESRCH || rc == -EACCES ? 0 : rc;
}

static int read_others(struct search *search, const struct server_processes *server)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && search->unresolved > 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && !pid_is_among(pid, server->each, server->count))
            rc = read_process(search, pid, false);
    }
    if (rc == 0 && search->unresolved > 0 && errno != 0)
        rc = -errno;
    closedir(proc);
    return rc;
}

static int read_holders(struct search *search, const struct server_processes *server)
{
    int rc = 0;
    for (int i = 0; i < server->count && rc == 0; i++)
        rc = read_process(search, server->each[i], i < server->listening || server->listening == 0);
    return rc == 0 && search->unresolved > 0 ? read_others(search, server) : rc;
}

static int prepare(struct search *search)
{
    struct audit_result *result = search->result;
    int rc = number_set_reserve(&search->inodes, (size_t)result->count + 1);
    if (rc == 0)
        search->connection_of = calloc(search->inodes.slot_count, sizeof *search->connection_of);
    if (search->connection_of == NULL)
        return -ENOMEM;
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        connection->owner = 0;
        connection->role = OWNER_UNKNOWN;
        if (connection->inode == 0 || number_set_add(&search->inodes, connection->inode) != 1)
            continue;
        search->connection_of[number_set_slot(&search->inodes, connection->inode)] = i;
        search->unresolved++;
    }
    return 0;
}

/* ---- how they came by them ---- */

static bool is_older(const struct holder *holder, const struct audit_connection *connection)
{
    return connection->begun_us > holder->started_us + TICK_US;
}

static void count_up(struct search *search)
{
    const struct audit_connection *connections = search->result->connections;
    for (size_t i = 0; i < search->count; i++) {
        struct holder *holder = &search->holders[search->holdings[i].holder];
        const struct audit_connection *connection = &connections[search->holdings[i].connection];
        holder->holds++;
        holder->ours += is_older(holder, connection);
    }
    for (size_t i = 0; i < search->holder_count; i++) {
        struct holder *holder = &search->holders[i];
        bool is_of_interest = holder->listens && holder->ours == 0;
        for (int64_t k = 0; is_of_interest && k < search->result->count; k++)
            holder->later += connections[k].connected_us > 0 && is_older(holder, &connections[k]);
    }
}

/* A worker that was started meanwhile takes what waits in the queue, and then what comes later, which it
 * waits for. One that has nothing of what came later, or waits for nothing of the kind, only inherited. */
static enum audit_owner_role role_of(const struct holder *holder)
{
    if (holder->ours > 0)
        return holder->listens ? OWNER_ACCEPTED : OWNER_GIVEN;
    if (holder->holds == 1)
        return OWNER_CHILD;
    bool is_worker = holder->listens && holder->later == 0 && process_may_serve(holder->pid) != 0;
    return is_worker ? OWNER_ACCEPTED : OWNER_HEIR;
}

/* The last helper that is started may have nothing to be told by: its siblings tell. */
static int tell_roles(struct search *search)
{
    struct number_set parents = {0}; /* of heirs */
    int rc = 0;
    for (size_t i = 0; i < search->holder_count && rc >= 0; i++) {
        struct holder *holder = &search->holders[i];
        holder->role = role_of(holder);
        if (holder->role == OWNER_HEIR && holder->parent > 1)
            rc = number_set_add(&parents, (uint64_t)holder->parent);
    }
    for (size_t i = 0; i < search->holder_count && rc >= 0; i++) {
        struct holder *holder = &search->holders[i];
        if (holder->ours == 0 && number_set_has(&parents, (uint64_t)holder->parent))
            holder->role = OWNER_HEIR;
    }
    number_set_free(&parents);
    return rc < 0 ? rc : 0;
}

/* Of several holders the one that accepted it comes first. */
static void choose_owners(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct holder *holder = &search->holders[search->holdings[i].holder];
        struct audit_connection *connection = &search->result->connections[search->holdings[i].connection];
        if (connection->role != OWNER_UNKNOWN && connection->role <= holder->role)
            continue;
        connection->owner = holder->pid;
        connection->role = holder->role;
    }
}

static void name_owners(struct audit_result *result)
{
    struct process_command command = {""};
    pid_t named = 0; /* whose name that is: most connections have the same owner */
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        if (connection->owner == 0)
            continue;
        if (connection->owner != named)
            command = process_command(connection->owner);
        named = connection->owner;
        memcpy(connection->command, command.text, sizeof connection->command);
    }
}

/* ---- those that nobody holds ---- */

/* Whether no process was passed over: none may not be looked into, and none is hidden (hidepid, man 5 proc).
 */
static bool saw_all(const struct search *search, const struct server_processes *server)
{
    struct process_stat stat;
    return !search->some_are_hidden && server->listening > 0 && process_stat_of(1, &stat) == 0;
}

static int note_still_there(void *context, const struct socket_entry *entry)
{
    struct search *search = context;
    size_t slot = number_set_slot(&search->inodes, entry->inode);
    if (slot == NO_SLOT)
        return 0;
    struct audit_connection *connection = &search->result->connections[search->connection_of[slot]];
    if (connection->owner == 0)
        connection->role = OWNER_NOBODY;
    return 0;
}

static void count_closed_calls(struct audit_result *result, const struct server_processes *server)
{
    for (int i = 0; i < server->count; i++) {
        int64_t calls = threads_in_closed_calls(server->each[i]);
        if (calls <= 0)
            continue;
        result->closed_calls += calls;
        result->caller = server->each[i];
    }
}

/* Neither a process has them nor a table: they were closed since they were last seen. (Unix sockets, which
 * have no port, are in other tables.) */
static void note_gone(struct audit_result *result)
{
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        if (connection->port != 0 && connection->inode != 0 && connection->owner == 0 &&
            connection->role == OWNER_UNKNOWN)
            connection->held_to_the_end = false;
    }
}

static int tell_nobodys(struct search *search, const struct server_processes *server,
                        const struct witness_backend *witness)
{
    if (search->unresolved == 0 || !saw_all(search, server))
        return 0;
    int rc = witness->each(AF_INET, NULL, note_still_there, search);
    if (rc == 0)
        rc = witness->each(AF_INET6, NULL, note_still_there, search);
    rc = rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 */
    if (rc != 0)
        return rc;
    note_gone(search->result);
    count_closed_calls(search->result, server);
    return 0;
}

int owners_find(const struct server_processes *server, const struct witness_backend *witness,
                struct audit_result *result)
{
    struct search search = {.result = result};
    int rc = prepare(&search);
    result->sees_every_pid = process_sees_every_pid();
    if (rc == 0 && search.unresolved > 0)
        rc = read_holders(&search, server);
    if (rc == 0) {
        count_up(&search);
        rc = tell_roles(&search);
    }
    if (rc == 0) {
        choose_owners(&search);
        name_owners(result);
        rc = tell_nobodys(&search, server, witness);
    }
    number_set_free(&search.inodes);
    free(search.connection_of);
    free(search.holders);
    free(search.holdings);
    return rc;
}
