/* events: programs that the kernel runs at each transition of a TCP socket. They add to counters in mapped
 * memory; nothing is sent, so nothing can be lost on the way.
 *
 * Built twice: as "events" with all of them, and with -DSTATES_ONLY as "states" for kernels that refuse
 * fentry and fexit.
 *
 * A program cannot run inside itself: when a softirq interrupts it on its CPU, the kernel skips it there, and
 * what the softirq did to other sockets goes unheard (recursion_misses). Therefore what may be interrupted is
 * attached twice. Whichever copy is first leaves a token, and the second one finds it and returns; where the
 * first was skipped the second counts. Softirqs do not nest, so that one of both always hears.
 *
 * From Linux 7.0 on tracepoints can be preempted too. `can_be_preempted` forbids it to the programs, but not
 * to what the kernel does around them, and a thread that is preempted there keeps its program from all others
 * on its CPU until it goes on. When hundreds of threads close at once, some keep both copies so, and a third
 * would be kept as well (tried). The kernel counts what was missed; then the events give no verdict.
 */
#include "kernel_types.h"

#include "event_slot.h"
#include "samples.h"
#include "slot_writing.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Written before loading. */
const volatile __u32 slot_mask = 0; /* of the slots in a row */
const volatile __u32 row_count = 1;
const volatile __u32 can_be_preempted = 0;

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/* As in the kernel: include/uapi/asm-generic/errno.h. */
enum {
    EPIPE = 32,
    ENETUNREACH = 101,
    ECONNABORTED = 103,
    ECONNRESET = 104,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
};
enum { ORDERLY, RESET, TIMED_OUT, DESTROYED, UNACKNOWLEDGED };
enum { SERVER, CLIENT };
enum copy { COPY_A, COPY_B };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* as many as row_count * (slot_mask + 1), set before loading */
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

/* This CPU's. */
static __always_inline struct event_slot *slot_in_row(__u32 row)
{
    __u32 i = row * (slot_mask + 1) + (bpf_get_smp_processor_id() & slot_mask);
    return bpf_map_lookup_elem(&slots, &i);
}

/* ---- which of both copies counts ---- */

struct token {
    __u64 socket, what;
};

/* Index 1: of what a process holds. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct token);
} cpu_tokens SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, THREAD_TOKENS);
    __type(key, __u32);
    __type(value, struct token);
} thread_tokens SEC(".maps");

/* A socket that no process holds is worked on with softirqs off, by whichever CPU. One that a process holds
 * is worked on by its thread, which may be interrupted, and where it can be preempted between the first copy
 * and the second it may go on on another CPU. */
static __always_inline struct token *place_of_token(const struct sock *sk, bool moves_between)
{
    __u32 i = sk->sk_lock.owned != 0;
    if (i == 0 || !moves_between)
        return bpf_map_lookup_elem(&cpu_tokens, &i);
    i = (__u32)bpf_get_current_pid_tgid() & (THREAD_TOKENS - 1);
    return bpf_map_lookup_elem(&thread_tokens, &i);
}

static __always_inline void leave_token(struct token *place, const struct sock *sk, __u64 what)
{
    place->socket = (__u64)sk;
    place->what = what;
}

static __always_inline bool take_token(struct token *place, const struct sock *sk, __u64 what)
{
    if (place->socket != (__u64)sk || place->what != what)
        return false;
    place->socket = 0;
    return true;
}

/* ---- whose sockets count, on which side they are, and where ---- */

/* Of two CPUs that come at the same time one has its row, and the other's stays empty. */
static __always_inline void give_row(struct event_target *aim, __u16 port)
{
    if (row_count == 1 || aim->row_of[PORT(port)] != 0 || aim->rows_used >= row_count)
        return;
    __u32 row = __sync_fetch_and_add(&aim->rows_used, 1);
    if (row >= row_count)
        return;
    aim->port_of[WITHIN(ROWS_MAX, row)] = port;
    __sync_val_compare_and_swap(&aim->row_of[PORT(port)], 0, row);
}

static __always_inline bool serves(const struct event_target *aim, __u16 port)
{
    return aim->serves[WITHIN(PORT_WORDS, port / PORTS_IN_WORD)] >> port % PORTS_IN_WORD & 1;
}

static __always_inline void begin_to_serve(struct event_target *aim, __u16 port)
{
    __sync_fetch_and_or(&aim->serves[WITHIN(PORT_WORDS, port / PORTS_IN_WORD)], 1ULL << port % PORTS_IN_WORD);
    give_row(aim, port);
}

/* NULL: it does not count. */
static __always_inline struct event_slot *slot_of(const struct sock_common *socket, __u16 own_port,
                                                  bool listens, int *side)
{
    __u32 zero = 0;
    struct event_target *aim = bpf_map_lookup_elem(&target, &zero);
    if (aim == NULL || socket->skc_net.net->ns.inum != aim->netns)
        return NULL;
    if (listens && aim->all)
        begin_to_serve(aim, own_port);
    __u16 port = own_port;
    *side = SERVER;
    if (!serves(aim, own_port)) {
        port = bpf_ntohs(socket->skc_dport);
        *side = CLIENT;
        if (!aim->all && !serves(aim, port))
            return NULL;
    }
    return slot_in_row(row_count == 1 ? 0 : aim->row_of[PORT(port)]);
}

/* skc_num is 0 as soon as the socket has left its port; until then it is nearer than inet_sport. */
static __always_inline struct event_slot *slot_of_full(const struct tcp_sock *tcp, bool listens, int *side)
{
    const struct inet_sock *inet = &tcp->inet_conn.icsk_inet;
    __u16 own_port = inet->sk.__sk_common.skc_num;
    return slot_of(&inet->sk.__sk_common, own_port != 0 ? own_port : bpf_ntohs(inet->inet_sport), listens,
                   side);
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
    case ECONNABORTED: /* tcp_abort(), by SOCK_DESTROY of sock_diag or bpf_sock_destroy() */
        return DESTROYED;
    default:
        return ORDERLY;
    }
}

/* The ACK of the FIN ends LAST_ACK; without an error so do close() with SO_LINGER 0 and a lack of room for
 * orphans. */
static __always_inline __u32 why_closed(const struct tcp_sock *tcp, __u32 from)
{
    __u32 why = why_of(&tcp->inet_conn.icsk_inet.sk);
    if (why == ORDERLY && from == LAST_ACK && tcp->snd_una != tcp->write_seq)
        return UNACKNOWLEDGED;
    return why;
}

/* ---- how long a sample of the sockets stays in each state ---- */

/* A socket has none until somebody asks for it. */
static __always_inline __u64 cookie_of(const struct sock *sk)
{
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    return cookie != 0 ? cookie : bpf_get_socket_cookie((void *)sk);
}

static __always_inline void sample_full(struct event_slot *slot, int side, const struct sock *sk, __u32 from,
                                        __u32 to)
{
    if (from == LISTEN && to == SYN_RECV)
        return; /* the clone still has the listener's cookie */
    __u64 cookie = cookie_of(sk);
    if (!is_sampled(cookie))
        return;
    struct sampled *sampled = find_sample(cookie);
    if (sampled != NULL && !(sampled->entered & IS_SMALL && to == CLOSE))
        move_sample(slot, side, sampled, from, to);
    else if (sampled == NULL && to != CLOSE)
        begin_sample(slot, cookie, to);
}

/* ---- full sockets ---- */

/* Of all sockets of the machine: whose it is does not matter. */
static __always_inline void note_replaced(void)
{
    struct event_slot *slot = slot_in_row(0);
    if (slot != NULL)
        add_one(&slot->replaced);
}

/* A is the first of both, and leaves a token, which B takes: what it does not find there A has not heard. */
static __always_inline void count_move(const struct sock *sk, __u32 from, __u32 to, enum copy copy)
{
    int side;
    struct token *place = place_of_token(sk, can_be_preempted);
    if (place == NULL)
        return;
    if (copy == COPY_A)
        leave_token(place, sk, from << 8 | to);
    else if (take_token(place, sk, from << 8 | to))
        return;
    else
        note_replaced();
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock((void *)sk);
    if (tcp == NULL || from == to || from >= SLOT_STATES || to >= SLOT_STATES)
        return;
    struct event_slot *slot = slot_of_full(tcp, to == LISTEN || from == LISTEN, &side);
    if (slot == NULL)
        return;
    if (copy == COPY_B)
        add_one(&slot->doubled);
    if (to == CLOSE)
        add_one(&slot->ended[SIDE(side)][STATE(from)][WHY(why_closed(tcp, from))]);
    else
        add_one(&slot->moved[SIDE(side)][STATE(from)][STATE(to)]);
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
        int side;                                                                                            \
        struct tcp_sock *tcp = sk != NULL ? bpf_skc_to_tcp_sock((void *)sk) : NULL;                          \
        struct event_slot *slot = tcp != NULL ? slot_of_full(tcp, false, &side) : NULL;                      \
        if (slot != NULL)                                                                                    \
            add_one(&slot->counter);                                                                         \
        return 0;                                                                                            \
    }

COUNT_SEGMENT(tcp_send_reset, resets_sent)
COUNT_SEGMENT(tcp_receive_reset, resets_received)
COUNT_SEGMENT(tcp_retransmit_skb, retransmitted)

#ifndef STATES_ONLY

/* ---- small sockets: TIME_WAIT, and FIN_WAIT2 whose process is gone ---- */

static __always_inline __u32 small_index(__u32 state)
{
    return WITHIN(SLOT_SMALL, state == FIN_WAIT2 ? SMALL_FIN_WAIT2 : SMALL_TIME_WAIT);
}

static __always_inline struct sampled *sample_of(__u64 cookie)
{
    return is_sampled(cookie) ? find_sample(cookie) : NULL;
}

static __always_inline void note_small_replaced(__s64 more)
{
    struct event_slot *slot = slot_in_row(0);
    if (slot != NULL)
        __sync_fetch_and_add(&slot->small_replaced, more);
}

static __always_inline __u64 what_of_small(__u32 state, enum copy by)
{
    return 1ULL << 16 | by << 8 | state;
}

/* Which copy comes first is the kernel's affair here: each leaves a token for the other one. Those that B has
 * heard and A has not taken over are those that A has missed.
 * `small` is NULL where net.ipv4.tcp_max_tw_buckets are in use, or memory is: then the full socket ends. */
static __always_inline void count_small(const struct sock *sk, const void *small, __u32 state, enum copy copy)
{
    int side;
    struct token *place = place_of_token(sk, true);
    if (place == NULL)
        return;
    bool was_counted = take_token(place, sk, what_of_small(state, copy == COPY_A ? COPY_B : COPY_A));
    if (copy == COPY_B && !was_counted)
        note_small_replaced(1);
    if (copy == COPY_A && was_counted)
        note_small_replaced(-1);
    if (was_counted)
        return;
    leave_token(place, sk, what_of_small(state, copy));
    __u32 from = sk->__sk_common.skc_state;
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock((void *)sk);
    if (tcp == NULL || small == NULL || from >= SLOT_STATES)
        return;
    struct event_slot *slot = slot_of_full(tcp, false, &side);
    if (slot == NULL)
        return;
    add_one(&slot->small_begun[SIDE(side)][STATE(from)][small_index(state)][WHY(why_of(sk))]);
    __u64 cookie = cookie_of(sk);
    struct sampled *sampled = sample_of(cookie);
    if (sampled == NULL)
        return;
    sampled->entered |= IS_SMALL;
    if (state != from)
        move_sample(slot, side, sampled, from, state);
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

static __always_inline struct event_slot *slot_of_small(const struct inet_timewait_sock *small, int *side)
{
    return slot_of(&small->__tw_common, bpf_ntohs(small->tw_sport), false, side);
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
    int side;
    __u32 zero = 0;
    struct token *before = bpf_map_lookup_elem(&processed, &zero);
    if (before == NULL)
        return 0;
    before->socket = 0;
    if (before->what != FIN_WAIT2 || small->tw_substate != TIME_WAIT)
        return 0;
    struct event_slot *slot = slot_of_small(small, &side);
    if (slot == NULL)
        return 0;
    add_one(&slot->small_moved[SIDE(side)]);
    __u64 cookie = (__u64)small->__tw_common.skc_cookie.counter;
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, sampled, FIN_WAIT2, TIME_WAIT);
    return 0;
}

/* Called once more for one that has lost its port to connect() already. */
SEC("fentry/inet_twsk_bind_unhash")
int BPF_PROG(small_ends, struct inet_timewait_sock *small)
{
    int side;
    if (small->tw_tb == NULL)
        return 0;
    struct event_slot *slot = slot_of_small(small, &side);
    if (slot == NULL)
        return 0;
    __u32 zero = 0, state = small->tw_substate;
    struct token *processing = bpf_map_lookup_elem(&processed, &zero);
    __u32 by_timer = state == FIN_WAIT2 ? TIMED_OUT : ORDERLY;
    __u32 why = processing != NULL && processing->socket == (__u64)small ? RESET : by_timer;
    add_one(&slot->small_ended[SIDE(side)][small_index(state)][WHY(why)]);
    __u64 cookie = (__u64)small->__tw_common.skc_cookie.counter;
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, sampled, state, CLOSE);
    return 0;
}

/* ---- requests: SYN_RECV before there is a full socket, which inherits the cookie ---- */

static __always_inline struct event_slot *slot_of_request(const struct request_sock *request, int *side)
{
    return slot_of(&request->__req_common, request->__req_common.skc_num, true, side);
}

/* inet_csk_reqsk_queue_hash_add(sk, request, ...): returns nothing, or whether it was added, as the kernel's
 * version has it; one that was added is in a chain. Its SYN|ACK is sent afterwards. */
SEC("fexit/inet_csk_reqsk_queue_hash_add")
int request_begins(__u64 *context)
{
    struct request_sock *request = (struct request_sock *)context[1];
    int side;
    if (request->__req_common.skc_node.pprev == NULL)
        return 0;
    struct event_slot *slot = slot_of_request(request, &side);
    if (slot == NULL)
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
    int side;
    if ((context[3] & 0xff) == 0)
        return 0;
    struct event_slot *slot = slot_of_request(request, &side);
    if (slot != NULL)
        add_one(&slot->request_became_socket[SIDE(side)]);
    return 0;
}

/* __inet_csk_reqsk_queue_drop(sk, request, from_timer): whether it was in a chain until now. */
SEC("fexit/__inet_csk_reqsk_queue_drop")
int request_is_dropped(__u64 *context)
{
    struct request_sock *request = (struct request_sock *)context[1];
    int side;
    __u64 was_there = 0;
    bpf_get_func_ret(context, &was_there);
    if ((was_there & 0xff) == 0)
        return 0;
    struct event_slot *slot = slot_of_request(request, &side);
    if (slot == NULL)
        return 0;
    add_one(&slot->request_dropped[SIDE(side)][WHY((context[2] & 0xff) != 0 ? TIMED_OUT : RESET)]);
    __u64 cookie = bpf_get_socket_cookie(request);
    struct sampled *sampled = sample_of(cookie);
    if (sampled != NULL)
        move_sample(slot, side, sampled, SYN_RECV, CLOSE);
    return 0;
}

#endif
