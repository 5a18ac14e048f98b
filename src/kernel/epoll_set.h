/* epoll_set: what is registered in an epoll set of a process, itself another's (/proc/PID/fdinfo, man 5 proc;
 * ep_show_fdinfo() in fs/eventpoll.c of the kernel).
 *
 * The kernel holds the set's lock while it prints: the process's epoll_wait() and epoll_ctl() wait that long,
 * 1.3 ms for 1,000 entries. So a set is read once, never in a loop, and of a large one some sockets are asked
 * for one by one, by kcmp (man 2 kcmp), which holds the lock a twelfth of that time. */
#ifndef KERNEL_EPOLL_SET_H
#define KERNEL_EPOLL_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct epoll_entry {
    int fd;          /* as it was when it was registered: the process may have closed it since */
    uint32_t events; /* EPOLLIN... (man 2 epoll_ctl) */
    uint64_t inode;  /* of its file, a socket's among others; 0: not told (before Linux 4.13) */
    uint32_t device; /* the inode's: inodes of other kinds of files may be the same number */
};

/* Reads a line of fdinfo. False when it is no entry of a set. */
bool epoll_entry_parse(const char *line, struct epoll_entry *entry);

/* Called for each entry; anything but 0 ends the reading with that value. */
typedef int on_epoll_entry(void *context, const struct epoll_entry *entry);

/* Reads the set that is descriptor `set` of that process. Returns 0, what the callback ended it with, or a
 * negative errno as in kernel/proc_file.h. */
int epoll_set_read(pid_t pid, int set, on_epoll_entry *each, void *context);

/* Whether descriptor `fd` of that process, the very file that it is now, is in its set. Returns 1 or 0, or a
 * negative errno: ESRCH, there is no such process; EBADF, one of the two is closed; EPERM or EACCES, it is
 * not ours; ENOSYS or EOPNOTSUPP, the kernel has no kcmp. */
int epoll_set_has(pid_t pid, int set, int fd);

/* Whether two descriptors are one set: a process that forks shares it with its children. Returns 1 or 0, or a
 * negative errno as above. */
int epoll_set_is_same(pid_t pid, int set, pid_t other_pid, int other_set);

#endif
