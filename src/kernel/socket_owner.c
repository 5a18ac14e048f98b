#include "kernel/socket_owner.h"

#include "base/number_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

struct socket_owners {
    struct number_set inodes;
    struct socket_owner *found; /* by the slots of the inodes */
    size_t unresolved;
    int refused;
    on_other_socket *on_other; /* NULL: nobody hears of them */
    void *context;
};

struct socket_owners *socket_owners_new(const uint64_t *inodes, size_t count)
{
    struct socket_owners *owners = calloc(1, sizeof *owners);
    if (owners == NULL || number_set_reserve(&owners->inodes, count) != 0 ||
        (owners->found = calloc(owners->inodes.slot_count, sizeof *owners->found)) == NULL) {
        socket_owners_free(owners);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (inodes[i] != 0)
            number_set_add(&owners->inodes, inodes[i]);
    owners->unresolved = owners->inodes.count;
    return owners;
}

void socket_owners_free(struct socket_owners *owners)
{
    if (owners == NULL)
        return;
    number_set_free(&owners->inodes);
    free(owners->found);
    free(owners);
}

struct socket_owner socket_owner_at(const struct socket_owners *owners, uint64_t inode)
{
    size_t slot = number_set_slot(&owners->inodes, inode);
    return slot != NO_SLOT ? owners->found[slot] : (struct socket_owner){.pid = 0};
}

pid_t socket_owner_of(const struct socket_owners *owners, uint64_t inode)
{
    return socket_owner_at(owners, inode).pid;
}

struct reading {
    struct socket_owners *owners;
    pid_t pid;
    int owned;
};

/* Ends the reading when no inode is left without an owner. */
static int own(void *context, int fd, uint64_t inode)
{
    struct reading *reading = context;
    struct socket_owners *owners = reading->owners;
    size_t slot = number_set_slot(&owners->inodes, inode);
    if (slot != NO_SLOT && owners->found[slot].pid == 0) {
        owners->found[slot] = (struct socket_owner){reading->pid, fd};
        owners->unresolved--;
        reading->owned++;
    }
    if (owners->on_other != NULL)
        return slot == NO_SLOT ? owners->on_other(owners->context, reading->pid, fd, inode) : 0;
    return owners->unresolved == 0;
}

void socket_owners_hear_others(struct socket_owners *owners, on_other_socket *on_other, void *context)
{
    owners->on_other = on_other;
    owners->context = context;
}

int socket_owners_read_pid(struct socket_owners *owners, pid_t pid)
{
    struct reading reading = {.owners = owners, .pid = pid};
    struct process_facts facts;
    int rc = process_each_socket(pid, own, &reading);
    if (rc == -EACCES && process_facts_of(pid, &facts) == -ESRCH) /* it ended meanwhile */
        return -ESRCH;
    return rc < 0 ? rc : reading.owned;
}

static int read_all_others(struct socket_owners *owners, DIR *proc, const pid_t *already, int already_count)
{
    const struct dirent *entry;
    int owned = 0;
    while (owners->unresolved > 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid_is_among(pid, already, already_count))
            continue;
        int rc = socket_owners_read_pid(owners, pid);
        if (rc < 0 && rc != -ESRCH && rc != -EACCES)
            return rc;
        owners->refused += rc == -EACCES;
        owned += rc > 0 ? rc : 0;
    }
    return owners->unresolved > 0 && errno != 0 ? -errno : owned;
}

int socket_owners_read_others(struct socket_owners *owners, const pid_t *already, int already_count)
{
    if (owners->unresolved == 0)
        return 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    int rc = read_all_others(owners, proc, already, already_count);
    closedir(proc);
    return rc;
}

int socket_owners_refused(const struct socket_owners *owners)
{
    return owners->refused;
}
