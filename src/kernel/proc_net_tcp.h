/* proc_net_tcp: the witness for where netlink is not to be had. Reads /proc/net/tcp and /proc/net/tcp6 (man 5
 * proc). */
#ifndef KERNEL_PROC_NET_TCP_H
#define KERNEL_PROC_NET_TCP_H

#include "kernel/witness.h"

/* One line of either file, without its newline. Returns 0, or -EBADMSG for the header and for anything that
 * is not a whole socket. */
int proc_net_tcp_parse(const char *line, int family, struct socket_entry *entry);

#endif
