/* listen_socket: a socket that listens on a lane. */
#ifndef KERNEL_LISTEN_SOCKET_H
#define KERNEL_LISTEN_SOCKET_H

#include "kernel/address.h"

#include <stdint.h>

/* Non-blocking, close-on-exec, with SO_REUSEADDR; port 0 lets the kernel choose. The kernel cuts `backlog` to
 * net.core.somaxconn. Returns a descriptor that the caller closes, or a negative errno. */
int listen_socket_open(const struct address *address, uint16_t port, int backlog);

/* Likewise, for one of several that listen on the same port (SO_REUSEPORT): all of them must be opened so. */
int listen_socket_open_shared(const struct address *address, uint16_t port, int backlog);

/* The port that it is bound to; 0 when fd is no IPv4 or IPv6 socket. */
uint16_t listen_socket_port(int fd);

#endif
