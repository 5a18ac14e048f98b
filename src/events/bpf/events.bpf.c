/* events: programs that the kernel runs at each transition of a TCP socket. They add to counters in mapped
 * memory; nothing is sent, so nothing can be lost on the way.
 *
 * Built twice: as "events" with all of them, and with -DSTATES_ONLY as "states" for kernels that refuse
 * fentry and fexit.
 *
 * A program cannot run inside itself: when a softirq interrupts it on its CPU, the kernel skips it there, and
 * what the softirq did to other sockets goes unheard (recursion_misses). Therefore what may be interrupted is
 * attached twice. Whichever copy is first leaves a token, and the second one finds it and returns; where the
 * first was skipped the second counts. Softirqs do not nest, so that one of both always hears; from Linux 7.0
 * on tracepoints can be preempted too, which `can_be_preempted` forbids them.
 */
#include "kernel_types.h"

#include "event_slot.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Written before loading. */
const volatile __u32 slot_mask = 0;
const volatile __u32 can_be_preempted = 0;

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/* As in the kernel: include/net/tcp_states.h, include/uapi/asm-generic/errno.h. */
enum { ESTABLISHED = 1, SYN_RECV = 3, FIN_WAIT2 = 5, TIME_WAIT = 6, CLOSE = 7, LISTEN = 10 };
enum {
    EPIPE = 32,
    ENETUNREACH = 101,
    ECONNRESET = 104,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
};
enum { ORDERLY, RESET, TIMED_OUT };
enum { SERVER, CLIENT, NOBODY };
enum copy { COPY_A, COPY_B };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* as many as slot_mask + 1, set before loading */
    __type(key, __u32);
    __type(value, struct event_slot);
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct event_target);
} target SEC(".maps");

static __always_inline struct event_slot *own_slot(void)
{
    __u32 i = bpf_get_smp_processor_id() & slot_mask;
    return bpf_map_lookup_elem(&slots, &i);
}

/* An index that the kernel's verifier sees to be less than `count`, whatever the compiler knows of it. */
#define WITHIN(count, index)                                                                                 \
    ({                                                                                                       \
        __u64 within_ = (index);                                                                             \
        asm volatile("" : "+r"(within_));                                                                    \
        within_ &((count)-1);                                                                                \
    })
#define SIDE(side)   WITHIN(SLOT_SIDES, (__u64)(side))
#define STATE(state) WITHIN(SLOT_STATES, state)
#define WHY(why)     WITHIN(SLOT_WHYS, why)
#define PORT(port)   WITHIN(PORTS, port)

/* Atomic: the other copy may run on this CPU in between. */
static __always_inline void add_one(event_count *count)
{
    __sync_fetch_and_add(count, 1);
}

/* ---- which of both copies counts ---- */

struct token {
    __u64 socket;
    __u32 what;
    __u32 by;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct token);
} cpu_tokens SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, THREAD_TOKENS);
    __type(key, __u32);
    __type(value, struct token);
} thread_tokens SEC(".maps");

/* A socket that a process holds is worked on by its thread, which may be interrupted and moved; any other one
 * with softirqs off, by whichever CPU. */
static __always_inline struct token *place_of_token(const struct sock *sk)
{
    __u32 i = 0;
    if (sk->sk_lock.owned == 0)
        return bpf_map_lookup_elem(&cpu_tokens, &i);
    i = (__u32)bpf_get_current_pid_tgid() & (THREAD_TOKENS - 1);
    return bpf_map_lookup_elem(&thread_tokens, &i);
}

static __always_inline bool has_been_counted(const struct sock *sk, __u32 what, enum copy copy)
{
    struct token *token = place_of_token(sk);
    if (token == NULL)
        return false;
    bool counted = token->socket == (__u64)sk && token->what == what && token->by != copy;
    token->socket = counted ? 0 : (__u64)sk;
    token->what = what;
    token->by = copy;
    return counted;
}

/* ---- whose sockets count, and on which side they are ---- */

static __always_inline int side_of(const struct sock_common *socket, __u16 own_port, bool listens)
{
    __u32 zero = 0;
    struct event_target *aim = bpf_map_lookup_elem(&target, &zero);
    if (aim == NULL || socket->skc_net.net->ns.inum != aim->netns)
        return NOBODY;
    if (listens && aim->all)
        aim->serves[PORT(own_port)] = 1;
    if (aim->serves[PORT(own_port)])
        return SERVER;
    return aim->all || aim->serves[PORT(bpf_ntohs(socket->skc_dport))] ? CLIENT : NOBODY;
}

/* skc_num is 0 as soon as the socket has left its port. */
static __always_inline int side_of_full(const struct sock *sk, bool listens)
{
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock((void *)sk);
    if (tcp == NULL)
        return NOBODY;
    return side_of(&sk->__sk_common, bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport), listens);
}

static __always_inline __u32 why_of(const struct sock *sk)
{
    switch (sk->sk_err) {
    case ECONNRESET:
    case EPIPE:
    case ECONNREFUSED:
        return RESET;
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return TIMED_OUT;
    default:
        return ORDERLY;
    }
}

/* ---- how long a sample of the sockets stays in each state ---- */

struct sampled {
    __u64 since_ns;
    __u32 state;
    __u32 is_small; /* the full socket has ended, a small one has its cookie and goes on */
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, SAMPLED_MAX);
    __type(key, __u64);
    __type(value, struct sampled);
} samples SEC(".maps");

/* Cookies are given in turn, the ends of a connection alternate: a hash, so that both are sampled. */
static __always_inline bool is_sampled(__u64 cookie)
{
    return cookie != 0 && (cookie * 0x9e3779b97f4a7c15ULL) >> 60 == 0;
}

/* The logarithm to base 2. */
static __always_inline __u32 bucket_of(__u64 ns)
{
    __u64 n = ns / SLOT_FIRST_NS;
    __u32 bucket = 0;
#pragma unroll
    for (__u32 step = 32; step != 0; step /= 2) {
        if (n >> step != 0) {
            n >>= step;
            bucket += step;
        }
    }
    return bucket;
}

static __always_inline void note_stay(struct event_slot *slot, int side, __u32 state, __u64 ns)
{
    add_one(&slot->dwell[SIDE(side)][STATE(state)][WITHIN(SLOT_BUCKETS, bucket_of(ns))]);
    event_count *longest = &slot->longest_ns[SIDE(side)][STATE(state)];
    if (ns > *longest)
        *longest = ns;
}

static __always_inline void begin_sample(struct event_slot *slot, __u64 cookie, __u32 state)
{
    struct sampled sampled = {.since_ns = bpf_ktime_get_ns(), .state = state};
    if (bpf_map_update_elem(&samples, &cookie, &sampled, BPF_ANY) != 0)
        add_one(&slot->dropped);
}

/* It leaves `from`, and enters `to`; CLOSE: it ends. */
static __always_inline void move_sample(struct event_slot *slot, int side, __u64 cookie,
                                        struct sampled *sampled, __u32 from, __u32 to)
{
    __u64 now = bpf_ktime_get_ns();
    if (sampled->state == from)
        note_stay(slot, side, from, now - sampled->since_ns);
    else
        add_one(&slot->holes);
    if (to == CLOSE) {
        bpf_map_delete_elem(&samples, &cookie);
    } else if (to != from) {
        sampled->state = to;
        sampled->since_ns = now;
    }
}

static __always_inline void sample_full(struct event_slot *slot, int side, const struct sock *sk, __u32 from,
                                        __u32 to)
{
    if (from == LISTEN && to == SYN_RECV)
        return; /* the clone still has the listener's cookie */
    __u64 cookie = bpf_get_socket_cookie((void *)sk);
    if (!is_sampled(cookie))
        return;
    struct sampled *sampled = bpf_map_lookup_elem(&samples, &cookie);
    if (sampled != NULL && !(sampled->is_small && to == CLOSE))
        move_sample(slot, side, cookie, sampled, from, to);
    else if (sampled == NULL && to != CLOSE)
        begin_sample(slot, cookie, to);
}

/* ---- full sockets ---- */

static __always_inline void count_move(const struct sock *sk, __u32 from, __u32 to, enum copy copy)
{
    if (has_been_counted(sk, from << 8 | to, copy))
        return;
    struct event_slot *slot = own_slot();
    if (slot == NULL)
        return;
    if (copy == COPY_B)
        add_one(&slot->replaced);
    if (from == to || from >= SLOT_STATES || to >= SLOT_STATES)
        return;
    int side = side_of_full(sk, to == LISTEN || from == LISTEN);
    if (side == NOBODY)
        return;
    if (copy == COPY_B)
        add_one(&slot->doubled);
    __u32 why = to == CLOSE ? why_of(sk) : ORDERLY;
    add_one(&slot->moved[SIDE(side)][STATE(from)][STATE(to)][WHY(why)]);
    sample_full(slot, side, sk, from, to);
}

static __always_inline int hear_move(const struct sock *sk, int from, int to, enum copy copy)
{
    if (can_be_preempted)
        bpf_preempt_disable();
    count_move(sk, (__u32)from, (__u32)to, copy);
    if (can_be_preempted)
        bpf_preempt_enable();
    return 0;
}

/* Attached in the order in which they stand here: where both hear, A is the first. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(move_a, const struct sock *sk, const int from, const int to)
{
    return hear_move(sk, from, to, COPY_A);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(move_b, const struct sock *sk, const int from, const int to)
{
    return hear_move(sk, from, to, COPY_B);
}

/* ---- segments worth a word ---- */

#define COUNT_SEGMENT(tracepoint, counter)                                                                   \
    SEC("tp_btf/" #tracepoint)                                                                               \
    int BPF_PROG(counter##_segment, const struct sock *sk)                                                   \
    {                                                                                                        \
        struct event_slot *slot = own_slot();                                                                \
        if (slot != NULL && sk != NULL && side_of_full(sk, false) != NOBODY)                                 \
            add_one(&slot->counter);                                                                         \
        return 0;                                                                                            \
    }

COUNT_SEGMENT(tcp_send_reset, resets_sent)
COUNT_SEGMENT(tcp_receive_reset, resets_received)
COUNT_SEGMENT(tcp_retransmit_skb, retransmitted)

#ifndef STATES_ONLY

/* ---- small sockets: TIME_WAIT, and FIN_WAIT2 that no process has ---- */

static __always_inline __u32 small_index(__u32 state)
{
    return WITHIN(SLOT_SMALL, state == FIN_WAIT2 ? SMALL_FIN_WAIT2 : SMALL_TIME_WAIT);
}

static __always_inline struct sampled *sample_of(__u64 cookie)
{
    return is_sampled(cookie) ? bpf_map_lookup_elem(&samples, &cookie) : NULL;
}

/* `small` is NULL where net.ipv4.tcp_max_tw_buckets are in use, or memory is: then the full socket ends. */
static __always_inline void count_small(const struct sock *sk, const void *small, __u32 state, enum copy copy)
{
    if (has_been_counted(sk, 1U << 16 | state, copy))
        return;
    struct event_slot *slot = own_slot();
    if (slot == NULL)
        return;
    if (copy == COPY_B)
        add_one(&slot->small_replaced);
    int side = side_of_full(sk, false);
    __u32 from = sk->__sk_common.skc_state;
    if (small == NULL || side == NOBODY || from >= SLOT_STATES)
        return;
    add_one(&slot->small_begun[SIDE(side)][STATE(from)][small_index(state)][WHY(why_of(sk))]);
    __u64 cookie = bpf_get_socket_cookie((void *)sk);
    struct sampled *sampled = sample_of(cookie);
    if (sampled == NULL)
        return;
    sampled->is_small = 1;
    if (state != from)
        move_sample(slot, side, cookie, sampled, from, state);
}

static __always_inline int hear_small(__u64 *context, enum copy copy)
{
    const struct sock *sk = (const struct sock *)context[0];
    __u64 small = 0;
    bpf_get_func_ret(context, &small);
    if (can_be_preempted)
        bpf_preempt_disable();
    count_small(sk, (const void *)small, (__u32)context[2], copy);
    if (can_be_preempted)
        bpf_preempt_enable();
    return 0;
}

/* inet_twsk_alloc(sk, death_row, state): called in system calls too, with softirqs on. */
SEC("fexit/inet_twsk_alloc")
int small_begins_a(__u64 *context)
{
    return hear_small(context, COPY_A);
}

SEC("fexit/inet_twsk_alloc")
int small_begins_b(__u64 *context)
{
    return hear_small(context, COPY_B);
}

static __always_inline int side_of_small(const struct inet_timewait_sock *small)
{
    return side_of(&small->__tw_common, bpf_ntohs(small->tw_sport), false);
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct token); /* what: its state before */
} processed SEC(".maps");

/* What follows is called with softirqs off only. A FIN moves an orphaned FIN_WAIT2 on to TIME_WAIT: the state
 * before and after. */
SEC("fentry/tcp_timewait_state_process")
int BPF_PROG(small_is_processed, struct inet_timewait_sock *small)
{
    __u32 zero = 0;
    struct token *before = bpf_map_lookup_elem(&processed, &zero);
    if (before != NULL) {
        before->socket = (__u64)small;
        before->what = small->tw_substate;
    }
    return 0;
}

SEC("fexit/tcp_timewait_state_process")
int BPF_PROG(small_was_processed, struct inet_timewait_sock *small)
{
    __u32 zero = 0;
    struct token *before = bpf_map_lookup_elem(&processed, &zero);
    struct event_slot *slot = own_slot();
    if (before == NULL)
        return 0;
    before->socket = 0;
    if (slot == NULL || before->what != FIN_WAIT2 || small->tw_substate != TIME_WAIT)
        return 0;
    int side = side_of_small(small);
    if (side == NOBODY)
        return 0;
    add_one(&slot->small_moved[SIDE(side)]);
    __u64 cookie = (__u64)small->__tw_common.skc_cookie.counter;
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, cookie, sampled, FIN_WAIT2, TIME_WAIT);
    return 0;
}

/* Called once more for one that has lost its port to connect() already. */
SEC("fentry/inet_twsk_bind_unhash")
int BPF_PROG(small_ends, struct inet_timewait_sock *small)
{
    struct event_slot *slot = own_slot();
    if (slot == NULL || small->tw_tb == NULL)
        return 0;
    int side = side_of_small(small);
    if (side == NOBODY)
        return 0;
    __u32 zero = 0, state = small->tw_substate;
    struct token *processing = bpf_map_lookup_elem(&processed, &zero);
    __u32 by_timer = state == FIN_WAIT2 ? TIMED_OUT : ORDERLY;
    __u32 why = processing != NULL && processing->socket == (__u64)small ? RESET : by_timer;
    add_one(&slot->small_ended[SIDE(side)][small_index(state)][WHY(why)]);
    __u64 cookie = (__u64)small->__tw_common.skc_cookie.counter;
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, cookie, sampled, state, CLOSE);
    return 0;
}

/* ---- requests: SYN_RECV before there is a full socket, which inherits the cookie ---- */

static __always_inline int side_of_request(const struct request_sock *request)
{
    return side_of(&request->__req_common, request->__req_common.skc_num, true);
}

/* inet_csk_reqsk_queue_hash_add(sk, request, ...): returns nothing, or whether it was added, as the kernel's
 * version has it; one that was added is in a chain. Its SYN|ACK is sent afterwards. */
SEC("fexit/inet_csk_reqsk_queue_hash_add")
int request_begins(__u64 *context)
{
    struct request_sock *request = (struct request_sock *)context[1];
    struct event_slot *slot = own_slot();
    if (slot == NULL || request->__req_common.skc_node.pprev == NULL)
        return 0;
    int side = side_of_request(request);
    if (side == NOBODY)
        return 0;
    add_one(&slot->request_begun[SIDE(side)]);
    __u64 cookie = bpf_get_socket_cookie(request);
    if (is_sampled(cookie))
        begin_sample(slot, cookie, SYN_RECV);
    return 0;
}

/* inet_csk_complete_hashdance(sk, child, request, own_req): without own_req another CPU was faster. */
SEC("fentry/inet_csk_complete_hashdance")
int request_becomes_socket(__u64 *context)
{
    struct request_sock *request = (struct request_sock *)context[2];
    struct event_slot *slot = own_slot();
    if (slot == NULL || (context[3] & 0xff) == 0)
        return 0;
    int side = side_of_request(request);
    if (side != NOBODY)
        add_one(&slot->request_became_socket[SIDE(side)]);
    return 0;
}

/* __inet_csk_reqsk_queue_drop(sk, request, from_timer): whether it was in a chain until now. */
SEC("fexit/__inet_csk_reqsk_queue_drop")
int request_is_dropped(__u64 *context)
{
    struct request_sock *request = (struct request_sock *)context[1];
    struct event_slot *slot = own_slot();
    __u64 was_there = 0;
    bpf_get_func_ret(context, &was_there);
    if (slot == NULL || (was_there & 0xff) == 0)
        return 0;
    int side = side_of_request(request);
    if (side == NOBODY)
        return 0;
    add_one(&slot->request_dropped[SIDE(side)][WHY((context[2] & 0xff) != 0 ? TIMED_OUT : RESET)]);
    __u64 cookie = bpf_get_socket_cookie(request);
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, cookie, sampled, SYN_RECV, CLOSE);
    return 0;
}

#endif
