/* proc_net_tcp: the witness for where netlink is not to be had. Reads /proc/net/tcp and /proc/net/tcp6 (man 5
 * proc). */
#ifndef KERNEL_PROC_NET_TCP_H
#define KERNEL_PROC_NET_TCP_H

#include "kernel/witness.h"

#include <sys/types.h>

/* One line of either file, without its newline. Returns 0, or -EBADMSG for the header and for anything that
 * is not a whole socket. */
int proc_net_tcp_parse(const char *line, int family, struct socket_entry *entry);

/* The inode number of /proc/PID/net/tcp, a file of that process's network namespace and of no other: anybody
 * is told which processes share one. 0: there is no such process, or it may not be seen. */
uint64_t proc_net_tcp_inode(pid_t pid);

/* As each() of the witness, of the namespace whose file has that inode number, which a process `pid` is in:
 * also of one that may not be entered. Returns 0 or a negative errno: ESRCH, the process has ended, or left
 * it. */
int proc_net_tcp_each_of(pid_t pid, uint64_t inode, int family, on_socket *on_entry, void *context);

#endif
