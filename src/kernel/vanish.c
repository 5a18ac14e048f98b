#include "kernel/vanish.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

int vanish(int fd)
{
    const int on = 1;
    int rc = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

int vanish_probe(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : vanish(fd);
}
