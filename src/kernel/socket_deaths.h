/* socket_deaths: the kernel's news of TCP sockets that end in this network namespace (the netlink groups
 * SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY of sock_diag, since Linux 4.3): no right is needed.
 * A socket ends when the last descriptor is closed and its connection is over; one that becomes a timewait
 * socket is told then, at once. It comes with the cookie that it had in the dumps and with its life; its
 * state is CLOSE, its inode 0. */
#ifndef KERNEL_SOCKET_DEATHS_H
#define KERNEL_SOCKET_DEATHS_H

#include "kernel/sock_diag.h"

#include <stdint.h>

struct socket_deaths {
    int fd;          /* readable when there are some; -1: not open */
    int64_t dropped; /* times that the kernel had no room for more: some were lost each time */
};

/* Asks for them, from now on. An event takes 1.3 KB of `buffer` bytes, of which the kernel gives an ordinary
 * user net.core.rmem_max at most. Returns 0 or a negative errno. */
int socket_deaths_open(struct socket_deaths *deaths, int buffer);
void socket_deaths_close(struct socket_deaths *deaths);

/* Passes on what has come, without waiting. Returns 0, what the callback ended it with, or a negative errno.
 */
int socket_deaths_read(struct socket_deaths *deaths, on_socket_life *each, void *context);

#endif
