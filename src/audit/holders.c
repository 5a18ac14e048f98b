/* Who has the connections while they are open: a process that neither listens nor descends from one that does
 * (they were handed to it in a message) is of the server as well, and stock is taken of it from then on. */
#include "audit/audit_state.h"
#include "kernel/process.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIND_EVERY_US = 25000, /* until somebody has one of them */
    FIND_TRIES = 3,        /* one may be closed while it is looked for */
    ASKED_FOR = 16,        /* connections; a process that serves one serves more */
};

/* Server's ends that a process has, at most ASKED_FOR. */
static size_t collect(const struct audit *audit, uint64_t *inodes)
{
    size_t count = 0;
    for (int64_t i = audit->started - 1; i >= audit->round_first && count < ASKED_FOR; i--)
        if (audit->look.sights[i].server_seen && audit->look.sights[i].inode != 0)
            inodes[count++] = audit->look.sights[i].inode;
    return count;
}

static void add_holder(struct audit *audit, pid_t pid)
{
    if (!pid_is_among(pid, audit->holders, audit->holder_count) && audit->holder_count < AUDIT_HOLDERS_MAX)
        audit->holders[audit->holder_count++] = pid;
}

/* One that is gone by now was closed while it was looked for. */
static bool is_still_there(const struct audit *audit, uint64_t inode)
{
    for (int64_t i = audit->round_first; i < audit->started; i++)
        if (audit->look.sights[i].server_seen && audit->look.sights[i].inode == inode)
            return true;
    return false;
}

static bool is_any_hidden(struct audit *audit, const uint64_t *inodes, size_t count,
                          const struct socket_owners *owners)
{
    size_t unfound = 0;
    for (size_t i = 0; i < count; i++)
        unfound += socket_owner_of(owners, inodes[i]) == 0;
    if (unfound == 0 || socket_owners_refused(owners) == 0 || audit_take_look(audit) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (socket_owner_of(owners, inodes[i]) == 0 && is_still_there(audit, inodes[i]))
            return true;
    return false;
}

/* Returns whether each of them has been found with somebody, or a negative errno. */
static int find_strangers(struct audit *audit, const uint64_t *inodes, size_t count,
                          const struct server_processes *server)
{
    struct socket_owners *owners = socket_owners_new(inodes, count);
    if (owners == NULL)
        return -ENOMEM;
    for (int i = 0; i < server->count; i++)
        socket_owners_read_pid(owners, server->each[i]);
    int rc = socket_owners_read_others(owners, server->each, server->count);
    bool is_hidden = rc >= 0 && is_any_hidden(audit, inodes, count, owners);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        pid_t owner = socket_owner_of(owners, inodes[i]);
        if (owner != 0 && !pid_is_among(owner, server->each, server->count))
            add_holder(audit, owner);
    }
    socket_owners_free(owners);
    return rc < 0 ? rc : !is_hidden;
}

/* The connections of the round are not of before. */
static void leave_out_fronts(struct stock *stock)
{
    size_t kept = 0;
    for (size_t i = 0; i < stock->count; i++)
        if (!stock->each[i].is_front || stock->each[i].kind == STOCK_GHOST)
            stock->each[kept++] = stock->each[i];
    stock->count = kept;
}

/* What they hold now is what they held before. */
static int take_their_stock(struct audit *audit)
{
    struct server_processes holders = {.each = audit->holders, .count = audit->holder_count};
    struct stock stock;
    if (audit->holder_count == 0)
        return 0;
    int rc = stock_take(&holders, audit->witness, audit->settings->port, NULL, &stock);
    leave_out_fronts(&stock);
    if (rc == 0)
        rc = growth_add_to_first(&audit->growth, &stock);
    stock_free(&stock);
    return audit_is_not_for_us(rc) ? 0 : rc;
}

/* Returns 1 when they are known, 0 to look again, or a negative errno. */
static int find(struct audit *audit)
{
    uint64_t inodes[ASKED_FOR];
    struct server_processes server;
    size_t count = audit_take_look(audit) == 0 ? collect(audit, inodes) : 0;
    if (count == 0)
        return 0;
    int rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc != 0)
        return audit_is_not_for_us(rc) ? 1 : rc;
    rc = find_strangers(audit, inodes, count, &server);
    server_processes_free(&server);
    if (rc == 0 && ++audit->finds < FIND_TRIES)
        return 0;
    audit->result->has_unseen_holder = rc == 0;
    return rc < 0 || (rc = take_their_stock(audit)) < 0 ? rc : 1;
}

void audit_on_find(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    const int64_t *in_phase = audit_crowd(audit)->in_phase;
    int rc = in_phase[PROBE_TALKING] + in_phase[PROBE_ACTED] > 0 ? find(audit) : 0;
    if (rc < 0)
        audit_fail(audit, "the owners of the server's sockets could not be looked up", -rc);
    else if (rc == 0)
        audit_start_timer(audit, audit->finder, FIND_EVERY_US);
    audit->knows_holders = rc != 0;
}

void audit_start_to_find(struct audit *audit)
{
    bool is_wanted =
        !audit->knows_holders && audit->result->ghost_sight == GHOSTS_SEEN && !audit_is_unix(audit->settings);
    if (is_wanted)
        audit_start_timer(audit, audit->finder, FIND_EVERY_US);
}

/* With those that were there before: of the server, each once. */
int audit_add_holders(const struct audit *audit, struct server_processes *server)
{
    pid_t *all = reallocarray(server->each, (size_t)(server->count + audit->holder_count) + 1, sizeof *all);
    if (all == NULL)
        return -ENOMEM;
    server->each = all;
    for (int i = 0; i < audit->holder_count; i++)
        if (!pid_is_among(audit->holders[i], server->each, server->count))
            server->each[server->count++] = audit->holders[i];
    return 0;
}
