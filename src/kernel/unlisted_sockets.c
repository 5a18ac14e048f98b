#include "kernel/unlisted_sockets.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/address.h"
#include "kernel/descriptors.h"
#include "kernel/process.h"
#include "kernel/tcp_state.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A descriptor that is a socket. */
struct holding {
    uint64_t inode;
    pid_t pid;
    int fd;
};

/* Each socket once, with the first process that was found to hold it. */
struct holdings {
    struct holding *each;
    size_t count, room;
    struct number_set inodes;
    pid_t pid; /* being read */
};

/* ---- what they hold ---- */

static int hold(void *context, int fd, uint64_t inode)
{
    struct holdings *held = context;
    int rc = number_set_add(&held->inodes, inode);
    if (rc <= 0)
        return rc;
    rc = ARRAY_RESERVE(held->each, held->room, held->count + 1);
    if (rc == 0)
        held->each[held->count++] = (struct holding){.inode = inode, .pid = held->pid, .fd = fd};
    return rc;
}

/* `there`: one of them that is. */
static int read_all_descriptors(const pid_t *pids, int count, struct holdings *held, pid_t *there)
{
    int rc = 0;
    *there = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        held->pid = pids[i];
        rc = process_each_socket(pids[i], hold, held);
        *there = rc == 0 ? pids[i] : *there;
        rc = rc == -ESRCH ? 0 : rc;
    }
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

static int read_table(pid_t pid, const char *name, struct number_set *listed)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    int rc = 0;
    while (rc >= 0 && fgets(line, sizeof line, file) != NULL) {
        uint64_t inode = inode_in(line);
        if (inode != 0)
            rc = number_set_add(listed, inode);
    }
    if (rc >= 0)
        rc = ferror(file) ? -EIO : 0;
    fclose(file);
    return rc;
}

/* Half a table would make ghosts of the other half. */
static int read_tables(pid_t pid, struct number_set *listed)
{
    int rc = read_table(pid, "tcp", listed);
    if (rc == 0)
        rc = read_table(pid, "tcp6", listed);
    if (rc == -ENOENT && listed->count > 0)
        rc = 0; /* a kernel without IPv6 has no sockets of it */
    return rc == -ENOENT ? -ESRCH : rc;
}

/* ---- what is TCP ---- */

/* 1, or 0 when it is another protocol or is closed by now, or a negative errno. */
static int is_tcp(const struct holding *holding)
{
    struct socket_protocol protocol;
    int rc = descriptor_protocol(holding->pid, holding->fd, &protocol);
    return rc <= 0 ? rc : strcmp(protocol.name, "TCP") == 0 || strcmp(protocol.name, "TCPv6") == 0;
}

/* A descriptor of ours for the same socket; negative where it may not be had (to borrow a descriptor takes
 * the right to trace its process) or is another one by now. */
static int borrow(pid_t pid, int fd, uint64_t inode)
{
    struct stat of_socket;
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int borrowed = process >= 0 ? (int)syscall(SYS_pidfd_getfd, process, fd, 0) : -1;
    if (process >= 0)
        close(process);
    if (borrowed >= 0 && (fstat(borrowed, &of_socket) != 0 || of_socket.st_ino != inode)) {
        close(borrowed);
        return -1;
    }
    return borrowed;
}

static void read_state(int fd, struct unlisted_past *past)
{
    struct tcp_info info = {0};
    const size_t needed = offsetof(struct tcp_info, tcpi_segs_in) + sizeof info.tcpi_segs_in;
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || length < needed)
        return;
    past->is_known = true;
    past->is_alive = info.tcpi_state != STATE_CLOSE;
    past->is_unused = !past->is_alive && info.tcpi_segs_in == 0 && info.tcpi_segs_out == 0;
}

static uint16_t own_port(int fd)
{
    struct sockaddr_storage own = {0};
    struct address address;
    socklen_t length = sizeof own;
    uint16_t port = 0;
    bool is_known = getsockname(fd, (struct sockaddr *)&own, &length) == 0 &&
                    address_from_sockaddr(&own, &address, &port) == 0;
    return is_known ? port : 0;
}

struct unlisted_past unlisted_socket_past(pid_t pid, int fd, uint64_t inode)
{
    struct unlisted_past past = {0};
    int borrowed = borrow(pid, fd, inode);
    if (borrowed < 0)
        return past;
    read_state(borrowed, &past);
    past.port = own_port(borrowed);
    close(borrowed);
    return past;
}

static int take_unlisted(const struct holdings *held, const struct number_set *listed,
                         struct unlisted_sockets *found)
{
    size_t room = 0;
    int rc = 0;
    for (size_t i = 0; i < held->count && rc >= 0; i++) {
        const struct holding *holding = &held->each[i];
        if (number_set_has(listed, holding->inode))
            continue;
        rc = is_tcp(holding);
        if (rc <= 0)
            continue;
        struct unlisted_past past = unlisted_socket_past(holding->pid, holding->fd, holding->inode);
        if (past.is_unused || past.is_alive)
            continue;
        rc = ARRAY_RESERVE(found->each, room, found->count + 1);
        if (rc == 0)
            found->each[found->count++] =
                (struct unlisted_socket){.inode = holding->inode, .pid = holding->pid, .port = past.port};
    }
    return rc < 0 ? rc : 0;
}

static int by_inode(const void *a, const void *b)
{
    const struct unlisted_socket *one = a, *other = b;
    return (one->inode > other->inode) - (one->inode < other->inode);
}

int unlisted_sockets_read(const pid_t *pids, int count, struct unlisted_sockets *found)
{
    struct holdings held = {.count = 0};
    struct number_set listed = {0};
    pid_t there;
    *found = (struct unlisted_sockets){0};
    int rc = read_all_descriptors(pids, count, &held, &there);
    if (rc == 0)
        rc = read_tables(there, &listed);
    if (rc == 0)
        rc = take_unlisted(&held, &listed, found);
    free(held.each);
    number_set_free(&held.inodes);
    number_set_free(&listed);
    if (rc != 0)
        unlisted_sockets_free(found);
    else if (found->count > 0)
        qsort(found->each, found->count, sizeof *found->each, by_inode);
    return rc;
}

void unlisted_sockets_free(struct unlisted_sockets *sockets)
{
    free(sockets->each);
    *sockets = (struct unlisted_sockets){0};
}

bool unlisted_sockets_have(const struct unlisted_sockets *sockets, uint64_t inode)
{
    const struct unlisted_socket wanted = {.inode = inode};
    return sockets->count > 0 &&
           bsearch(&wanted, sockets->each, sockets->count, sizeof *sockets->each, by_inode) != NULL;
}

int64_t unlisted_sockets(pid_t pid)
{
    struct unlisted_sockets found;
    int rc = unlisted_sockets_read(&pid, 1, &found);
    int64_t count = (int64_t)found.count;
    unlisted_sockets_free(&found);
    return rc < 0 ? rc : count;
}
