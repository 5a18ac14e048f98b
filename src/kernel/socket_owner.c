#include "kernel/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open addressing, linear probing. */
struct slot {
    uint64_t inode; /* 0: empty */
    pid_t pid;      /* 0: no owner yet */
};

struct socket_owners {
    size_t slot_count; /* a quarter more than inodes, so that one is always empty */
    size_t unresolved;
    int refused;
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
        return errno == ENOENT || errno == EINVAL ? 0 : -errno; /* closed; "." and ".." */
    target[length] = '\0';
    if (strncmp(target, prefix, sizeof prefix - 1) == 0)
        *inode = strtoull(target + sizeof prefix - 1, NULL, 10);
    return 0;
}

/* A process that is gone is missing from /proc; one that /proc hides (hidepid) is EPERM. */
static int process_error(int error)
{
    return error == ENOENT ? -ESRCH : error == EPERM ? -EACCES : -error;
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
    return owners->unresolved > 0 && errno != 0 ? process_error(errno) : owned;
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
    struct process_facts facts;
    return rc == -EACCES && process_facts_of(pid, &facts) == -ESRCH ? -ESRCH : rc;
}

bool pid_is_among(pid_t pid, const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
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

/* ---- processes ---- */

/* The words of /proc/PID/stat behind the name, which may hold spaces and brackets itself (man 5 proc). */
enum { STAT_STATE = 3, STAT_STARTED = 22 };

static const char *stat_word(const char *text, int which)
{
    const char *word = strrchr(text, ')');
    if (word == NULL)
        return "";
    for (int at = STAT_STATE - 1; at < which; at++) {
        word = strchr(word, ' ');
        if (word == NULL)
            return "";
        word++;
    }
    return word;
}

static int read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return process_error(errno);
    ssize_t length = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (length < 0)
        return process_error(error);
    text[length] = '\0';
    return 0;
}

int process_facts_of(pid_t pid, struct process_facts *facts)
{
    char path[32], text[1024];
    struct stat about;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int rc = read_text(path, text, sizeof text);
    if (rc != 0)
        return rc;
    char state = *stat_word(text, STAT_STATE);
    if (state == 'Z' || state == 'X' || state == '\0')
        return -ESRCH;
    facts->started = strtoull(stat_word(text, STAT_STARTED), NULL, 10);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    facts->descriptors = stat(path, &about) == 0 && about.st_size > 0 ? about.st_size : -1;
    return 0;
}

int process_shares_network(pid_t pid)
{
    char path[32];
    struct stat ours, its;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat("/proc/self/ns/net", &ours) != 0)
        return 0; /* a kernel without namespaces */
    if (stat(path, &its) != 0)
        return process_error(errno);
    return its.st_dev == ours.st_dev && its.st_ino == ours.st_ino ? 0 : -EXDEV;
}

/* Whatever the locale, and whether or not a char has a sign. */
static void make_visible(char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            *text = '_';
}

struct process_command process_command(pid_t pid)
{
    struct process_command command = {{0}};
    char path[32], text[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    if (read_text(path, text, sizeof text) != 0)
        return command;
    size_t length = strlen(text);
    text[length > 0 ? length - 1 : 0] = '\0'; /* the newline that the kernel puts at the end */
    snprintf(command.text, sizeof command.text, "%.*s", (int)sizeof command.text - 1, text);
    make_visible(command.text);
    return command;
}
