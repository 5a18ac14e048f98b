/* sock_diag: the netlink witness (NETLINK_SOCK_DIAG, man 7 sock_diag). The dump is streamed: no message is
 * kept. The parser stands apart from the socket so that recorded bytes can be put through it. heard_ms is the
 * smaller of tcpi_last_ack_recv and tcpi_last_data_recv, which the kernel adds only when asked. */
#ifndef KERNEL_SOCK_DIAG_H
#define KERNEL_SOCK_DIAG_H

#include "kernel/witness.h"

#include <stddef.h>
#include <stdint.h>

enum { SOCK_DIAG_MORE = 1 };

/* Walks the messages of one received buffer. Returns SOCK_DIAG_MORE when the dump goes on, 0 when it is
 * complete, -EINTR when the kernel flagged it as interrupted, -EBADMSG when a message is cut short, -EPROTO
 * when it answers another request than `sequence`, the kernel's own error, or what on_entry returned. */
int sock_diag_parse(const void *buffer, size_t length, uint32_t sequence, on_socket *on_entry, void *context);

#endif
