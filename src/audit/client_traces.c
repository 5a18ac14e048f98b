#include "audit/client_traces.h"

#include "kernel/process.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct audit_sight client_sight_of(const struct link_sight *sight)
{
    return (struct audit_sight){.own_seen = sight->own_seen,
                                .own_state = sight->own_state,
                                .server_seen = sight->seen,
                                .server_state = sight->state,
                                .unread = sight->unread,
                                .inode = sight->inode};
}

static void note_owner(struct client_traces *traces, struct client_trace *trace, pid_t owner)
{
    trace->owner = owner;
    memcpy(trace->command, process_command(owner).text, sizeof trace->command);
    if (!pid_is_among(owner, traces->owners, traces->owner_count) && traces->owner_count < CLIENT_OWNERS_MAX)
        traces->owners[traces->owner_count++] = owner;
}

static int find_owners(struct client_traces *traces, const uint64_t *inodes, size_t wanted, int64_t count)
{
    struct socket_owners *owners = socket_owners_new(inodes, wanted);
    if (owners == NULL)
        return -ENOMEM;
    for (int i = 0; i < traces->owner_count; i++)
        socket_owners_read_pid(owners, traces->owners[i]);
    int rc = socket_owners_read_others(owners, traces->owners, traces->owner_count);
    traces->is_hidden |= socket_owners_refused(owners) > 0;
    for (int64_t i = 0; i < count; i++) {
        struct client_trace *trace = &traces->each[i];
        pid_t owner = trace->owner == 0 && trace->inode != 0 ? socket_owner_of(owners, trace->inode) : 0;
        if (owner != 0)
            note_owner(traces, trace, owner);
    }
    socket_owners_free(owners);
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

static void note_unlisted(struct client_trace *trace, bool is_unlisted)
{
    trace->is_ghost = trace->is_unlisted && is_unlisted;
    trace->is_unlisted = is_unlisted;
}

int client_traces_read_ghosts(struct client_traces *traces, const struct link_sight *sights, int64_t count)
{
    struct unlisted_sockets unlisted = {.count = 0};
    bool is_wanted = false;
    for (int64_t i = 0; i < count; i++)
        is_wanted |= traces->each[i].inode != 0 && !link_sight_is_held(&sights[i]);
    int rc = is_wanted && traces->owner_count > 0
                 ? unlisted_sockets_read(traces->owners, traces->owner_count, &unlisted)
                 : 0;
    traces->is_hidden |= rc == -EACCES || rc == -EPERM;
    for (int64_t i = 0; rc == 0 && i < count; i++)
        note_unlisted(&traces->each[i], traces->each[i].inode != 0 && !link_sight_is_held(&sights[i]) &&
                                            unlisted_sockets_have(&unlisted, traces->each[i].inode));
    unlisted_sockets_free(&unlisted);
    return rc == -ESRCH || rc == -EACCES || rc == -EPERM ? 0 : rc;
}
