/* ghost: an open descriptor whose connection has left every table of the kernel, after the peer's RST or
 * after both FINs. No witness can count it. */
#ifndef KERNEL_GHOST_H
#define KERNEL_GHOST_H

#include "kernel/tcp_state.h"

#include <stdbool.h>

/* Meant for descriptors of sockets that were connected: one that never was is in the same state, CLOSE
 * (TCP_INFO, man 7 tcp). False for what is no TCP socket. One system call. */
bool is_ghost(int fd);

/* The state of its socket; STATE_GONE where it is no TCP socket. One system call. */
enum tcp_state descriptor_state(int fd);

#endif
