/* look: a program that the kernel runs for each TCP socket of a network namespace (iter/tcp), in the place of
 * a message for each: it counts by side what histogram.h has. Whose sockets is for whoever reads it to say.
 */
#include "kernel_types.h"

#include "look_counts.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { AF_INET = 2 };
enum { SERVER, CLIENT, NOBODY };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct look_counts);
} looks SEC(".maps");

/* How two words differ; the compiler must not make one load of the kernel's memory and of the map's. */
static __always_inline __u64 difference(__u64 a, __u64 b)
{
    asm volatile("" : "+r"(a), "+r"(b));
    return a ^ b;
}

static __always_inline bool is_lane(const struct look_counts *aim, __u16 port, __be32 v4,
                                    const struct in6_addr *v6)
{
    if (port < aim->first_port || port > aim->last_port)
        return false;
    if (aim->family == AF_INET)
        return difference(v4, aim->address[0]) == 0;
    __u64 all = 0;
#pragma unroll
    for (int i = 0; i < 4; i++)
        all |= difference(v6->in6_u.u6_addr32[i], aim->address[i]);
    return all == 0;
}

static __always_inline int side_of(const struct look_counts *aim, const struct sock_common *socket)
{
    if (socket->skc_family != aim->family)
        return NOBODY;
    if (is_lane(aim, socket->skc_num, socket->skc_rcv_saddr, &socket->skc_v6_rcv_saddr))
        return SERVER;
    return is_lane(aim, bpf_ntohs(socket->skc_dport), socket->skc_daddr, &socket->skc_v6_daddr) ? CLIENT
                                                                                                : NOBODY;
}

static __always_inline void count_full(struct side_counts *counts, const struct tcp_sock *tcp, __u32 state)
{
    const struct sock *sk = &tcp->inet_conn.icsk_inet.sk;
    bool is_owned = sk->sk_socket != NULL;
    if (state == LISTEN) {
        counts->queued += sk->sk_ack_backlog;
        return;
    }
    counts->owned += is_owned;
    if (state == FIN_WAIT2)
        counts->half_closed += is_owned;
    if (state != CLOSE_WAIT)
        return;
    counts->unowned += !is_owned;
    counts->unread += (__s32)(tcp->rcv_nxt - tcp->copied_seq) > 0;
}

/* Whoever reads is given a byte now and then, so that it can say that it lives. */
static __always_inline void give_pulse(struct look_counts *looked, struct bpf_iter_meta *meta)
{
    char byte = 0;
    if (++looked->seen % LOOK_PULSE == 0)
        bpf_seq_write(meta->seq, &byte, sizeof byte);
}

SEC("iter/tcp")
int count_socket(struct bpf_iter__tcp *context)
{
    __u32 zero = 0;
    struct sock_common *socket = context->sk_common;
    struct look_counts *looked = bpf_map_lookup_elem(&looks, &zero);
    if (socket == NULL || looked == NULL)
        return 0;
    give_pulse(looked, context->meta);
    int side = side_of(looked, socket);
    if (side == NOBODY)
        return 0;
    struct side_counts *counts = &looked->side[side & 1];
    __u32 state = socket->skc_state;
    if (state == TIME_WAIT) {
        struct tcp_timewait_sock *small = bpf_skc_to_tcp_timewait_sock(socket);
        if (small == NULL)
            return 0;
        state = small->tw_sk.tw_substate;
    } else if (state == NEW_SYN_RECV) {
        state = SYN_RECV;
    } else {
        struct tcp_sock *tcp = bpf_skc_to_tcp_sock(socket);
        if (tcp == NULL)
            return 0;
        count_full(counts, tcp, state);
    }
    counts->of[state & (LOOK_STATES - 1)]++;
    return 0;
}
