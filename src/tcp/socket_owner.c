#include "tcp/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Open addressing, linear probing. */
struct slot {
    uint64_t inode; /* 0: empty */
    pid_t pid;      /* 0: no owner yet */
};

struct socket_owners {
    size_t slot_count; /* a quarter more than inodes, so that one is always empty */
    size_t unresolved;
    struct slot slots[];
};

/* The slot of that inode, or the empty one where it belongs. Inodes are handed out one after the other: the
 * multiplication (Fibonacci hashing) spreads them evenly. */
static size_t slot_of(const struct socket_owners *owners, uint64_t inode)
{
    uint64_t hash = (inode * 0x9e3779b97f4a7c15U) >> 32;
    size_t i = (size_t)(hash * owners->slot_count >> 32);
    while (owners->slots[i].inode != 0 && owners->slots[i].inode != inode)
        i = i + 1 < owners->slot_count ? i + 1 : 0;
    return i;
}

struct socket_owners *socket_owners_new(const uint64_t *inodes, size_t count)
{
    size_t slot_count = count + count / 4 + 1;
    struct socket_owners *owners = calloc(1, sizeof *owners + slot_count * sizeof owners->slots[0]);
    if (owners == NULL)
        return NULL;
    owners->slot_count = slot_count;
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = &owners->slots[slot_of(owners, inodes[i])];
        if (slot->inode != inodes[i])
            owners->unresolved++;
        slot->inode = inodes[i];
    }
    return owners;
}

void socket_owners_free(struct socket_owners *owners)
{
    free(owners);
}

pid_t socket_owner_of(const struct socket_owners *owners, uint64_t inode)
{
    return owners->slots[slot_of(owners, inode)].pid;
}

/* Returns 1 when the process became the owner, else 0. */
static int own(struct socket_owners *owners, uint64_t inode, pid_t pid)
{
    struct slot *slot = &owners->slots[slot_of(owners, inode)];
    if (slot->inode == 0 || slot->pid != 0)
        return 0;
    slot->pid = pid;
    owners->unresolved--;
    return 1;
}

int socket_inode_of(int directory, const char *name, uint64_t *inode)
{
    static const char prefix[] = "socket:[";
    char target[48];
    *inode = 0;
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    if (length < 0)
        return errno == EACCES ? -EACCES : 0;
    target[length] = '\0';
    if (strncmp(target, prefix, sizeof prefix - 1) == 0)
        *inode = strtoull(target + sizeof prefix - 1, NULL, 10);
    return 0;
}

/* A process that is gone is missing from /proc. */
static int process_error(int error)
{
    return error == ENOENT ? -ESRCH : -error;
}

static int read_descriptors(struct socket_owners *owners, pid_t pid, DIR *directory)
{
    const struct dirent *entry;
    int owned = 0;
    while (owners->unresolved > 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        uint64_t inode;
        int rc = socket_inode_of(dirfd(directory), entry->d_name, &inode);
        if (rc != 0)
            return rc;
        if (inode != 0)
            owned += own(owners, inode, pid);
    }
    return owned > 0 || owners->unresolved == 0 ? owned : process_error(errno);
}

int socket_owners_read_pid(struct socket_owners *owners, pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return process_error(errno);
    int rc = read_descriptors(owners, pid, directory);
    closedir(directory);
    return rc;
}

bool pid_is_among(pid_t pid, const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

int socket_owners_read_others(struct socket_owners *owners, const pid_t *already, int already_count)
{
    if (owners->unresolved == 0)
        return 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int owned = 0;
    while (owners->unresolved > 0 && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid_is_among(pid, already, already_count))
            continue;
        int rc = socket_owners_read_pid(owners, pid);
        owned += rc > 0 ? rc : 0;
    }
    closedir(proc);
    return owned;
}

/* As the kernel gives it, without the newline at its end. */
static void read_command(pid_t pid, struct process_command *command)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char text[sizeof command->text];
    ssize_t length = read(fd, text, sizeof text);
    close(fd);
    if (length > 0)
        memcpy(command->text, text, (size_t)length - 1);
}

struct process_command process_command(pid_t pid)
{
    struct process_command command = {{0}};
    read_command(pid, &command);
    for (char *p = command.text; *p != '\0'; p++)
        if (!isascii((unsigned char)*p) || !isgraph((unsigned char)*p))
            *p = '_';
    return command;
}
