#include "kernel/descriptors.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- a link ---- */

static const struct {
    const char *prefix;
    enum descriptor_kind kind;
    bool has_inode;
} targets[] = {
    {"socket:[", DESCRIPTOR_SOCKET, true},
    {"pipe:[", DESCRIPTOR_PIPE, true},
    {"anon_inode:[eventpoll]", DESCRIPTOR_EPOLL, false},
    {"anon_inode:[eventfd]", DESCRIPTOR_EVENTFD, false},
    {"anon_inode:[timerfd]", DESCRIPTOR_TIMERFD, false},
    {"/", DESCRIPTOR_FILE, false},
};

void descriptor_parse(const char *target, struct descriptor *descriptor)
{
    descriptor->kind = DESCRIPTOR_KERNEL_OBJECT;
    descriptor->inode = 0;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        size_t length = strlen(targets[i].prefix);
        if (strncmp(target, targets[i].prefix, length) != 0)
            continue;
        descriptor->kind = targets[i].kind;
        descriptor->inode = targets[i].has_inode ? strtoull(target + length, NULL, 10) : 0;
        return;
    }
}

/* ---- all of a process ---- */

/* A process that is gone is missing from /proc; one that /proc hides (hidepid) is EPERM. */
static int process_error(int error)
{
    return error == ENOENT ? -ESRCH : error == EPERM ? -EACCES : -error;
}

/* Returns 1, or 0 when it was closed meanwhile, or a negative errno. */
static int read_link(int directory, const char *name, struct descriptor *descriptor)
{
    char target[48]; /* all that tells kinds apart; a path may be cut */
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    if (length < 0)
        return errno == ENOENT ? 0 : process_error(errno);
    target[length] = '\0';
    descriptor->fd = (int)strtol(name, NULL, 10);
    descriptor_parse(target, descriptor);
    return 1;
}

int descriptors_each(pid_t pid, on_descriptor *each, void *context)
{
    return descriptors_each_from(pid, 0, each, context);
}

/* A place in the directory is a descriptor's number and 2, for "." and ".." (fs/proc/fd.c). */
int descriptors_each_from(pid_t pid, int first, on_descriptor *each, void *context)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return process_error(errno);
    if (first > 0)
        seekdir(directory, first + 2L);
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        struct descriptor descriptor;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        rc = read_link(dirfd(directory), entry->d_name, &descriptor);
        rc = rc > 0 ? each(context, &descriptor) : rc;
    }
    if (rc == 0 && entry == NULL && errno != 0)
        rc = process_error(errno); /* it ended while it was read */
    closedir(directory);
    return rc;
}

int descriptor_read(pid_t pid, int fd, struct descriptor *descriptor)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    int rc = read_link(AT_FDCWD, path, descriptor);
    descriptor->fd = fd; /* the name that was read is a path */
    return rc == -ESRCH ? 0 : rc;
}

int descriptor_is_socket(pid_t pid, int fd, uint64_t inode)
{
    struct descriptor descriptor;
    int rc = descriptor_read(pid, fd, &descriptor);
    return rc > 0 ? descriptor.kind == DESCRIPTOR_SOCKET && descriptor.inode == inode : rc;
}

int descriptor_protocol(pid_t pid, int fd, struct socket_protocol *protocol)
{
    char path[64];
    *protocol = (struct socket_protocol){""};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t length = getxattr(path, "system.sockprotoname", protocol->name, sizeof protocol->name - 1);
    if (length >= 0)
        return 1;
    bool is_closed = errno == ENOENT || errno == ESRCH;
    return is_closed || errno == ERANGE || errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
}
