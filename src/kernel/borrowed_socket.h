/* borrowed_socket: what a socket of another process tells of itself, through a copy of its descriptor
 * (pidfd_getfd, man 2): also of a ghost, which is in no table. It takes the right to attach to the process.
 *
 * While the copy is open a close() by its owner sends no FIN, and its epoll sets go on reporting the closed
 * number: so it is open for a few system calls only. Nothing is changed through it, file status flags and a
 * pending error included, except by borrowed_socket_shutdown(). */
#ifndef KERNEL_BORROWED_SOCKET_H
#define KERNEL_BORROWED_SOCKET_H

#include "kernel/address.h"
#include "kernel/tcp_life.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct borrowed_socket {
    enum tcp_state state; /* CLOSE: it is a ghost, or has not been connected */
    struct tcp_life life;
    uint64_t cookie;  /* 0: not known (before Linux 4.12) */
    bool keeps_alive; /* SO_KEEPALIVE is set */
    bool error_waits; /* it has an error that nobody has read, or a note in its error queue (POLLERR, man 2
                         poll) */
    struct address local;
    uint16_t local_port; /* 0: it has never had an address */
    struct address peer; /* of a ghost too */
    uint16_t peer_port;  /* 0: it has never been connected */
};

/* A handle of a process for borrowed_socket_read(); close() it. Or a negative errno: ESRCH, ENOSYS. */
int borrowed_socket_process(pid_t pid);

/* Looks at descriptor `fd` of a process. Returns 0, or a negative errno: EBADF, it is not that socket any
 * more; EACCES, we may not attach; ENOSYS, the kernel (before 5.6) cannot; EOPNOTSUPP, it is no TCP socket.
 */
int borrowed_socket_read(int process, int fd, uint64_t inode, struct borrowed_socket *borrowed);

/* Copies the first bytes that nobody has read, and leaves them to the owner. Only of a connection that has
 * some: there is then no pending error, such as a reset, that this could take away from the owner. Returns
 * how many, or a negative errno as above; EAGAIN, there are none; ENOTCONN, the connection is over. */
int borrowed_socket_peek(int process, int fd, uint64_t inode, void *bytes, size_t size);

/* Whether a socket still is what it was when somebody decided to act on it. */
typedef bool still_as_it_was(const void *context, const struct borrowed_socket *now);

/* shutdown(how), man 2 shutdown, if `is_still` agrees to what the socket is at this moment. Returns 0, or a
 * negative errno as above; ESTALE, `is_still` did not agree; ENOTCONN, the connection is over. */
int borrowed_socket_shutdown(int process, int fd, uint64_t inode, int how, still_as_it_was *is_still,
                             const void *context);

#endif
