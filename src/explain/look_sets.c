#include "explain/look.h"

#include "base/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { SAMPLE_SIZE = 20 }; /* of a large set: each asks it to be searched from end to end */

/* ---- which there are ---- */

/* An epoll set's fdinfo has a device as the kernel has it: 12 bits for the major, 20 for the minor number. */
static uint32_t device_of_sockets(void)
{
    struct stat of_socket;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint32_t device = 0;
    if (fd >= 0 && fstat(fd, &of_socket) == 0)
        device = (uint32_t)major(of_socket.st_dev) << 20 | (uint32_t)minor(of_socket.st_dev);
    if (fd >= 0)
        close(fd);
    return device;
}

int look_find_sets(struct look *look)
{
    look->socket_device = device_of_sockets();
    int rc = 0;
    for (size_t i = 0; i < look->process_count && rc == 0; i++)
        for (size_t k = 0; k < look->processes[i].descriptor_count && rc == 0; k++) {
            const struct descriptor *descriptor = &look->processes[i].descriptors[k];
            if (descriptor->kind != DESCRIPTOR_EPOLL)
                continue;
            rc = ARRAY_RESERVE(look->sets, look->set_room, look->set_count + 1);
            if (rc == 0)
                look->sets[look->set_count++] =
                    (struct epoll_set){.process = (int)i, .fd = descriptor->fd, .same_as = -1, .thread = -1};
        }
    return rc;
}

/* ---- what is in them ---- */

struct set_reading {
    struct look *look;
    int set;
};

/* A set keeps a file that its process has closed as long as anybody has it open (man 7 epoll). What was
 * opened after the descriptors were read is none of that. */
static bool is_stale(const struct look *look, int process, int fd, uint64_t inode)
{
    char path[64], target[48];
    struct descriptor now;
    if (look_holds(look, process, inode))
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)look->processes[process].pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return errno == ENOENT;
    target[length] = '\0';
    descriptor_parse(target, &now);
    return now.inode != inode;
}

static int add_membership(struct look *look, const struct membership *membership)
{
    int rc = ARRAY_RESERVE(look->memberships, look->membership_room, look->membership_count + 1);
    if (rc == 0)
        look->memberships[look->membership_count++] = *membership;
    return rc;
}

static int take_entry(void *context, const struct epoll_entry *entry)
{
    const struct set_reading *reading = context;
    struct look *look = reading->look;
    int process = look->sets[reading->set].process;
    struct membership membership = {
        .fd = entry->fd, .events = entry->events, .set = reading->set, .is_mask_known = true};
    bool is_told = entry->inode != 0 || entry->device != 0;
    if (is_told && entry->device == look->socket_device)
        membership.inode = entry->inode;
    const struct descriptor *descriptor = is_told ? NULL : look_descriptor(look, process, entry->fd);
    if (descriptor != NULL && descriptor->kind == DESCRIPTOR_SOCKET)
        membership.inode = descriptor->inode;
    if (membership.inode != 0 && is_stale(look, process, entry->fd, membership.inode)) {
        look->processes[process].stale_epoll++;
        return 0;
    }
    return add_membership(look, &membership);
}

/* Of the sockets that are in CLOSE_WAIT, as many as are asked for, evenly. A listener is asked for always. */
static int sample_set(struct look *look, int set)
{
    const struct epoll_set *of = &look->sets[set];
    const struct look_process *process = &look->processes[of->process];
    struct number_set waiting = {0};
    int rc = 0;
    for (size_t i = 0; i < look->earlier_count && rc >= 0; i++)
        if (look->earlier[i].state == STATE_CLOSE_WAIT && look->earlier[i].inode != 0 &&
            look_holds(look, of->process, look->earlier[i].inode))
            rc = number_set_add(&waiting, look->earlier[i].inode);
    size_t step = waiting.count / SAMPLE_SIZE + 1, seen = 0;
    for (size_t i = 0; i < process->descriptor_count && rc >= 0; i++) {
        const struct descriptor *descriptor = &process->descriptors[i];
        bool is_listener = look_is_listener(look, descriptor->inode);
        bool is_waiting = number_set_has(&waiting, descriptor->inode) && seen++ % step == 0;
        if (descriptor->kind != DESCRIPTOR_SOCKET || (!is_listener && !is_waiting))
            continue;
        rc = epoll_set_has(process->pid, of->fd, descriptor->fd);
        if (rc == 1)
            rc = add_membership(
                look, &(struct membership){.inode = descriptor->inode, .fd = descriptor->fd, .set = set});
    }
    number_set_free(&waiting);
    return rc < 0 ? rc : 0;
}

static void set_is_unread(struct look *look, int set, enum fact_unseen what, int error)
{
    struct look_process *process = &look->processes[look->sets[set].process];
    process->unseen[what] = error;
    process->is_blind_to_sets = true;
    look->sets[set].is_unread = true;
}

static int read_set(struct look *look, int set)
{
    const struct epoll_set *of = &look->sets[set];
    const struct look_process *process = &look->processes[of->process];
    struct set_reading reading = {look, set};
    size_t before = look->membership_count;
    bool is_large = (int64_t)process->descriptor_count > look->request->max_epoll;
    int rc = is_large ? sample_set(look, set) : epoll_set_read(process->pid, of->fd, take_entry, &reading);
    if (is_large)
        set_is_unread(look, set, UNSEEN_LARGE_EPOLL, E2BIG);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0) {
        look->membership_count = before;
        set_is_unread(look, set, UNSEEN_EPOLL, -rc);
    }
    return 0;
}

/* The set before it that it is: children have it by the same number. -1: none. */
static int same_set(const struct look *look, int set)
{
    const struct epoll_set *one = &look->sets[set];
    for (int i = 0; i < set; i++) {
        const struct epoll_set *other = &look->sets[i];
        if (other->fd == one->fd && other->same_as < 0 && other->process != one->process &&
            epoll_set_is_same(look->processes[other->process].pid, other->fd,
                              look->processes[one->process].pid, one->fd) == 1)
            return i;
    }
    return -1;
}

static int by_inode(const void *a, const void *b)
{
    const struct membership *one = a, *other = b;
    if (one->inode != other->inode)
        return one->inode > other->inode ? 1 : -1;
    return one->set - other->set;
}

int look_sets(struct look *look)
{
    int rc = 0;
    for (size_t i = 0; i < look->set_count && rc == 0; i++) {
        look->sets[i].same_as = same_set(look, (int)i);
        if (look->sets[i].same_as < 0)
            rc = read_set(look, (int)i);
        else if (look->sets[look->sets[i].same_as].is_unread)
            look->processes[look->sets[i].process].is_blind_to_sets = true;
        if (rc == 0 && look_is_stopped(look))
            rc = -EINTR;
    }
    if (rc == 0 && look->membership_count > 0)
        qsort(look->memberships, look->membership_count, sizeof *look->memberships, by_inode);
    return rc;
}

/* ---- sets in sets ---- */

int look_nested_set(const struct look *look, const struct membership *member)
{
    if (member->inode != 0)
        return -1;
    for (size_t i = 0; i < look->set_count; i++)
        if (look->sets[i].process == look->sets[member->set].process && look->sets[i].fd == member->fd)
            return (int)i;
    return -1;
}

/* Whoever waits on a set that is another one waits on that. */
static void share_rest(struct look *look)
{
    for (size_t i = 0; i < look->set_count; i++) {
        const struct epoll_set *set = &look->sets[i];
        if (set->same_as < 0 || !set->at_rest || look->sets[set->same_as].at_rest)
            continue;
        look->sets[set->same_as].at_rest = true;
        look->sets[set->same_as].thread = set->thread;
    }
}

static void share_hears(struct look *look)
{
    for (size_t i = 0; i < look->set_count; i++)
        if (look->sets[i].same_as >= 0)
            look->sets[i].hears = look->sets[look->sets[i].same_as].hears;
}

/* The kernel allows five levels (EP_MAX_NESTS). What is no socket comes first. */
void look_nest_sets(struct look *look)
{
    enum { LEVELS = 5 };
    share_rest(look);
    for (int level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < look->membership_count && look->memberships[i].inode == 0; i++) {
            int inner = look_nested_set(look, &look->memberships[i]);
            struct epoll_set *outer = &look->sets[look->memberships[i].set];
            if (inner < 0)
                continue;
            if (outer->at_rest && !look->sets[inner].at_rest) {
                look->sets[inner].at_rest = true;
                look->sets[inner].thread = outer->thread;
            }
            outer->hears |= look->sets[inner].hears;
        }
    share_hears(look);
}
