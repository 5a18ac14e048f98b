/* socket_owner: which process holds a socket. An index from the inodes of sockets to processes, filled from
 * their descriptors (see process.h), each process read once. */
#ifndef KERNEL_SOCKET_OWNER_H
#define KERNEL_SOCKET_OWNER_H

#include "kernel/process.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_owners;

/* An index of these inodes, none of which has an owner yet; 0 and repetitions among them do no harm. About 15
 * bytes an inode. NULL without memory; free it with socket_owners_free(). */
struct socket_owners *socket_owners_new(const uint64_t *inodes, size_t count);
void socket_owners_free(struct socket_owners *owners);

/* Called for each socket of a process that is read and that is none of the inodes; anything but 0 ends the
 * reading with that value, a negative errno. */
typedef int on_other_socket(void *context, pid_t pid, int fd, uint64_t inode);

/* From now on: then a process is read to its end, even when no inode is left without an owner. */
void socket_owners_hear_others(struct socket_owners *owners, on_other_socket *on_other, void *context);

/* Makes that process the owner of every socket that it holds and that has no owner yet: of several holders
 * the first one read wins. Returns how many it became the owner of, or a negative errno: ESRCH, there is no
 * such process; EACCES, it is not ours to look into. */
int socket_owners_read_pid(struct socket_owners *owners, pid_t pid);

/* Reads the other processes of /proc, those among `already` left out, until every inode has an owner; nothing
 * when that is so from the start. Processes that end meanwhile and those that may not be looked into are
 * passed over. Returns how many inodes got their owner, or a negative errno when anything else failed here:
 * EMFILE, ENOMEM. */
int socket_owners_read_others(struct socket_owners *owners, const pid_t *already, int already_count);

/* How many processes were passed over because they may not be looked into. */
int socket_owners_refused(const struct socket_owners *owners);

/* A holder that was found, and its descriptor; of several holders one. */
struct socket_owner {
    pid_t pid; /* 0: not found, or not asked for */
    int fd;
};
struct socket_owner socket_owner_at(const struct socket_owners *owners, uint64_t inode);

/* Its pid. */
pid_t socket_owner_of(const struct socket_owners *owners, uint64_t inode);

#endif
