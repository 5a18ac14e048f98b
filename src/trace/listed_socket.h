/* listed_socket: what the kernel's table of TCP sockets tells of one, where its descriptor may not be copied
 * (see borrowed_socket.h): containers forbid pidfd_getfd(). The table is read until the socket comes: a
 * millisecond where there are thousands. */
#ifndef TRACE_LISTED_SOCKET_H
#define TRACE_LISTED_SOCKET_H

#include "kernel/borrowed_socket.h"

#include <stdint.h>
#include <sys/types.h>

/* Fills the state and both addresses; CLOSE and ports of 0: the table does not have it, or not any more.
 * Returns 0, or a negative errno as borrowed_socket_read(). */
int listed_socket_read(pid_t tid, int fd, uint64_t inode, struct borrowed_socket *socket);

#endif
