/* facts: what one look has found out about a process, or about all processes that hold a listener: their
 * sockets with their lives and whoever waits for them, their threads, their descriptors. How it was got does
 * not show here, and no cause is known here: explain/rules tells what it means.
 *
 * Times are milliseconds before the look. What was not found out is -1, or a family of 0 in an address; why,
 * stands in `unseen`. Indices point into the arrays of struct facts; -1 is none. */
#ifndef EXPLAIN_FACTS_H
#define EXPLAIN_FACTS_H

#include "kernel/address.h"
#include "kernel/cgroup_table.h"
#include "kernel/tcp_state.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A time that is known from least to most, both inclusive; least == most: exactly. */
struct fact_age {
    int64_t least_ms; /* -1: nothing is known */
    int64_t most_ms;  /* FACT_NO_LIMIT: no upper bound is known */
};

#define FACT_NO_LIMIT INT64_MAX

static inline struct fact_age fact_age_unknown(void)
{
    return (struct fact_age){-1, FACT_NO_LIMIT};
}

static inline struct fact_age fact_age_exact(int64_t ms)
{
    return (struct fact_age){ms, ms};
}

static inline bool fact_age_is_known(struct fact_age age)
{
    return age.least_ms >= 0;
}

static inline bool fact_age_is_exact(struct fact_age age)
{
    return age.least_ms >= 0 && age.least_ms == age.most_ms;
}

/* Of a ghost: the error that a reset or keep-alive left behind. */
enum fact_error {
    ERROR_UNKNOWN,
    ERROR_WAITS,    /* nobody has read it: neither a call on the socket since, nor getsockopt(SO_ERROR) */
    ERROR_READ,     /* somebody has */
    ERROR_NEEDLESS, /* there need be none: both sides have ended their half, the program by shutdown() */
};

struct fact_endpoint {
    struct address address; /* family 0: not known; IPv4 where it is mapped into IPv6 */
    uint16_t port;
};

/* ---- who waits ---- */

enum fact_waiter {
    WAITER_NOBODY,   /* in no set, and no thread is in a call on it; where a set or a thread could not be
                        looked into, it is WAITER_UNKNOWN instead */
    WAITER_EPOLL,    /* registered in an epoll set, directly; nested sets are followed for `at_rest` */
    WAITER_POLL,     /* in the array of a thread that is in poll() now */
    WAITER_SELECT,   /* in a set of a thread that is in select() now */
    WAITER_THREAD,   /* a thread is blocked in a call on this very descriptor: recv(), send(), accept() */
    WAITER_IO_URING, /* a request of a ring waits for it */
    WAITER_UNKNOWN,  /* may be waited for, but that could not be seen */
    WAITER_COUNT,
};

/* Of one socket. Of several waiters the one that would hear a FIN is told, or else the first. */
struct fact_wait {
    enum fact_waiter kind;
    uint32_t events;    /* WAITER_EPOLL: the mask of EPOLL... bits as in fdinfo; WAITER_POLL: of POLL... bits;
                           WAITER_SELECT: POLLIN, POLLOUT, POLLPRI for the sets that it is in */
    bool is_mask_known; /* false: member of the set (kcmp), with unknown events */
    int set_fd;         /* WAITER_EPOLL: descriptor of the set; -1 */
    bool at_rest;       /* WAITER_EPOLL: a thread is in epoll_wait() on that set, or on one that holds it;
                           WAITER_POLL, _SELECT, _THREAD: true */
    int thread;         /* that thread; -1 */
};

/* ---- who holds it ---- */

enum fact_holder {
    HOLDER_PROCESS, /* a process that was asked about, or another that has the listener too (a sibling) */
    HOLDER_HEIR,    /* only processes that do not have the listener: they inherited it, or were passed it */
    HOLDER_QUEUE,   /* nobody yet: it waits in the accept queue (inode 0) */
    HOLDER_CALL, /* nobody any more: the process has closed it while a thread of its own was in a call on it,
                    which keeps it until it returns. As many threads are in such calls as sockets have no
                    holder; which is whose is not known */
    HOLDER_IN_FLIGHT, /* it is in a message of a Unix socket that nobody has received (scm_fds) */
    HOLDER_HIDDEN,    /* it has an inode, and no process that may be looked into has it */
    HOLDER_KERNEL,    /* the process has closed it: an orphan in FIN_WAIT1, LAST_ACK... (inode 0) */
    HOLDER_COUNT,
};

enum fact_way { WAY_UNKNOWN, WAY_ACCEPTED, WAY_OUTGOING };

struct fact_socket {
    uint64_t cookie;
    uint64_t inode;       /* 0: none */
    enum tcp_state state; /* STATE_CLOSE: a ghost: it is in no table, its descriptor told of it */
    enum fact_way way; /* accepted: its local port is that of a listener here, which need not be open now */
    int listener; /* -1: outgoing, or its listener is gone; of HOLDER_QUEUE, where several share an address
                     and port (SO_REUSEPORT), the one with the most in its queue */
    struct fact_endpoint local, peer;
    bool is_mptcp; /* a TCP connection below one of MPTCP, whose state it has where the peer has ended its
                      half; what is unread is not known then */
    bool in_both;  /* it was seen in both tables of this look, in the same state */

    uint32_t unread; /* Recv-Q in bytes; in CLOSE_WAIT with the FIN, which counts as 1 */
    uint32_t unsent; /* Send-Q */

    bool has_info;           /* TCP_INFO came with it; if not all down to is_fin_swallowed is unknown or 0 */
    uint64_t bytes_received; /* data only: without the peer's FIN */
    uint64_t bytes_acked;    /* data only: without our SYN and FIN */
    uint32_t data_segs_in, data_segs_out, segs_in, segs_out;
    int64_t last_data_recv_ms, last_data_sent_ms, last_ack_recv_ms; /* as the kernel has them; -1 */
    struct fact_age age;                                            /* since the handshake */
    struct fact_age fin; /* since the peer's FIN came; unknown where none has */
    enum fact_error error;
    int64_t quiet_ms;      /* after our FIN: nothing has moved for so long (tcp_life_quiet_ms); -1 */
    bool keepalive;        /* its timer runs: ages of FINs are intervals */
    bool is_fin_swallowed; /* unread is 0, but the FIN may have come with the last data: one recv() may have
                              stepped over it, so nobody need have read 0 */
    uint64_t cgroup;       /* id; 0: not known */

    enum fact_holder holder;
    int process; /* the holder that waits for it, or else one whose loop is stuck, or else the first; -1 for
                    HOLDER_QUEUE, _IN_FLIGHT, _HIDDEN, _KERNEL; of HOLDER_CALL that of its thread, -1 where
                    several have some */
    int holders; /* how many processes have a descriptor on it */
    int fd;      /* in `process`; -1: none, such as a direct descriptor of a ring */
    struct fact_wait wait; /* by any thread of its holders */

    int64_t closing_ms; /* of facts->ended: from the FIN to the end; -1: it was not seen between them */
};

/* ---- threads ---- */

enum fact_call {
    CALL_UNKNOWN,
    CALL_NONE, /* it runs, or could: it is in no system call that waits */
    CALL_EPOLL_WAIT,
    CALL_POLL,
    CALL_SELECT,
    CALL_ACCEPT,
    CALL_IO_URING,
    CALL_RECV, /* read, recvfrom, recvmsg... of a socket */
    CALL_SEND,
    CALL_CONNECT,
    CALL_FUTEX,
    CALL_SLEEP,  /* nanosleep... */
    CALL_CHILD,  /* wait4, waitid */
    CALL_SIGNAL, /* pause, sigtimedwait, sigsuspend */
    CALL_FILE,   /* a file, a pipe, a terminal, a disk, a lock on a file */
    CALL_OTHER,  /* any other; its name is in call_name */
    CALL_COUNT,
};

/* What a thread in epoll_wait(), poll() or select() can hear. */
enum fact_hears {
    HEARS_LISTENER = 1,
    HEARS_ACCEPTED = 2, /* an accepted connection */
    HEARS_OUTGOING = 4, /* a connection that the process opened */
    HEARS_OTHER = 8,    /* pipes, timers, eventfds, Unix sockets... */
    HEARS_UNKNOWN = 16, /* the set could not be read */
};

struct site; /* code/code.h */

struct fact_thread {
    int process;
    pid_t tid;
    char name[16]; /* one word of visible ASCII, as in struct process_command */
    enum fact_call call;
    char call_name[24];        /* "recvfrom"; where only wchan is known the kernel's function; "" */
    int fd;                    /* that the call is on; -1: none, or not known */
    bool is_on_closed;         /* of a connection: the process has closed it since the call began */
    uint64_t inode;            /* of that socket; 0 */
    enum fact_way way;         /* of that socket */
    struct fact_endpoint peer; /* of that socket; of poll() and select(), where they wait for one socket */
    unsigned hears;            /* enum fact_hears; 0: its call is no such wait */
    int64_t asleep_ms;         /* since it last ran; -1: not known. 0: it runs */
    int busy_percent;          /* of the time between two readings it ran or waited for a CPU; -1 */
    int64_t turns;           /* times that it was given a CPU; -1: not known. Unchanged: it has slept since */
    const struct site *site; /* where in its source it is, by explain/stacks; NULL: not asked, or not known */
};

/* ---- listeners and processes ---- */

struct fact_listener {
    uint64_t cookie, inode;
    struct fact_endpoint at;
    int64_t queue, backlog; /* -1 */
    int processes;          /* how many of facts->processes have it */
    struct fact_wait wait;  /* who accepts: of several processes one that would */
    int server; /* the one process that would accept from it: it alone waits for it, or, where nobody does,
                   has it and is no keeper; -1: there is none, or there are several */
};

/* What could not be looked into. */
enum fact_unseen {
    UNSEEN_DESCRIPTORS, /* /proc/PID/fd */
    UNSEEN_EPOLL,       /* fdinfo of a set */
    UNSEEN_LARGE_EPOLL, /* a set of more than max_epoll entries: a sample was asked for (E2BIG) */
    UNSEEN_CALLS,       /* syscall: calls are from wchan, without descriptors */
    UNSEEN_WCHAN,       /* nor that */
    UNSEEN_MEMORY,      /* sets of poll() and select() */
    UNSEEN_CLOCKS,      /* sched: since when threads sleep */
    UNSEEN_LIMITS,
    UNSEEN_RINGS,   /* files of io_uring */
    UNSEEN_GHOSTS,  /* which descriptors are in no table */
    UNSEEN_MPTCP,   /* states of MPTCP connections */
    UNSEEN_THREADS, /* more threads than were read (E2BIG), or task/ itself */
    UNSEEN_COUNT,
};

/* Only as far as a command that dumps its tasks depends on it. */
enum fact_runtime { RUNTIME_UNKNOWN, RUNTIME_GO, RUNTIME_JVM, RUNTIME_PYTHON, RUNTIME_NODE };

struct fact_process {
    pid_t pid;
    char command[16]; /* one word of visible ASCII */
    bool is_keeper;   /* it has a listener that others serve, and it does not: it waits for none, and holds no
                         connection of one. The parent of workers, or whoever started the server */
    bool is_heir;     /* it was not asked about: it holds sockets, without the listener */
    enum fact_runtime runtime;
    struct process_cgroup group;           /* the service, container or pod that it is in */
    int64_t descriptors, descriptor_limit; /* open now, the soft limit */
    int64_t descriptor_table;              /* for so many there has been room: fewer than the limit were ever
                                              open at once where it is below that */
    int64_t descriptors_before;            /* at the first of two readings, before_ms before this one; -1 */
    int64_t before_ms;                     /* -1: there was one reading */
    int64_t ghosts;                        /* descriptors of TCP sockets that are in no table */
    int64_t in_flight;                     /* descriptors in its Unix sockets' queues (scm_fds) */
    int64_t stale_epoll;                   /* entries of its sets whose descriptor it has closed */
    int64_t up_ms;                         /* since it was started */
    int unseen[UNSEEN_COUNT];              /* the errno; 0: seen */
};

/* ---- all of it ---- */

struct facts {
    struct fact_process *processes; /* those that were asked about first, then heirs */
    int process_count;
    struct fact_listener *listeners;
    int listener_count;
    struct fact_socket *sockets; /* of all of them: of the listeners, and outgoing ones of the processes */
    int socket_count;
    struct fact_thread *threads;
    int thread_count;
    struct cgroup_table groups; /* those of sockets that were made elsewhere than their process is */

    bool is_elsewhere;  /* the process is in another network namespace, and so is this one since */
    int of_other_ports; /* asked by port: accepted sockets of other ports that are left out of `sockets` */
    int refused;        /* other processes that may not be looked into: one of them may hold what is hidden */
    int64_t gap_ms;     /* between the two tables of the sockets */
    int64_t took_ms;    /* all of the look */

    /* Of a window; with one look window_ms is 0. Sockets are those at its end. */
    int64_t window_ms;
    int64_t window_ago_ms; /* since its end: a look at a busy machine takes seconds */
    struct fact_socket
        *ended; /* those that ended meanwhile, as the kernel told; state: the last one
                  seen; age and fin count until this look as well, the last_..._ms are the event's */
    int ended_count;
    int64_t opened;          /* connections of the listeners that began in the window and were seen, or told
                                to have ended; -1 */
    int64_t aborts_on_close; /* TCPAbortOnClose of the namespace in the window; -1 */
    int64_t events_lost;     /* times that the kernel dropped news of ended sockets; -1: there are no news */
    bool is_interrupted;     /* the window was cut short by *stop: window_ms is what was seen */
};

/* ---- where they come from: explain/look ---- */

struct facts_request {
    pid_t pid;         /* 0: by port */
    uint16_t port;     /* 0: by pid; else all processes that hold a listener on it */
    bool no_attach;    /* only what needs no right to attach: no syscall, no memory, no pidfd_getfd */
    int64_t max_epoll; /* entries of an epoll set that are read; above: a sample */
    int64_t window_ms; /* 0: one look */
    const volatile sig_atomic_t *stop; /* not 0: end the window now; NULL: there is no such flag */
};

/* Looks. Returns 0, also when much was refused (`unseen`), or a negative errno with `facts` empty: ESRCH,
 * there is no such process, or nobody listens on that port; EXDEV, the process is in another network
 * namespace, which we may not enter; EINTR, stopped before anything was seen; ENOMEM; why the kernel cannot
 * be asked. */
int facts_take(const struct facts_request *request, struct facts *facts);

/* What runs in the group that a socket was made in, or CGROUP_NONE: one of the processes', or another. */
struct cgroup_name facts_group_name(const struct facts *facts, uint64_t cgroup);

/* Frees what facts_take() filled, and empties it. */
void facts_free(struct facts *facts);

#endif
