/* netns_tables: the TCP sockets of another network namespace, while this process stays in its own: by a
 * netlink socket that is made in it, by a child that shares our descriptors and enters it, its user namespace
 * first where only that takes the right (man 2 setns); or, where it may not be entered, from /proc/PID/net,
 * which takes no right. Nothing is kept open: a namespace lives no longer because it was looked into. */
#ifndef KERNEL_NETNS_TABLES_H
#define KERNEL_NETNS_TABLES_H

#include "kernel/net_namespaces.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

enum netns_sight {
    NETNS_ENTERED,
    NETNS_READ, /* not entered; no ages, control groups, or backlogs */
    NETNS_GONE, /* it has no process any more, or its name is removed */
    NETNS_CLOSED,
};

/* Streams its TCP sockets of both families, as struct witness_backend's each() and each_detailed() do.
 * Returns 0 or a negative errno as those; *sight says by which way, or why none: then it returns 0. */
int netns_tables_each(const struct net_namespace *where, bool detailed, const struct port_range *only,
                      on_socket *on_entry, void *context, enum netns_sight *sight);

/* Its net.ipv4.ip_local_port_range. Returns 0 or a negative errno: EPERM, it may not be entered; ESRCH, it
 * has gone. */
int netns_tables_ports(const struct net_namespace *where, struct port_range *ephemeral);

#endif
