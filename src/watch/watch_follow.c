/* Who holds what, where the descriptors of all processes would take too long to read: what is known is made
 * sure of, and what is new is looked for where it is likely to be. A process gives a new descriptor the
 * lowest number that is free: one that was closed since the last look, or the next one. */
#include "kernel/descriptors.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    CHECKS_MOST = 1000, /* owners to make sure of at a look: 2 us each */
    READ_SHARE = 500,   /* of a core that processes take which are read to their end, at most */
    KEPT_US = 60000000, /* for so long time that was not taken is kept */
    DESCRIPTOR_US = 5,
};

/* What is read of one process. */
struct following {
    struct watch *watch;
    pid_t pid;
    bool takes_strays; /* all sockets of the tables are known */
};

static int meet(void *context, int fd, uint64_t inode)
{
    const struct following *following = context;
    struct watch *watch = following->watch;
    struct known *known = watch_find_known(watch, inode);
    if (known == NULL || !watch_is_seen(watch, known))
        return following->takes_strays ? watch_note_stray(watch, following->pid, fd, inode) : 0;
    if (known->pid == 0)
        known->pid = following->pid;
    if (known->pid == following->pid) {
        known->fd = fd;
        known->met_look = watch->looks;
    }
    return 0;
}

/* One that has ended meanwhile, or may no longer be looked into, has nothing. */
static int read_from(struct watch *watch, pid_t pid, int first)
{
    struct following following = {watch, pid, !watch->is_brief};
    int rc = process_each_socket_from(pid, first, meet, &following);
    return rc == -ESRCH || rc == -EACCES ? 0 : rc;
}

/* ---- what is known ---- */

/* A socket of a state in which it is held against somebody. */
static bool is_held(const struct seen *seen)
{
    return seen->key != 0 && seen->inode != 0 && seen->state != STATE_LISTEN &&
           !state_set_has(STATES_AT_REST, (enum tcp_state)seen->state);
}

static void disown(const struct watch *watch, struct seen *seen)
{
    struct known *known = watch_find_known(watch, seen->key);
    if (known != NULL)
        known->pid = 0;
    seen->pid = 0;
    seen->fd = -1;
    seen->sought = 0;
}

static void make_sure(struct watch *watch)
{
    size_t count = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += is_held(&watch->seen[i]) && watch->seen[i].pid != 0;
    const size_t turns = count / CHECKS_MOST + 1;
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        if (!is_held(seen) || seen->pid == 0 || (seen->inode + watch->looks) % turns != 0)
            continue;
        if (descriptor_is_socket(seen->pid, seen->fd, seen->inode) != 1)
            disown(watch, seen);
    }
}

/* Its descriptor was closed, is that of another socket now, or is still that one: then it is a ghost. */
static int look_after_vanished(struct watch *watch)
{
    int rc = 0;
    for (size_t i = 0; i < watch->vanished_count && rc == 0; i++) {
        const struct vanished *vanished = &watch->vanished[i];
        struct descriptor descriptor;
        if (vanished->pid == 0 || descriptor_read(vanished->pid, vanished->fd, &descriptor) <= 0 ||
            descriptor.kind != DESCRIPTOR_SOCKET)
            continue;
        struct following following = {watch, vanished->pid,
                                      !watch->is_brief || descriptor.inode == vanished->inode};
        rc = meet(&following, vanished->fd, descriptor.inode);
    }
    return rc;
}

/* ---- whole processes ---- */

static int64_t cpu_us(void)
{
    return (int64_t)clock() * 1000000 / CLOCKS_PER_SEC;
}

/* Reads it to its end, where there is still time for that. */
static int read_whole(struct watch *watch, struct process *process)
{
    int64_t needed_us = process->facts.descriptors * DESCRIPTOR_US;
    if (process->has_ended || process->read_look == watch->looks || needed_us > watch->read_left_us)
        return 0;
    int64_t began_us = cpu_us();
    int rc = read_from(watch, process->pid, 0);
    int64_t took_us = cpu_us() - began_us;
    watch->read_left_us -= took_us;
    watch->read_us += took_us;
    process->is_changed = process->facts.descriptors < 0;
    process->read_look = watch->looks;
    return rc;
}

/* Those whose number of descriptors has changed: something may have left the tables, or been passed on,
 * between two looks. */
static int read_changed(struct watch *watch)
{
    int rc = 0;
    for (int i = 0; i < watch->process_count && rc == 0; i++)
        if (watch->processes[i].is_changed)
            rc = read_whole(watch, &watch->processes[i]);
    return rc;
}

/* What they were known to hold, and was not met in them, is somebody else's. */
static void disown_unmet(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        int place =
            seen->key != 0 && seen->inode != 0 && seen->pid != 0 ? watch_process_with(watch, seen->pid) : -1;
        if (place < 0 || watch->processes[place].read_look != watch->looks)
            continue;
        const struct known *known = watch_find_known(watch, seen->key);
        if (known != NULL && known->met_look != watch->looks)
            disown(watch, seen);
    }
}

/* ---- what is new ---- */

static bool has_to_be_found(const struct watch *watch, const struct seen *seen)
{
    if (seen->key == 0 || seen->inode == 0 || seen->pid != 0 || seen->sought == SOUGHT)
        return false;
    const struct known *known = watch_find_known(watch, seen->key);
    return known == NULL || known->pid == 0;
}

static bool is_any_to_be_found(const struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++)
        if (has_to_be_found(watch, &watch->seen[i]))
            return true;
    return false;
}

/* Ports of sockets that have to be found. */
struct wanted_ports {
    bool local[WATCH_PORTS_COUNT], remote[WATCH_PORTS_COUNT];
    int count;
};

static void note_wanted(const struct watch *watch, struct wanted_ports *ports)
{
    ports->count = 0;
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        if (!has_to_be_found(watch, seen))
            continue;
        ports->local[seen->local_port] = seen->local_port != 0;
        ports->remote[seen->remote_port] = seen->remote_port != 0;
        ports->count++;
    }
}

/* Who has others of the same port. */
static void pick_likely(struct watch *watch, const struct wanted_ports *ports)
{
    pid_t last = 0;
    int place = -1;
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        if (seen->pid == 0 || (!ports->local[seen->local_port] && !ports->remote[seen->remote_port]))
            continue;
        place = seen->pid == last ? place : watch_process_with(watch, seen->pid);
        last = seen->pid;
        if (place >= 0)
            watch->processes[place].is_asked = true;
    }
}

/* First what comes after the descriptors that are known, and then all. */
static int ask_likely(struct watch *watch, struct wanted_ports *ports)
{
    int rc = 0;
    note_wanted(watch, ports);
    pick_likely(watch, ports);
    for (int i = 0; i < watch->process_count && rc == 0; i++)
        if (watch->processes[i].is_asked && watch->processes[i].read_look != watch->looks)
            rc = read_from(watch, watch->processes[i].pid, watch->processes[i].fd_most + 1);
    note_wanted(watch, ports);
    for (int i = 0; i < watch->process_count && rc == 0 && ports->count > 0; i++)
        if (watch->processes[i].is_asked)
            rc = read_whole(watch, &watch->processes[i]);
    return rc;
}

/* ---- all of it ---- */

static void name_found(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        const struct known *known =
            seen->key != 0 && seen->inode != 0 && seen->pid == 0 ? watch_find_known(watch, seen->key) : NULL;
        if (known == NULL || known->pid == 0)
            continue;
        seen->pid = known->pid;
        seen->fd = known->fd;
        seen->sought = 0;
    }
}

static void allow_time(struct watch *watch, int64_t now_us)
{
    const int64_t most_us = KEPT_US / READ_SHARE;
    watch->read_left_us += watch->last_us != 0 ? (now_us - watch->last_us) / READ_SHARE : 0;
    watch->read_left_us = watch->read_left_us < most_us ? watch->read_left_us : most_us;
}

int watch_follow_owners(struct watch *watch, int64_t now_us)
{
    watch->stray_count = 0;
    watch->read_us = 0;
    allow_time(watch, now_us);
    make_sure(watch);
    int rc = look_after_vanished(watch);
    if (rc == 0 && !watch->is_brief) {
        rc = read_changed(watch);
        disown_unmet(watch);
    }
    if (rc == 0 && is_any_to_be_found(watch)) {
        struct wanted_ports *ports = calloc(1, sizeof *ports);
        rc = ports != NULL ? ask_likely(watch, ports) : -ENOMEM;
        free(ports);
    }
    name_found(watch);
    return rc;
}
