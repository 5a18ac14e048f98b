/* Sockets that have left the tables while a process keeps their descriptors: after an RST of the peer, which
 * is how a CLOSE_WAIT ends that keep-alive asks after. A watch that saw them before knows whose they were;
 * else their own port tells, where it may be asked for. */
#include "base/array.h"
#include "kernel/unlisted_sockets.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>

int watch_carry_ghosts(struct watch *watch)
{
    int rc = 0;
    for (size_t i = 0; i < watch->ghost_count && rc == 0; i++)
        rc = watch_add_seen(watch, &watch->ghosts[i]);
    return rc;
}

/* Whether that process has a connection to the port that is watched. */
static bool is_client_of_port(const struct watch *watch, pid_t pid)
{
    for (size_t i = 0; i < watch->seen_count; i++)
        if (watch->seen[i].pid == pid && watch->seen[i].remote_port == watch->settings.port)
            return true;
    return false;
}

/* Whether it can be none of the port that is watched: its own is another one, and no client's. */
static bool is_of_other_port(const struct watch *watch, const struct unlisted_socket *socket)
{
    const uint16_t wanted = watch->settings.port;
    if (wanted == 0 || socket->port == 0 || socket->port == wanted)
        return false;
    bool may_be_clients = socket->port >= watch->ephemeral_first && socket->port <= watch->ephemeral_last;
    return !may_be_clients || !is_client_of_port(watch, socket->pid);
}

static struct seen ghost_of(const struct watch *watch, const struct unlisted_socket *socket)
{
    struct seen ghost = {.key = socket->inode,
                         .inode = socket->inode,
                         .state = STATE_GONE,
                         .pid = socket->pid,
                         .process = -1,
                         .heard_ms = -1,
                         .fin_most_ms = -1};
    const struct known *known = watch_find_known(watch, socket->inode);
    if (known != NULL) {
        ghost.remote = known->remote;
        ghost.local_port = known->local_port;
        ghost.remote_port = known->remote_port;
    } else if (watch->serves[socket->port]) {
        ghost.local_port = socket->port;
    }
    return ghost;
}

static int take_ghosts(struct watch *watch, const struct unlisted_sockets *found)
{
    int rc = 0;
    watch->ghost_count = 0;
    for (size_t i = 0; i < found->count && rc == 0; i++) {
        const struct unlisted_socket *socket = &found->each[i];
        if (watch_find_known(watch, socket->inode) == NULL && is_of_other_port(watch, socket))
            continue;
        rc = ARRAY_RESERVE(watch->ghosts, watch->ghost_room, watch->ghost_count + 1);
        if (rc == 0)
            watch->ghosts[watch->ghost_count++] = ghost_of(watch, socket);
    }
    return rc;
}

/* A process of another network namespace may hold sockets of this one: all others that it has are in tables
 * that are not read. */
static int read_unlisted(const struct watch *watch, struct unlisted_sockets *found)
{
    pid_t *pids = calloc((size_t)watch->process_count + 1, sizeof *pids);
    int count = 0;
    *found = (struct unlisted_sockets){0};
    if (pids == NULL)
        return -ENOMEM;
    if (watch->settings.pid != 0)
        pids[count++] = watch->settings.pid;
    for (int i = 0; i < watch->process_count && watch->settings.pid == 0; i++)
        if (process_shares_network(watch->processes[i].pid) == 0)
            pids[count++] = watch->processes[i].pid;
    int rc = count > 0 ? unlisted_sockets_read(pids, count, found) : 0;
    free(pids);
    return rc == -ESRCH ? 0 : rc;
}

/* What was carried over is let go: it is the end of what was seen. */
static void drop_ghosts(struct watch *watch)
{
    while (watch->seen_count > 0 && watch->seen[watch->seen_count - 1].state == STATE_GONE)
        watch->seen_count--;
}

int watch_read_ghosts(struct watch *watch)
{
    struct unlisted_sockets found;
    int rc = read_unlisted(watch, &found);
    watch->ghosts_error = -rc;
    if (rc == -ENOMEM)
        return rc;
    if (rc != 0)
        return 0;
    rc = take_ghosts(watch, &found);
    unlisted_sockets_free(&found);
    drop_ghosts(watch);
    return rc == 0 ? watch_carry_ghosts(watch) : rc;
}
