#include "audit/client_traces.h"

#include "base/clock.h"
#include "kernel/process.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_SHARE = 20 }; /* one part of so many of the time */

struct audit_sight client_sight_of(const struct link_sight *sight)
{
    return (struct audit_sight){.own_seen = sight->own_seen,
                                .own_state = sight->own_state,
                                .server_seen = sight->seen,
                                .server_state = sight->state,
                                .unread = sight->unread,
                                .fin_with_data = sight->fin_with_data,
                                .inode = sight->inode};
}

static void note_owner(struct client_traces *traces, struct client_trace *trace, pid_t owner)
{
    trace->owner = owner;
    memcpy(trace->command, process_command(owner).text, sizeof trace->command);
    if (!pid_is_among(owner, traces->owners, traces->owner_count) && traces->owner_count < CLIENT_OWNERS_MAX)
        traces->owners[traces->owner_count++] = owner;
}

struct owner_search {
    struct socket_owners *owners;
    int64_t missing; /* inodes */
};

static int read_one(void *context, pid_t pid)
{
    struct owner_search *search = context;
    int found = socket_owners_read_pid(search->owners, pid);
    search->missing -= found > 0 ? found : 0;
    return search->missing == 0;
}

/* To look into every process of a machine takes a while. Where the client is a command of ours it is seldom
 * another process, and one that has closed already is found nowhere. */
static bool may_look_everywhere(const struct client_traces *traces, int64_t now_us)
{
    return traces->ancestor == 0 || now_us - traces->looked_us > LOOK_SHARE * traces->look_took_us;
}

static int look_everywhere(struct client_traces *traces, struct owner_search *search)
{
    int64_t before_us = monotonic_us();
    int rc = socket_owners_read_others(search->owners, traces->owners, traces->owner_count);
    traces->looked_us = monotonic_us();
    traces->look_took_us = traces->looked_us - before_us;
    return rc;
}

static int search_owners(struct client_traces *traces, struct owner_search *search)
{
    for (int i = 0; i < traces->owner_count && search->missing > 0; i++)
        read_one(search, traces->owners[i]);
    if (search->missing > 0 && traces->ancestor != 0)
        process_each_descendant(traces->ancestor, read_one, search);
    return search->missing > 0 && may_look_everywhere(traces, monotonic_us())
               ? look_everywhere(traces, search)
               : 0;
}

static int find_owners(struct client_traces *traces, const uint64_t *inodes, size_t wanted, int64_t count)
{
    struct owner_search search = {.owners = socket_owners_new(inodes, wanted), .missing = (int64_t)wanted};
    if (search.owners == NULL)
        return -ENOMEM;
    int rc = search_owners(traces, &search);
    traces->is_hidden |= socket_owners_refused(search.owners) > 0;
    for (int64_t i = 0; i < count; i++) {
        struct client_trace *trace = &traces->each[i];
        bool is_new = trace->owner == 0 && trace->inode != 0;
        pid_t owner = is_new ? socket_owner_of(search.owners, trace->inode) : 0;
        if (owner != 0)
            note_owner(traces, trace, owner);
    }
    socket_owners_free(search.owners);
    return rc < 0 ? rc : 0;
}

int client_traces_take(struct client_traces *traces, const struct link_sight *sights, int64_t count)
{
    uint64_t *inodes = calloc((size_t)count + 1, sizeof *inodes);
    size_t wanted = 0;
    if (inodes == NULL)
        return -ENOMEM;
    for (int64_t i = 0; i < count; i++)
        if (traces->each[i].inode == 0 && sights[i].seen && sights[i].inode != 0)
            inodes[wanted++] = traces->each[i].inode = sights[i].inode;
    int rc = wanted > 0 ? find_owners(traces, inodes, wanted, count) : 0;
    free(inodes);
    return rc;
}

static bool may_be_ghost(const struct client_trace *trace, const struct link_sight *sight)
{
    bool is_listed = sight->seen && sight->inode != 0;
    return trace->inode != 0 && !trace->is_gone && !is_listed;
}

static void note_reading(struct client_trace *trace, bool is_unlisted)
{
    trace->is_ghost = trace->is_unlisted && is_unlisted;
    trace->is_unlisted = is_unlisted;
    trace->is_gone = !is_unlisted && trace->owner != 0;
}

static bool is_alive(pid_t pid)
{
    struct process_stat stat;
    int rc = process_stat_of(pid, &stat);
    return rc == -EACCES || (rc == 0 && !process_has_ended(&stat));
}

static void drop_ended(struct client_traces *traces, int64_t count)
{
    for (int k = traces->owner_count - 1; k >= 0; k--) {
        pid_t owner = traces->owners[k];
        if (is_alive(owner))
            continue;
        for (int64_t i = 0; i < count; i++)
            traces->each[i].has_ended |= traces->each[i].owner == owner;
        traces->owners[k] = traces->owners[--traces->owner_count];
    }
}

static bool is_any_wanted(const struct client_traces *traces, const struct link_sight *sights, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (may_be_ghost(&traces->each[i], &sights[i]))
            return true;
    return false;
}

int client_traces_read(struct client_traces *traces, const struct link_sight *sights, int64_t count)
{
    struct unlisted_sockets unlisted = {.count = 0};
    bool is_wanted = traces->owner_count > 0 && is_any_wanted(traces, sights, count);
    int rc = is_wanted ? unlisted_sockets_read(traces->owners, traces->owner_count, &unlisted) : 0;
    drop_ended(traces, count); /* after the reading: who is there now was there then */
    traces->is_hidden |= rc == -EACCES || rc == -EPERM;
    for (int64_t i = 0; is_wanted && rc == 0 && i < count; i++)
        if (may_be_ghost(&traces->each[i], &sights[i]) && !traces->each[i].has_ended)
            note_reading(&traces->each[i], unlisted_sockets_have(&unlisted, traces->each[i].inode));
    unlisted_sockets_free(&unlisted);
    return rc == -ESRCH || rc == -EACCES || rc == -EPERM ? 0 : rc;
}
