/* descriptors: what a process holds open, by kind (/proc/PID/fd, man 5 proc). One readlink() a descriptor. In
 * all of it the negative errno ESRCH says that there is no such process, EACCES that it is not ours to look
 * into. */
#ifndef KERNEL_DESCRIPTORS_H
#define KERNEL_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum descriptor_kind {
    DESCRIPTOR_SOCKET,
    DESCRIPTOR_PIPE,
    DESCRIPTOR_EPOLL,
    DESCRIPTOR_EVENTFD,
    DESCRIPTOR_TIMERFD,
    DESCRIPTOR_KERNEL_OBJECT, /* signalfd, inotify, io_uring, a pidfd, a namespace, and what is yet to come */
    DESCRIPTOR_FILE,          /* whatever has a path, deleted or not: a device and a named pipe too */
    DESCRIPTOR_KIND_COUNT,
};

struct descriptor {
    int fd;
    enum descriptor_kind kind;
    uint64_t inode; /* of a socket or a pipe, the same for all copies of it; 0: of no other kind */
};

/* The kind and the inode of what a link in /proc/PID/fd points to: "socket:[123]". `descriptor->fd` stays. */
void descriptor_parse(const char *target, struct descriptor *descriptor);

/* Called for each descriptor; anything but 0 ends the reading with that value. */
typedef int on_descriptor(void *context, const struct descriptor *descriptor);

/* Returns 0, what the callback ended it with, or a negative errno: any other than those above, and something
 * failed here (EMFILE). */
int descriptors_each(pid_t pid, on_descriptor *each, void *context);

/* Likewise, from that descriptor on: in the order of their numbers. */
int descriptors_each_from(pid_t pid, int first, on_descriptor *each, void *context);

/* What one descriptor is. Returns 1, or 0 when it is not open, or the process has ended, or a negative errno
 * as above. */
int descriptor_read(pid_t pid, int fd, struct descriptor *descriptor);

/* Whether a descriptor is that socket now. Returns 1 or 0, or a negative errno as above; 0 also when the
 * process has ended. */
int descriptor_is_socket(pid_t pid, int fd, uint64_t inode);

/* The protocol of a socket as the kernel names it ("TCP", "MPTCPv6", "UDP", "UNIX-STREAM", "AF_VSOCK"): the
 * attribute system.sockprotoname. */
struct socket_protocol {
    char name[32];
};

/* Returns 1, or 0 when the descriptor is closed by now or has no such name, or a negative errno. */
int descriptor_protocol(pid_t pid, int fd, struct socket_protocol *protocol);

#endif
