#include "kernel/borrowed_socket.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
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
                    struct sockaddr_storage *own)
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
    return (int)info_length;
}

int borrowed_socket_read(int process, int fd, uint64_t inode, struct borrowed_socket *borrowed)
{
    struct stat of_socket;
    struct tcp_info info = {0};
    struct sockaddr_storage own = {0};
    *borrowed = (struct borrowed_socket){.state = STATE_GONE};
    int copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    if (copy < 0)
        return errno == EPERM ? -EACCES : -errno;
    bool is_it = fstat(copy, &of_socket) == 0 && S_ISSOCK(of_socket.st_mode) && of_socket.st_ino == inode;
    int rc = is_it ? read_all(copy, &info, borrowed, &own) : -EBADF;
    close(copy);
    if (rc < 0)
        return rc;
    borrowed->state = info.tcpi_state < STATE_COUNT ? (enum tcp_state)info.tcpi_state : STATE_GONE;
    tcp_life_read(&info, (size_t)rc, &borrowed->life);
    (void)address_from_sockaddr(&own, &borrowed->local, &borrowed->local_port);
    return 0;
}
