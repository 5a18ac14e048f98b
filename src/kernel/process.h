/* process: what /proc/PID tells of a process (man 5 proc): whether it is still the same one, its name, its
 * network namespace, the sockets that it holds. In all of it the negative errno ESRCH says that there is no
 * such process, EACCES that it is not ours to look into. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A process's name (/proc/PID/comm) as one word of visible ASCII, fit for a terminal, a table and a link:
 * every other byte is an underscore. Empty when there is no such process. */
struct process_command {
    char text[16];
};

struct process_stat {
    char state;     /* 'Z': it has ended, and its parent has not waited for it yet */
    bool is_ending; /* the kernel takes it apart: its descriptors are closed, or about to be */
    pid_t parent;
    uint64_t started; /* clock ticks since boot: a pid is used again, with another one */
    int exit_code;    /* of a zombie, as wait() has it; 0 where that is not for us to know */
    struct process_command command;
};

/* Returns 0 or a negative errno. */
int process_stat_of(pid_t pid, struct process_stat *stat);

/* Whether it is a zombie, or on its way to be one, which may take long: the kernel closes its descriptors
 * then, not the program. */
bool process_has_ended(const struct process_stat *stat);

/* Whether one is a child of the other, or a child of such a child. What cannot be read is none. */
bool process_descends_from(pid_t pid, pid_t ancestor);

/* Calls it for each process that descends from that one, in no order, until it returns anything but 0.
 * Returns that, or a negative errno when /proc cannot be read. */
int process_each_descendant(pid_t ancestor, int (*on_process)(void *context, pid_t pid), void *context);

/* When it was started, on the clock of monotonic_us() (CLOCK_MONOTONIC, microseconds): the tick of user
 * space, a hundredth of a second, in which it was. */
int64_t process_started_us(const struct process_stat *stat);

/* What tells a process, and its set of descriptors, from a later one. */
struct process_facts {
    uint64_t started;    /* as in its stat */
    int64_t descriptors; /* that are open; -1: not known (before Linux 6.2) */
};

/* Returns 0 or a negative errno: ESRCH also of one that has ended, see above. */
int process_facts_of(pid_t pid, struct process_facts *facts);

/* Likewise with its name, from the same reading. */
int process_named_facts_of(pid_t pid, struct process_facts *facts, struct process_command *command);

/* How many more descriptors it may open (RLIMIT_NOFILE); -1: not known. */
int64_t process_descriptors_left(pid_t pid);

/* Whether a process is in our network namespace. Returns 0 or a negative errno: EXDEV, it is in another one.
 */
int process_shares_network(pid_t pid);

/* Whether this process is in the first PID namespace, in which all others are seen. */
bool process_sees_every_pid(void);

struct process_command process_command(pid_t pid);

/* The name of one of its threads, likewise. */
struct process_command thread_command(pid_t pid, pid_t tid);

/* Called for each descriptor that is a socket; anything but 0 ends the reading with that value. */
typedef int on_process_socket(void *context, int fd, uint64_t inode);

/* Reads the descriptors of a process. Returns 0, what the callback ended it with, or a negative errno: any
 * other than those above, and something failed here (EMFILE). */
int process_each_socket(pid_t pid, on_process_socket *on_socket, void *context);

/* As process_each_socket(), from that descriptor on: in the order of their numbers. */
int process_each_socket_from(pid_t pid, int first, on_process_socket *on_socket, void *context);

bool pid_is_among(pid_t pid, const pid_t *pids, int count);

#endif
