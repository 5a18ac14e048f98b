#include "kernel/min_ttl.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { TTL_OF_A_NEIGHBOUR = 255 };

int min_ttl_begin(int fd)
{
    const int least = TTL_OF_A_NEIGHBOUR;
    int family = 0;
    socklen_t length = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0)
        return -errno;
    int rc = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &least, sizeof least)
                                : setsockopt(fd, IPPROTO_IP, IP_MINTTL, &least, sizeof least);
    return rc == 0 ? 0 : -errno;
}
