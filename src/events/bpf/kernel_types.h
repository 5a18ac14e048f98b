/* kernel_types: those fields of the kernel's structures that the programs read. Where they lie in the running
 * kernel is told by its type information (BTF) when the programs are loaded; order and size here mean
 * nothing. */
#ifndef EVENTS_BPF_KERNEL_TYPES_H
#define EVENTS_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <stdbool.h>

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

struct sock_common {
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
    int sk_err;
};

struct inet_sock {
    __be16 inet_sport;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
};

struct inet_bind_bucket;

struct inet_timewait_sock {
    struct sock_common __tw_common;
    unsigned char tw_substate;
    __be16 tw_sport;
    struct inet_bind_bucket *tw_tb; /* NULL when it has left the port */
};

struct request_sock {
    struct sock_common __req_common;
};

#pragma clang attribute pop

#endif
