/* netns: a network namespace of one's own (man 7 network_namespaces): it has no sockets but ours, settings of
 * its own, and is gone with the last process in it. */
#ifndef KERNEL_NETNS_H
#define KERNEL_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Moves this process, which must have one thread, into a new network namespace, its loopback up; without root
 * into a new user namespace too, whose root it then is. With ehash_entries above 0 the namespace gets a table
 * of sockets of its own, of that size, where the kernel can (Linux 6.1); it is nested in another one for
 * that. *has_own_user: it has a user namespace of its own too. Returns 0 or a negative errno: EPERM, ENOSPC
 * and EUSERS when the system refuses. */
int netns_enter(int64_t ehash_entries, bool *has_own_user);

/* Moves the calling thread into the network namespace of another process, for good; what it reads of
 * /proc/PID stays as it was, /proc/net shows the other one. Where only that takes the right, into its user
 * namespace first, which this process must then have one thread for. Returns 0 or a negative errno: EPERM,
 * not ours to enter; ESRCH, there is no such process. */
int netns_join(pid_t pid);

/* The inode number of this process's network namespace (st_ino of /proc/self/ns/net); 0: not known. */
uint64_t netns_inode(void);

/* In a process that is the root of such a user namespace: it becomes the user that it was outside, in a user
 * namespace nested in that one, and may then do no more than an ordinary user. Returns 0 or a negative errno.
 */
int netns_become_user(uid_t uid, gid_t gid);

#endif
