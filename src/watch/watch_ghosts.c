/* Sockets that have left the tables while a process keeps their descriptors: after an RST of the peer, which
 * is how a CLOSE_WAIT ends that keep-alive asks after. A watch that saw them before knows whose they were;
 * else their own port tells, where it may be asked for. */
#include "base/array.h"
#include "kernel/descriptors.h"
#include "kernel/unlisted_sockets.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ATTEMPTS = 3 }; /* to read tables that change meanwhile */

int watch_carry_ghosts(struct watch *watch)
{
    int rc = 0;
    for (size_t i = 0; i < watch->ghost_count && rc == 0; i++)
        rc = watch_add_seen(watch, &watch->ghosts[i]);
    return rc;
}

/* ---- whose it was ---- */

/* Whether that process has a connection to the port that is watched. */
static bool is_client_of_port(const struct watch *watch, pid_t pid)
{
    for (size_t i = 0; i < watch->seen_count; i++)
        if (watch->seen[i].pid == pid && watch->seen[i].remote_port == watch->settings.port)
            return true;
    return false;
}

/* Whether it can be none of the port that is watched: its own is another one, and no client's. */
static bool is_of_other_port(const struct watch *watch, const struct place *place, pid_t pid, uint16_t port)
{
    const uint16_t wanted = watch->settings.port;
    if (wanted == 0 || port == 0 || port == wanted)
        return false;
    bool may_be_clients = port >= place->ephemeral_first && port <= place->ephemeral_last;
    return !may_be_clients || !is_client_of_port(watch, pid);
}

static int add_ghost(struct watch *watch, const struct stray_socket *stray, uint16_t port,
                     struct place *of_process)
{
    struct seen ghost = {.key = stray->inode,
                         .times = 1,
                         .inode = stray->inode,
                         .fd = stray->fd,
                         .state = STATE_GONE,
                         .pid = stray->pid,
                         .process = -1,
                         .group_at_rest = WATCH_GROUPS,
                         .rests_ms = -1,
                         .heard_ms = -1,
                         .fin_most_ms = -1};
    const struct known *known = watch_find_known(watch, stray->inode);
    struct place *known_place = known != NULL ? watch_place_with(watch, known->place) : NULL;
    ghost.place = known_place != NULL ? known_place : of_process;
    if (known != NULL) {
        ghost.remote = known->remote;
        ghost.local_port = known->local_port;
        ghost.remote_port = known->remote_port;
        ghost.groups_before = known->groups;
    } else if (is_of_other_port(watch, of_process, stray->pid, port)) {
        return 0;
    } else if (of_process->serves[port]) {
        ghost.local_port = port;
    }
    int rc = ARRAY_RESERVE(watch->ghosts, watch->ghost_room, watch->ghost_count + 1);
    if (rc == 0)
        watch->ghosts[watch->ghost_count++] = ghost;
    return rc;
}

/* ---- which strays are ghosts ---- */

/* The process whose strays are being looked at. */
struct stray_owner {
    pid_t pid;
    struct place *place; /* NULL: it holds nothing that was seen, or is in a network namespace that is not
                            watched: it may hold sockets of this one, and the others that it has are in tables
                            that are not read */
};

static struct place *place_of(const struct watch *watch, pid_t pid, struct stray_owner *last)
{
    if (pid == last->pid)
        return last->place;
    bool is_owner = watch->settings.pid == pid;
    for (int i = 0; i < watch->process_count && !is_owner; i++)
        is_owner = watch->processes[i].pid == pid;
    *last = (struct stray_owner){pid, is_owner ? watch_place_of_process(watch, pid) : NULL};
    return last->place;
}

static bool is_tcp(const struct stray_socket *stray)
{
    struct socket_protocol protocol;
    return descriptor_protocol(stray->pid, stray->fd, &protocol) > 0 &&
           (strcmp(protocol.name, "TCP") == 0 || strcmp(protocol.name, "TCPv6") == 0);
}

static int note_listed(void *context, const struct socket_entry *entry)
{
    int rc = entry->inode != 0 ? number_set_add(context, entry->inode) : 0;
    return rc < 0 ? rc : 0;
}

/* Where sockets may not be asked themselves the tables tell, read after the descriptors: what came meanwhile
 * is in them. */
static int read_listed(const struct watch *watch, struct number_set *listed)
{
    int rc = 0;
    for (size_t i = 0; i < watch->place_count && rc == 0; i++) {
        rc = -EINTR;
        for (int attempt = 0; attempt < ATTEMPTS && rc == -EINTR; attempt++)
            rc = watch_place_each(watch, watch->places[i], false, NULL, note_listed, listed);
    }
    return rc;
}

/* Takes the strays that are ghosts by their own word, and moves those that may not be asked to the front:
 * the tables tell of them. `listed`: in the tables, as far as those were read. Returns how many are left, or
 * a negative errno. */
static int64_t take_those_that_tell(struct watch *watch, const struct number_set *listed,
                                    struct number_set *taken)
{
    size_t left = 0;
    struct stray_owner last = {0, NULL};
    int rc = 0;
    for (size_t i = 0; i < watch->stray_count && rc == 0; i++) {
        const struct stray_socket stray = watch->strays[i];
        struct place *place = place_of(watch, stray.pid, &last);
        if (place == NULL || number_set_has(listed, stray.inode) || !is_tcp(&stray))
            continue;
        int added = number_set_add(taken, stray.inode);
        if (added <= 0) {
            rc = added;
            continue; /* a copy */
        }
        struct unlisted_past past = unlisted_socket_past(stray.pid, stray.fd, stray.inode);
        if (!past.is_known)
            watch->strays[left++] = stray;
        else if (!past.is_alive && !past.is_unused)
            rc = add_ghost(watch, &stray, past.port, place);
    }
    return rc < 0 ? rc : (int64_t)left;
}

static int take_those_unlisted(struct watch *watch, const struct number_set *listed, size_t count)
{
    struct stray_owner last = {0, NULL};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct place *place = place_of(watch, watch->strays[i].pid, &last);
        if (place != NULL && !number_set_has(listed, watch->strays[i].inode) && is_tcp(&watch->strays[i]))
            rc = add_ghost(watch, &watch->strays[i], 0, place);
    }
    return rc;
}

/* Where one port is watched a stray is likely of another: the tables are read first. */
static int take_ghosts(struct watch *watch, struct number_set *listed, struct number_set *taken)
{
    bool reads_first = watch->settings.port != 0 && watch->stray_count > 0;
    int rc = reads_first ? read_listed(watch, listed) : 0;
    int64_t left = rc == 0 ? take_those_that_tell(watch, listed, taken) : rc;
    if (left > 0 && !reads_first)
        rc = read_listed(watch, listed);
    if (rc != 0 || left < 0)
        return rc != 0 ? rc : (int)left;
    return take_those_unlisted(watch, listed, (size_t)left);
}

/* ---- a reading ---- */

/* What was carried over is the end of what was seen: those of it that a process still has are ghosts. */
static void keep_held(struct watch *watch)
{
    watch->ghost_count = 0;
    while (watch->seen_count > 0 && watch->seen[watch->seen_count - 1].state == STATE_GONE) {
        const struct seen *carried = &watch->seen[--watch->seen_count];
        if (carried->pid != 0)
            watch->ghosts[watch->ghost_count++] = *carried;
    }
}

int watch_read_ghosts(struct watch *watch)
{
    struct number_set listed = {0}, taken = {0};
    keep_held(watch);
    int rc = take_ghosts(watch, &listed, &taken);
    number_set_free(&listed);
    number_set_free(&taken);
    watch->ghosts_error = -rc;
    return rc == -ENOMEM ? rc : watch_carry_ghosts(watch);
}
