/* unlisted_sockets: descriptors of a process whose sockets are in no table of its network namespace: closed,
 * or never connected. What is_ghost() tells of our own descriptors, for those of another process. */
#ifndef TCP_UNLISTED_SOCKETS_H
#define TCP_UNLISTED_SOCKETS_H

#include <stdint.h>
#include <sys/types.h>

/* How many. Sockets of families that have no table in /proc/net (vsock, say) count as well. A socket that
 * opens or closes meanwhile may be counted for a moment. Negative errno: ESRCH, there is no such process;
 * EACCES, it is not ours to look into. */
int64_t unlisted_sockets(pid_t pid);

/* Likewise of several processes of one network namespace; a socket that more than one holds counts once. One
 * that has ended meanwhile holds none, unless all have. */
int64_t unlisted_sockets_of(const pid_t *pids, int count);

#endif
