#include "kernel/borrowed_socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int borrowed_socket_process(pid_t pid)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    return process >= 0 ? process : -errno;
}

/* Bytes of TCP_INFO that the kernel filled, or a negative errno. */
static int read_all(int fd, struct tcp_info *info, struct borrowed_socket *borrowed,
                    struct sockaddr_storage *own, struct sockaddr_storage *other)
{
    int alive = 0;
    socklen_t info_length = sizeof *info, length = sizeof borrowed->cookie;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &info_length) != 0)
        return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &borrowed->cookie, &length) != 0)
        borrowed->cookie = 0;
    length = sizeof alive;
    if (getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &alive, &length) == 0)
        borrowed->keeps_alive = alive != 0;
    length = sizeof *own;
    if (getsockname(fd, (struct sockaddr *)own, &length) != 0)
        own->ss_family = AF_UNSPEC;
    /* getpeername() tells nothing of a connection that is over; this wants the very length. */
    length = own->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, other, &length) != 0)
        other->ss_family = AF_UNSPEC;
    return (int)info_length;
}

/* A copy of descriptor `fd`, to be closed at once; or a negative errno. */
static int borrow(int process, int fd, uint64_t inode)
{
    struct stat of_socket;
    int copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    if (copy < 0)
        return errno == EPERM ? -EACCES : -errno;
    if (fstat(copy, &of_socket) == 0 && S_ISSOCK(of_socket.st_mode) && of_socket.st_ino == inode)
        return copy;
    close(copy);
    return -EBADF;
}

/* What a copy tells. Returns 0 or a negative errno. */
static int read_copy(int copy, struct borrowed_socket *borrowed)
{
    struct tcp_info info = {0};
    struct sockaddr_storage own = {0}, other = {0};
    int rc = read_all(copy, &info, borrowed, &own, &other);
    if (rc < 0)
        return rc;
    struct pollfd wanted = {.fd = copy};
    borrowed->error_waits = poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLERR) != 0;
    borrowed->state = info.tcpi_state < STATE_COUNT ? (enum tcp_state)info.tcpi_state : STATE_GONE;
    tcp_life_read(&info, (size_t)rc, &borrowed->life);
    (void)address_from_sockaddr(&own, &borrowed->local, &borrowed->local_port);
    (void)address_from_sockaddr(&other, &borrowed->peer, &borrowed->peer_port);
    return 0;
}

int borrowed_socket_read(int process, int fd, uint64_t inode, struct borrowed_socket *borrowed)
{
    *borrowed = (struct borrowed_socket){.state = STATE_GONE};
    int copy = borrow(process, fd, inode);
    if (copy < 0)
        return copy;
    int rc = read_copy(copy, borrowed);
    close(copy);
    return rc;
}

/* SIOCINQ counts data alone, without the FIN. With data there recv() gives that, and leaves an error that
 * comes at this moment (tcp_recvmsg_locked() looks into the queue first). */
static int peek(int copy, void *bytes, size_t size)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    int unread = 0;
    if (getsockopt(copy, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;
    if (info.tcpi_state == STATE_CLOSE || info.tcpi_state == STATE_LISTEN)
        return -ENOTCONN;
    if (ioctl(copy, SIOCINQ, &unread) != 0)
        return -errno;
    if (unread <= 0)
        return -EAGAIN;
    ssize_t count = recv(copy, bytes, size, MSG_PEEK | MSG_DONTWAIT);
    return count >= 0 ? (int)count : -errno;
}

int borrowed_socket_peek(int process, int fd, uint64_t inode, void *bytes, size_t size)
{
    int copy = borrow(process, fd, inode);
    if (copy < 0)
        return copy;
    int rc = peek(copy, bytes, size);
    close(copy);
    return rc;
}

int borrowed_socket_shutdown(int process, int fd, uint64_t inode, int how, still_as_it_was *is_still,
                             const void *context)
{
    struct borrowed_socket now = {.state = STATE_GONE};
    int copy = borrow(process, fd, inode);
    if (copy < 0)
        return copy;
    int rc = read_copy(copy, &now);
    if (rc == 0 && !is_still(context, &now))
        rc = -ESTALE;
    if (rc == 0 && shutdown(copy, how) != 0)
        rc = -errno;
    close(copy);
    return rc;
}
