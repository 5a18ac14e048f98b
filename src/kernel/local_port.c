#include "kernel/local_port.h"

#include "kernel/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* linux/in.h; of IPv6 sockets too */
#endif

/* Both bounds of the range in one number; 0: those of the network namespace. */
static int set_range(int fd, uint16_t port)
{
    const uint32_t range = (uint32_t)port << 16 | port;
    return setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range) == 0 ? 0 : -errno;
}

/* Port 0: one that no other socket has. */
static int bind_to(int fd, int family, uint16_t port)
{
    const struct address any = {.family = family};
    struct sockaddr_storage from;
    socklen_t length = address_to_sockaddr(&any, port, &from);
    return bind(fd, (struct sockaddr *)&from, length) == 0 ? 0 : -errno;
}

int local_port_reserve(int fd, int family)
{
    int rc = set_range(fd, 0);
    return rc == -ENOPROTOOPT ? bind_to(fd, family, 0) : rc;
}

int local_port_take(int fd, int family, uint16_t port)
{
    int rc = set_range(fd, port);
    return rc == -ENOPROTOOPT ? bind_to(fd, family, port) : rc;
}
