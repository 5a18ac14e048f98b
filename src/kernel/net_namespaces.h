/* net_namespaces: the network namespaces of this machine: those that processes are in, and those that only
 * have a name (man 8 ip-netns). Anybody is told which processes share one (see proc_net_tcp.h); the number of
 * a namespace, and to enter it, take the right to look into one of its processes. Processes that /proc hides,
 * and what is outside of our own PID namespace, are not seen. */
#ifndef KERNEL_NET_NAMESPACES_H
#define KERNEL_NET_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct net_namespace {
    uint32_t serial; /* from 1, in the order in which they were found; never used again */
    uint64_t table;  /* proc_net_tcp_inode() of its processes; 0: no process is in it */
    uint64_t inode;  /* its number, as in "net:[4026531840]"; 0: not for this user to know */
    pid_t pid;       /* the first of its processes, or of those that may be looked into; 0: none */
    bool is_own;     /* this process is in it */
    char file[64];   /* below /run/netns, where it has a name there */
    char name[224]; /* that name; the container or pod, the unit, or the command of its first process; visible
                       ASCII */

    /* Of the finding: when it first was, and whose its name is. */
    int64_t found_us;
    pid_t named_for;
};

/* Zero-initialised: nothing has been looked for. */
struct net_namespaces {
    struct net_namespace **each; /* by serial; an element stays where it is while the namespace is there */
    size_t count, room;
    struct net_namespace **gone; /* since the last finding; until the next one */
    size_t gone_count, gone_room;
    size_t came_count; /* at the end of `each` */
    uint32_t serials;
    struct net_member *members; /* processes, by pid */
    size_t member_count, member_room;
};

/* Finds them, what came and what has gone. Processes that were there at several findings are taken to be
 * where they were, unless `thorough`: 7 us each. Returns 0 or a negative errno: ENOMEM; why /proc cannot be
 * read. */
int net_namespaces_find(struct net_namespaces *namespaces, bool thorough);
void net_namespaces_free(struct net_namespaces *namespaces);

/* That of one process, without a name and a serial. Returns 0 or a negative errno: ESRCH, there is no such
 * process, or it may not be seen. */
int net_namespace_of(pid_t pid, struct net_namespace *namespace);

/* The one that has this number of proc_net_tcp_inode(); NULL: none. */
const struct net_namespace *net_namespaces_with(const struct net_namespaces *namespaces, uint64_t table);

#endif
