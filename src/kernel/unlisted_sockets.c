#include "kernel/unlisted_sockets.h"

#include "kernel/address.h"
#include "kernel/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A descriptor that is a socket. */
struct holding {
    uint64_t inode;
    pid_t pid;
    int fd;
};

/* A list that grows: of holdings, or of inodes. */
struct list {
    void *items;
    size_t item_size, count, room;
};

static int append(struct list *list, const void *item)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 64;
        void *grown = realloc(list->items, room * list->item_size);
        if (grown == NULL)
            return -ENOMEM;
        list->items = grown;
        list->room = room;
    }
    memcpy((char *)list->items + list->count++ * list->item_size, item, list->item_size);
    return 0;
}

/* An inode is the first member of all that is sorted and searched here. */
static int by_inode(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

static void sort(struct list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, list->item_size, by_inode);
}

/* ---- what they hold ---- */

static int read_descriptors(pid_t pid, struct list *held)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        struct holding holding = {.pid = pid, .fd = (int)strtol(entry->d_name, NULL, 10)};
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        rc = socket_inode_of(dirfd(directory), entry->d_name, &holding.inode);
        if (rc == 0 && holding.inode != 0)
            rc = append(held, &holding);
    }
    if (rc == 0 && entry == NULL && errno != 0)
        rc = errno == ENOENT ? -ESRCH : -errno; /* it ended while it was read */
    closedir(directory);
    return rc;
}

/* `there`: one of them that is. */
static int read_all_descriptors(const pid_t *pids, int count, struct list *held, pid_t *there)
{
    int rc = 0;
    *there = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        rc = read_descriptors(pids[i], held);
        *there = rc == 0 ? pids[i] : *there;
        rc = rc == -ESRCH ? 0 : rc;
    }
    sort(held);
    return rc == 0 && *there == 0 ? -ESRCH : rc;
}

/* ---- what is listed ---- */

enum { INODE_WORD = 10 }; /* of each line (man 5 proc) */

static uint64_t inode_in(char *line)
{
    char *rest, *word = strtok_r(line, " \t\n", &rest);
    for (int i = 1; i < INODE_WORD && word != NULL; i++)
        word = strtok_r(NULL, " \t\n", &rest);
    return word != NULL ? strtoull(word, NULL, 10) : 0;
}

static int read_table(pid_t pid, const char *name, struct list *listed)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    int rc = 0;
    while (rc == 0 && fgets(line, sizeof line, file) != NULL) {
        uint64_t inode = inode_in(line);
        if (inode != 0)
            rc = append(listed, &inode);
    }
    if (rc == 0 && ferror(file))
        rc = -EIO;
    fclose(file);
    return rc;
}

/* Half a table would make ghosts of the other half. */
static int read_tables(pid_t pid, struct list *listed)
{
    int rc = read_table(pid, "tcp", listed);
    if (rc == 0)
        rc = read_table(pid, "tcp6", listed);
    if (rc == -ENOENT && listed->count > 0)
        rc = 0; /* a kernel without IPv6 has no sockets of it */
    sort(listed);
    return rc == -ENOENT ? -ESRCH : rc;
}

/* ---- what is TCP ---- */

/* 1, or 0 when it is another protocol or is closed by now, or a negative errno. */
static int is_tcp(const struct holding *holding)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)holding->pid, holding->fd);
    ssize_t length = getxattr(path, "system.sockprotoname", name, sizeof name - 1);
    if (length < 0)
        return errno == ENOENT || errno == ESRCH || errno == ERANGE ? 0 : -errno;
    return strcmp(name, "TCP") == 0 || strcmp(name, "TCPv6") == 0;
}

/* Whether the socket has no address yet, so that it cannot have been a connection. What may not be known (to
 * borrow a descriptor takes the right to trace its process) is not so. */
static bool is_unused(const struct holding *holding)
{
    struct sockaddr_storage own = {0};
    struct stat of_socket;
    struct address address;
    socklen_t length = sizeof own;
    uint16_t port = 0;
    int process = (int)syscall(SYS_pidfd_open, holding->pid, 0);
    int fd = process >= 0 ? (int)syscall(SYS_pidfd_getfd, process, holding->fd, 0) : -1;
    bool is_it = fd >= 0 && fstat(fd, &of_socket) == 0 && of_socket.st_ino == holding->inode;
    bool is_known = is_it && getsockname(fd, (struct sockaddr *)&own, &length) == 0 &&
                    address_from_sockaddr(&own, &address, &port) == 0;
    if (fd >= 0)
        close(fd);
    if (process >= 0)
        close(process);
    return is_known && port == 0;
}

static bool is_listed(const struct list *listed, uint64_t inode)
{
    return listed->count > 0 &&
           bsearch(&inode, listed->items, listed->count, listed->item_size, by_inode) != NULL;
}

static int take_unlisted(const struct list *held, const struct list *listed, struct list *unlisted)
{
    const struct holding *each = held->items;
    int rc = 0;
    for (size_t i = 0; i < held->count && rc >= 0; i++) {
        bool is_repeated = i > 0 && each[i].inode == each[i - 1].inode;
        if (is_repeated || is_listed(listed, each[i].inode))
            continue;
        const struct unlisted_socket found = {.inode = each[i].inode, .pid = each[i].pid};
        rc = is_tcp(&each[i]);
        if (rc > 0 && !is_unused(&each[i]))
            rc = append(unlisted, &found);
    }
    return rc < 0 ? rc : 0;
}

int unlisted_sockets_read(const pid_t *pids, int count, struct unlisted_sockets *found)
{
    struct list held = {.item_size = sizeof(struct holding)}, listed = {.item_size = sizeof(uint64_t)},
                unlisted = {.item_size = sizeof(struct unlisted_socket)};
    pid_t there;
    int rc = read_all_descriptors(pids, count, &held, &there);
    if (rc == 0)
        rc = read_tables(there, &listed);
    if (rc == 0)
        rc = take_unlisted(&held, &listed, &unlisted);
    free(held.items);
    free(listed.items);
    *found = (struct unlisted_sockets){0};
    if (rc == 0)
        *found = (struct unlisted_sockets){.each = unlisted.items, .count = unlisted.count};
    else
        free(unlisted.items);
    return rc;
}

void unlisted_sockets_free(struct unlisted_sockets *sockets)
{
    free(sockets->each);
    *sockets = (struct unlisted_sockets){0};
}

bool unlisted_sockets_have(const struct unlisted_sockets *sockets, uint64_t inode)
{
    return sockets->count > 0 &&
           bsearch(&inode, sockets->each, sockets->count, sizeof *sockets->each, by_inode) != NULL;
}

int64_t unlisted_sockets(pid_t pid)
{
    struct unlisted_sockets found;
    int rc = unlisted_sockets_read(&pid, 1, &found);
    int64_t count = (int64_t)found.count;
    unlisted_sockets_free(&found);
    return rc < 0 ? rc : count;
}
