/* witness: asks the kernel which TCP sockets exist in this network namespace and in which state each is.
 *
 * A look reads the whole table once. It is not atomic: a socket that changes state while the look passes is
 * counted where the look met it, and one that moves between tables can be met twice or never. Sockets of
 * others matter too: the kernel remembers its place in the table by counting, so that one which comes or goes
 * at that place makes its neighbour be met twice or not at all (tcp_seek_last_pos; /proc/net/tcp stops at
 * such a place with every read()). While nothing moves a look is exact. States are the kernel's: an orphaned
 * FIN_WAIT2, which the kernel keeps as a small timewait socket, is reported as FIN_WAIT2 by both backends. */
#ifndef KERNEL_WITNESS_H
#define KERNEL_WITNESS_H

#include "kernel/address.h"
#include "kernel/histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct socket_entry {
    enum tcp_state state; /* never STATE_GONE */
    struct address local, remote;
    uint16_t local_port, remote_port;
    int64_t ends_in_ms; /* what the kernel's timer leaves of TIME_WAIT or an orphaned FIN_WAIT2; -1: no such
                           timer */
    uint64_t cookie;    /* the same in every look, and never used again; also of the timewait socket that it
                           leaves, if a look gave it one before. 0: not known */
    uint64_t inode;     /* 0: no process has a descriptor: TIME_WAIT, an orphan, or never accepted */
    uint32_t unread;    /* Recv-Q: bytes received and not read, plus 1 for a FIN not read; of a LISTEN socket
                           the connections in its accept queue */
    uint32_t unsent; /* Send-Q: bytes written that the peer has not acknowledged, plus 1 for such a FIN; of a
                        LISTEN socket 0 */
    bool needs_window; /* it has data to send, and the peer's window has no room: the kernel asks for it now
                          and then (the persist timer, RFC 9293, 3.8.6.1) */
    bool keeps_alive;  /* its keep-alive timer runs: such a CLOSE_WAIT ends by itself, when the peer has gone,
                          and what is left is a descriptor in no table */
    int64_t heard_ms;  /* since the peer's last segment was processed; -1: not known, or not asked for */
    int64_t fin_most_ms; /* of CLOSE_WAIT: the peer's FIN came heard_ms ago or more, and at most so long ago;
                            -1: not known, or not asked for */
    bool
        fin_with_data; /* of CLOSE_WAIT, where it was asked for: the FIN came with the last data, for all that
                          is known. Then Recv-Q 0 does not say that anybody has read EOF (see tcp_life.h) */
    /* Of ESTABLISHED, where it was asked for: since data came, went, and since the peer's last segment with
     * an ACK; without any since the end of the handshake. -1: not known. */
    int64_t received_ms, sent_ms, acked_ms;
    int64_t backlog; /* of a LISTEN socket: what listen() was given; -1: not known */
    uint64_t cgroup; /* id of the control group that it was made in, of an accepted socket that of its
                        listener: the inode of its folder in cgroup2; 0: not known */
};

/* A number for a socket, the same in every look, never 0: for a connection that of its two ends, for a
 * listener, of which SO_REUSEPORT allows several, with its inode. (A hash: see hash.h.) */
uint64_t socket_identity(const struct socket_entry *entry);

struct port_range {
    uint16_t first, last; /* inclusive */
};

/* Called for each socket; anything but 0 ends the look with that value. */
typedef int on_socket(void *context, const struct socket_entry *entry);

/* One way to ask the kernel. A backend that can count by itself may leave each() to another. */
struct witness_backend {
    const char *name; /* as --witness takes it */
    /* Streams every TCP socket of the family; with `only`, those with a local or remote port in that range
     * (a backend may pass on more). Returns 0 or a negative errno: EINTR when the kernel said that the dump
     * was interrupted, EBADMSG when it was cut short; what was passed on then counts for nothing. */
    int (*each)(int family, const struct port_range *only, on_socket *on_entry, void *context);
    /* As each(), with what is only told where it is asked for, where the backend can tell them. Slower. */
    int (*each_detailed)(int family, const struct port_range *only, on_socket *on_entry, void *context);
    /* As each(), and may leave out what does not listen: cheap even among many connections. */
    int (*each_listener)(int family, const struct port_range *only, on_socket *on_entry, void *context);
    /* As each(), or each_detailed(), of both families at once, and only those in one of these states (a set,
     * see STATE_SET): the others cost a tenth of a microsecond each. NULL: it cannot leave any out. */
    int (*each_in_states)(uint32_t states, bool detailed, const struct port_range *only, on_socket *on_entry,
                          void *context);
    /* 0 when the backend works here, else a negative errno. Cheap. */
    int (*probe)(void);
};

extern const struct witness_backend witness_netlink; /* sock_diag.c */
extern const struct witness_backend witness_procfs;  /* proc_net_tcp.c */

/* "auto", "netlink", "procfs", NULL; the index is what witness_choose takes. */
extern const char *const witness_choices[];

/* The backend of that choice, or for auto the first that works here. NULL when it does not work, with the
 * reason as a negative errno in *error: for auto also ENOMEM, ENOBUFS, EMFILE or ENFILE of the first one. */
const struct witness_backend *witness_choose(int choice, int *error);

/* The backend of that name, whether it works or not; NULL when there is none. */
const struct witness_backend *witness_named(const char *name);

/* The sockets whose one end is a lane: `address` with a port in `ports`. */
enum { MORE_ADDRESSES_MAX = 15 };
struct look_target {
    struct address address;
    struct port_range ports;
    int more_count; /* servers on other addresses, of the same family */
    struct address more[MORE_ADDRESSES_MAX];
    /* Called again and again while a look lasts (every PULSE_SOCKETS sockets), for whoever waits for it.
     * NULL: nobody does. */
    void (*on_pulse)(void *context);
    void *pulse_context;
};

enum { PULSE_SOCKETS = 16384 };

/* The end that has a lane's address and port as its own is the server side, LISTEN included; the end that has
 * it as its peer is the client side. SIDE_COUNT: the socket has nothing to do with the lanes. */
enum side look_target_side(const struct look_target *target, const struct socket_entry *entry);

/* The look has met so many sockets: calls on_pulse when it is due. */
void look_target_pulse(const struct look_target *target, int64_t seen);

/* Counts both ends of every connection on the lanes. Returns as each() does. */
int witness_look(const struct witness_backend *backend, const struct look_target *target,
                 struct histogram sides[SIDE_COUNT]);

#endif
