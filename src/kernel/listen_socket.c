#include "kernel/listen_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_with(const struct address *address, uint16_t port, int backlog, int option)
{
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(address, port, &where);
    const int on = 1;
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&where, length) != 0 || listen(fd, backlog) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int listen_socket_open(const struct address *address, uint16_t port, int backlog)
{
    return open_with(address, port, backlog, SO_REUSEADDR);
}

int listen_socket_open_shared(const struct address *address, uint16_t port, int backlog)
{
    return open_with(address, port, backlog, SO_REUSEPORT);
}

uint16_t listen_socket_port(int fd)
{
    struct sockaddr_storage where;
    socklen_t length = sizeof where;
    struct address address;
    uint16_t port;
    if (getsockname(fd, (struct sockaddr *)&where, &length) != 0 ||
        address_from_sockaddr(&where, &address, &port) != 0)
        return 0;
    return port;
}
