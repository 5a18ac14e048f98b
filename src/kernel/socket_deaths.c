#include "kernel/socket_deaths.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_SIZE = 16384 }; /* the kernel sends each by itself, 600 bytes */

static int listen_to(int fd, int group)
{
    return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0 ? 0 : -errno;
}

/* A kernel without IPv6 has no such group, and no such sockets. */
static int listen_to_all(int fd)
{
    int rc = listen_to(fd, SKNLGRP_INET_TCP_DESTROY);
    if (rc == 0)
        (void)listen_to(fd, SKNLGRP_INET6_TCP_DESTROY);
    return rc;
}

int socket_deaths_open(struct socket_deaths *deaths, int buffer)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    *deaths = (struct socket_deaths){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (deaths->fd < 0)
        return -errno;
    if (setsockopt(deaths->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
        (void)setsockopt(deaths->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    int rc = bind(deaths->fd, (struct sockaddr *)&own, sizeof own) == 0 ? 0 : -errno;
    if (rc == 0)
        rc = listen_to_all(deaths->fd);
    if (rc != 0)
        socket_deaths_close(deaths);
    return rc;
}

void socket_deaths_close(struct socket_deaths *deaths)
{
    if (deaths->fd >= 0)
        close(deaths->fd);
    deaths->fd = -1;
}

int socket_deaths_read(struct socket_deaths *deaths, on_socket_life *each, void *context)
{
    _Alignas(struct nlmsghdr) char buffer[EVENTS_SIZE];
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t from_length = sizeof from;
        ssize_t length =
            recvfrom(deaths->fd, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);
        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (length < 0 && errno == ENOBUFS)
            deaths->dropped++;
        else if (length < 0 && errno != EINTR)
            return -errno;
        if (length < 0 || from.nl_pid != 0) /* only the kernel is believed */
            continue;
        int rc = sock_diag_parse_lives(buffer, (size_t)length, 0, each, context);
        if (rc != SOCK_DIAG_MORE && rc != 0)
            return rc;
    }
}
