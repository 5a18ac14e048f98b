/* kernel_types: those fields of the kernel's structures that the programs read. Where they lie in the running
 * kernel is told by its type information (BTF) when the programs are loaded; order and size here mean
 * nothing. */
#ifndef EVENTS_BPF_KERNEL_TYPES_H
#define EVENTS_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <stdbool.h>

/* include/net/tcp_states.h */
enum {
    ESTABLISHED = 1,
    SYN_RECV = 3,
    FIN_WAIT2 = 5,
    TIME_WAIT = 6,
    CLOSE = 7,
    CLOSE_WAIT = 8,
    LAST_ACK = 9,
    LISTEN = 10,
    NEW_SYN_RECV = 12,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net *net;
} possible_net_t;

struct hlist_node {
    struct hlist_node **pprev; /* NULL: in no chain */
};

struct in6_addr {
    union {
        __be32 u6_addr32[4];
    } in6_u;
};

struct sock_common {
    __be32 skc_daddr, skc_rcv_saddr;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
    unsigned short skc_family;
    struct hlist_node skc_node;
    __be16 skc_dport;
    unsigned char skc_state;
    possible_net_t skc_net;
    __u16 skc_num;
    struct {
        __s64 counter;
    } skc_cookie;
};

typedef struct {
    int owned; /* by a process, in a system call; else softirqs are off on this CPU */
} socket_lock_t;

struct sock {
    struct sock_common __sk_common;
    socket_lock_t sk_lock;
    struct socket *sk_socket; /* NULL: no process has a descriptor */
    __u32 sk_ack_backlog;     /* of a listener: connections that wait for accept() */
    int sk_err;
};

struct inet_sock {
    struct sock sk;
    __be16 inet_sport;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u32 rcv_nxt, copied_seq;
    __u32 snd_una;   /* the first byte that is not acknowledged */
    __u32 write_seq; /* behind the last one that is to be sent, FIN included */
};

struct inet_bind_bucket;

struct inet_timewait_sock {
    struct sock_common __tw_common;
    unsigned char tw_substate;
    __be16 tw_sport;
    struct inet_bind_bucket *tw_tb; /* NULL when it has left the port */
};

struct tcp_timewait_sock {
    struct inet_timewait_sock tw_sk;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
};

/* What a program of iter/tcp is called with. */
struct bpf_iter__tcp {
    struct bpf_iter_meta *meta;
    struct sock_common *sk_common; /* NULL: there are no more */
};

struct request_sock {
    struct sock_common __req_common;
};

#pragma clang attribute pop

#endif
