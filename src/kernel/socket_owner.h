/* socket_owner: which process holds a socket. An index from the inodes of sockets to processes, filled from
 * the descriptors in /proc/PID/fd (man 5 proc), each process read once. */
#ifndef KERNEL_SOCKET_OWNER_H
#define KERNEL_SOCKET_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_owners;

/* An index of these inodes, none of which has an owner yet; 0 and repetitions among them do no harm. About 20
 * bytes an inode. NULL without memory; free it with socket_owners_free(). */
struct socket_owners *socket_owners_new(const uint64_t *inodes, size_t count);
void socket_owners_free(struct socket_owners *owners);

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

/* 0: not found, or not asked for. */
pid_t socket_owner_of(const struct socket_owners *owners, uint64_t inode);

bool pid_is_among(pid_t pid, const pid_t *pids, int count);

/* The socket that a descriptor in an open /proc/PID/fd is, by its inode: *inode is 0 when it is none, or was
 * closed meanwhile. Returns 0 or a negative errno: EACCES, it is not ours to look into, or the process has
 * ended; anything else failed here. */
int socket_inode_of(int directory, const char *name, uint64_t *inode);

/* What tells a process, and its set of descriptors, from a later one. */
struct process_facts {
    uint64_t started;    /* clock ticks since boot: a pid is used again, with another one */
    int64_t descriptors; /* that are open; -1: not known (before Linux 6.2) */
};

/* Returns 0 or a negative errno: ESRCH, there is no such process, or it has ended and its parent has not
 * waited for it yet. */
int process_facts_of(pid_t pid, struct process_facts *facts);

/* Whether a process is in our network namespace. Returns 0; or a negative errno: EXDEV, it is in another one;
 * ESRCH, there is no such process; EACCES, it is not ours to look into. */
int process_shares_network(pid_t pid);

/* A process's name (/proc/PID/comm) as one word of visible ASCII, fit for a terminal, a table and a link:
 * every other byte is an underscore. Empty when there is no such process. */
struct process_command {
    char text[16];
};
struct process_command process_command(pid_t pid);

#endif
