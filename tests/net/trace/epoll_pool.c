#include "epoll_server.h"

#include <stddef.h>
#include <sys/epoll.h>

void pool_park(int fd)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); /* LINE park */
#ifndef TAIL_CALL
    __asm__ volatile("");
#endif
}
