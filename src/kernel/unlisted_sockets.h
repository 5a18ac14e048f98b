/* unlisted_sockets: TCP descriptors of processes whose sockets are in no table of their network namespace:
 * their connection is over. What is_ghost() tells of our own descriptors, for those of another process. */
#ifndef KERNEL_UNLISTED_SOCKETS_H
#define KERNEL_UNLISTED_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct unlisted_socket {
    uint64_t inode;
    pid_t pid;     /* one of those that hold it */
    uint16_t port; /* its own; 0: none, or not known: see unlisted_socket_past() */
};

/* By inode, each once. */
struct unlisted_sockets {
    struct unlisted_socket *each; /* owned */
    size_t count;
};

/* Those of several processes of one network namespace. Only what the kernel calls TCP counts (the attribute
 * system.sockprotoname): a socket of UDP, or one of a family without a table, is none. Neither is one that
 * was never connected, where that may be known. A socket that
 * opens or closes meanwhile may be among them for a moment, but not in two readings. A process that has ended
 * meanwhile holds none, unless all have. Returns 0 after filling *found, or a negative errno: ESRCH, there is
 * no such process; EACCES, one of them is not ours to look into; any other, /proc could not be read. */
int unlisted_sockets_read(const pid_t *pids, int count, struct unlisted_sockets *found);
void unlisted_sockets_free(struct unlisted_sockets *sockets);

bool unlisted_sockets_have(const struct unlisted_sockets *sockets, uint64_t inode);

/* What a TCP socket in no table has been, as far as that may be known: it takes the right to trace the
 * process (PTRACE_MODE_ATTACH, man 2 pidfd_getfd). */
struct unlisted_past {
    bool is_known;
    bool is_unused; /* it was never connected: no segment came or went */
    bool is_alive;  /* it has a connection, or listens: it is in a table of another network namespace */
    uint16_t port;  /* its own; 0: none, or not known */
};
struct unlisted_past unlisted_socket_past(pid_t pid, int fd, uint64_t inode);

/* How many one process has, or a negative errno as above. */
int64_t unlisted_sockets(pid_t pid);

#endif
