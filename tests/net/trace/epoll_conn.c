#include "epoll_server.h"

#include <sys/socket.h>
#include <unistd.h>

static __attribute__((noinline)) void conn_free(int fd)
{
    close(fd);            /* LINE close */
    __asm__ volatile(""); /* no jump */
}

void on_readable(int fd)
{
    static int ended;
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) /* LINE recv */
        send(fd, bytes, (size_t)got, MSG_NOSIGNAL);
    if (got < 0)
        return;
#ifdef LEAK
    if (++ended % 5 == 0)
        pool_park(fd); /* LINE parks */
    else
#endif
        conn_free(fd); /* LINE frees */
    (void)ended;
}
