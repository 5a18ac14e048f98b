/* sock_diag: the netlink witness (NETLINK_SOCK_DIAG, man 7 sock_diag). The dump is streamed: no message is
 * kept. The parser stands apart from the socket so that recorded bytes can be put through it. heard_ms is the
 * smaller of tcpi_last_ack_recv and tcpi_last_data_recv, which the kernel adds only when asked. */
#ifndef KERNEL_SOCK_DIAG_H
#define KERNEL_SOCK_DIAG_H

#include "kernel/tcp_life.h"
#include "kernel/witness.h"

#include <stddef.h>
#include <stdint.h>

enum { SOCK_DIAG_MORE = 1 };

/* Walks the messages of one received buffer. Returns SOCK_DIAG_MORE when the dump goes on, 0 when it is
 * complete, -EINTR when the kernel flagged it as interrupted, -EBADMSG when a message is cut short, -EPROTO
 * when it answers another request than `sequence`, the kernel's own error, or what on_entry returned. */
int sock_diag_parse(const void *buffer, size_t length, uint32_t sequence, on_socket *on_entry, void *context);

/* What idiag_timer says (net/ipv4/inet_diag.c). */
enum socket_timer {
    SOCKET_TIMER_NONE,
    SOCKET_TIMER_RETRANSMIT,
    SOCKET_TIMER_KEEPALIVE,
    SOCKET_TIMER_TIME_WAIT,
    SOCKET_TIMER_ZERO_WINDOW,
};

/* One socket with all that the kernel tells of it to anybody. */
struct socket_life {
    struct socket_entry entry;
    uint64_t cookie; /* the same in every dump, and never used again */
    uint32_t user;   /* who made it; 0 also of one that has no inode */
    enum socket_timer timer;
    int64_t timer_ms; /* until it fires; -1: none runs */
    int probes;       /* what that timer has sent again so far */
    bool is_mptcp;    /* one path of an MPTCP connection (its ULP): the connection's own state is another */
    struct tcp_life life;
};

/* Called for each socket; anything but 0 ends the dump with that value. */
typedef int on_socket_life(void *context, const struct socket_life *socket);

/* As sock_diag_parse(). */
int sock_diag_parse_lives(const void *buffer, size_t length, uint32_t sequence, on_socket_life *on_life,
                          void *context);

/* Streams the sockets of a family in one of these states (a set, see STATE_SET). Costs a third more than the
 * plain look: 1.2 us a socket. Returns as struct witness_backend's each(). */
int sock_diag_each_life(int family, uint32_t states, const struct port_range *only, on_socket_life *on_life,
                        void *context);

/* As struct witness_backend's each() or each_detailed(), of the network namespace in which `netlink` was
 * made, a socket of NETLINK_SOCK_DIAG that was asked nothing before. */
int sock_diag_each_by(int netlink, bool detailed, int family, const struct port_range *only,
                      on_socket *on_entry, void *context);

/* Likewise the MPTCP connections (RFC 8684) in one of these states. Theirs is the state that the program
 * sees: a DATA_FIN ends a half while the TCP connections below go on. They have the inode of those, an unread
 * count that is of the kernel's memory, and no life. ENOENT: this kernel cannot tell of any. */
int sock_diag_each_mptcp(int family, uint32_t states, on_socket_life *on_life, void *context);

#endif
