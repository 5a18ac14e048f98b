#include "kernel/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_SIZE = 32768, /* the kernel builds no larger dump message, whatever the detail */
    REQUEST_SIZE = 256,
    STATE_NEW_SYN_RECV = 12, /* how a SYN_RECV that is only a request is known inside the kernel */
};
/* States 1 to 12. Bit 13 would add sockets that are bound and nothing else (Linux 6.8). */
#define ALL_STATES 0x1ffeU
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
/* A bit of idiag_ext: tcp_info with every socket. */
#define WITH_TCP_INFO (1U << (INET_DIAG_INFO - 1))

/* The kernel's filter: local port in range, or remote port in range. A `no` must land on the chain of `yes`
 * jumps, so the way over the second half is an unconditional jump (net/ipv4/inet_diag.c, inet_diag_bc_audit).
 */
static void put_port_filter(struct nlmsghdr *request, const struct port_range *only)
{
    struct compare {
        struct inet_diag_bc_op op, port;
    };
    struct {
        struct compare local_low, local_high;
        struct inet_diag_bc_op accept;
        struct compare remote_low, remote_high;
    } filter;
    _Static_assert(sizeof filter == 36, "the offsets below are bytes");
    filter.local_low = (struct compare){{INET_DIAG_BC_S_GE, 8, 20}, {.no = only->first}};
    filter.local_high = (struct compare){{INET_DIAG_BC_S_LE, 8, 12}, {.no = only->last}};
    filter.accept = (struct inet_diag_bc_op){INET_DIAG_BC_JMP, 4, 20};
    filter.remote_low = (struct compare){{INET_DIAG_BC_D_GE, 8, 20}, {.no = only->first}};
    filter.remote_high = (struct compare){{INET_DIAG_BC_D_LE, 8, 12}, {.no = only->last}};
    mnl_attr_put(request, INET_DIAG_REQ_BYTECODE, sizeof filter, &filter);
}

/* What is asked for. */
struct question {
    int family;        /* AF_UNSPEC: both, in one walk over the kernel's table */
    uint32_t protocol; /* 0: TCP */
    uint32_t states;   /* a set */
    uint8_t extension; /* 0 or WITH_TCP_INFO */
    const struct port_range *only;
    int netlink; /* a socket to ask by, which stays its owner's; 0: one of this namespace is made */
};

/* The older form of the question takes no family: see inet_diag_dump_compat() in net/ipv4/inet_diag.c. */
static void ask_for_both(struct nlmsghdr *request, const struct question *question)
{
    request->nlmsg_type = TCPDIAG_GETSOCK;
    struct inet_diag_req *body = mnl_nlmsg_put_extra_header(request, sizeof *body);
    body->idiag_ext = question->extension;
    body->idiag_states = question->states;
    if (question->only != NULL)
        put_port_filter(request, question->only);
}

static void build_request(void *buffer, uint32_t sequence, const struct question *question)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = sequence;
    if (question->family == AF_UNSPEC) {
        ask_for_both(request, question);
        return;
    }
    struct inet_diag_req_v2 *body = mnl_nlmsg_put_extra_header(request, sizeof *body);
    body->sdiag_family = (uint8_t)question->family;
    body->sdiag_protocol = question->protocol == 0 ? IPPROTO_TCP : IPPROTO_RAW; /* that field has a byte */
    body->idiag_ext = question->extension;
    body->idiag_states = question->states;
    if (question->protocol != 0)
        mnl_attr_put_u32(request, INET_DIAG_REQ_PROTOCOL, question->protocol);
    if (question->only != NULL)
        put_port_filter(request, question->only);
}

static void copy_address(struct address *out, int family, const void *from)
{
    *out = (struct address){.family = family};
    memcpy(out->bytes, from, family == AF_INET ? 4 : 16);
}

static void take_info(const struct nlattr *attribute, struct socket_entry *entry)
{
    struct tcp_info info;
    const size_t needed = offsetof(struct tcp_info, tcpi_last_ack_recv) + sizeof info.tcpi_last_ack_recv;
    /* A socket that has heard nothing yet has times that mean nothing. */
    if (mnl_attr_get_payload_len(attribute) < needed || entry->state == STATE_LISTEN ||
        entry->state == STATE_SYN_SENT)
        return;
    memcpy(&info, mnl_attr_get_payload(attribute), needed);
    entry->heard_ms = info.tcpi_last_ack_recv < info.tcpi_last_data_recv ? info.tcpi_last_ack_recv
                                                                         : info.tcpi_last_data_recv;
    if (entry->state == STATE_ESTABLISHED) {
        entry->received_ms = info.tcpi_last_data_recv;
        entry->sent_ms = info.tcpi_last_data_sent;
        entry->acked_ms = info.tcpi_last_ack_recv;
    }
    if (entry->state != STATE_CLOSE_WAIT)
        return;
    struct tcp_life life;
    tcp_life_read(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute), &life);
    struct tcp_age fin = tcp_life_fin_age(&life, entry->state, entry->keeps_alive);
    entry->fin_most_ms = fin.least_ms >= 0 && fin.most_ms < INT64_MAX ? fin.most_ms : -1;
    entry->fin_with_data = tcp_life_fin_with_data(&life, entry->keeps_alive);
}

static void take_cgroup(const struct nlattr *attribute, struct socket_entry *entry)
{
    if (mnl_attr_get_type(attribute) == INET_DIAG_CGROUP_ID &&
        mnl_attr_get_payload_len(attribute) == sizeof entry->cgroup)
        memcpy(&entry->cgroup, mnl_attr_get_payload(attribute), sizeof entry->cgroup);
}

static void take_attributes(const struct nlmsghdr *message, struct socket_entry *entry)
{
    const struct nlattr *attribute;
    mnl_attr_for_each(attribute, message, sizeof(struct inet_diag_msg))
    {
        if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
            take_info(attribute, entry);
        else
            take_cgroup(attribute, entry);
    }
}

/* Returns 1, or 0 when it is in no state that we know, or -EBADMSG. */
static int read_entry(const struct nlmsghdr *message, struct socket_entry *entry)
{
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg))
        return -EBADMSG;
    const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
    unsigned state = body->idiag_state == STATE_NEW_SYN_RECV ? STATE_SYN_RECV : body->idiag_state;
    if (state == STATE_GONE || state >= STATE_COUNT)
        return 0;
    *entry = (struct socket_entry){
        .state = (enum tcp_state)state,
        .local_port = ntohs(body->id.idiag_sport),
        .remote_port = ntohs(body->id.idiag_dport),
        .ends_in_ms = body->idiag_timer == SOCKET_TIMER_TIME_WAIT ? (int64_t)body->idiag_expires : -1,
        .cookie = (uint64_t)body->id.idiag_cookie[1] << 32 | body->id.idiag_cookie[0],
        .inode = body->idiag_inode,
        .unread = body->idiag_rqueue,
        .unsent = state == STATE_LISTEN ? 0 : body->idiag_wqueue,
        .needs_window = body->idiag_timer == SOCKET_TIMER_ZERO_WINDOW,
        .keeps_alive = body->idiag_timer == SOCKET_TIMER_KEEPALIVE,
        .heard_ms = -1,
        .fin_most_ms = -1,
        .received_ms = -1,
        .sent_ms = -1,
        .acked_ms = -1,
        .backlog = state == STATE_LISTEN ? (int64_t)body->idiag_wqueue : -1,
    };
    copy_address(&entry->local, body->idiag_family, body->id.idiag_src);
    copy_address(&entry->remote, body->idiag_family, body->id.idiag_dst);
    return 1;
}

/* What is called with each message of a socket; anything but 0 ends the dump with that value. */
typedef int on_message(void *context, const struct nlmsghdr *message);

struct entry_reader {
    on_socket *on_entry;
    void *context;
};

static int pass_on_entry(void *context, const struct nlmsghdr *message)
{
    const struct entry_reader *reader = context;
    struct socket_entry entry;
    int rc = read_entry(message, &entry);
    if (rc <= 0)
        return rc;
    take_attributes(message, &entry);
    return reader->on_entry(reader->context, &entry);
}

/* ---- with its life ---- */

struct life_reader {
    on_socket_life *on_life;
    void *context;
};

static bool is_mptcp(const struct nlattr *ulp)
{
    const struct nlattr *attribute;
    mnl_attr_for_each_nested(attribute, ulp) if (mnl_attr_get_type(attribute) == INET_ULP_INFO_NAME)
    {
        uint16_t length = mnl_attr_get_payload_len(attribute);
        return length >= sizeof "mptcp" &&
               memcmp(mnl_attr_get_payload(attribute), "mptcp", sizeof "mptcp") == 0;
    }
    return false;
}

static void take_life_attributes(const struct nlmsghdr *message, struct socket_life *socket)
{
    const struct nlattr *attribute;
    mnl_attr_for_each(attribute, message, sizeof(struct inet_diag_msg))
    {
        uint16_t length = mnl_attr_get_payload_len(attribute);
        const void *payload = mnl_attr_get_payload(attribute);
        if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
            tcp_life_read(payload, length, &socket->life);
        else if (mnl_attr_get_type(attribute) == INET_DIAG_ULP_INFO)
            socket->is_mptcp = is_mptcp(attribute);
        else
            take_cgroup(attribute, &socket->entry);
    }
}

static int pass_on_life(void *context, const struct nlmsghdr *message)
{
    const struct life_reader *reader = context;
    struct socket_life socket = {.timer_ms = -1};
    int rc = read_entry(message, &socket.entry);
    if (rc <= 0)
        return rc;
    const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
    socket.cookie = socket.entry.cookie;
    socket.user = body->idiag_uid;
    socket.probes = body->idiag_retrans;
    if (body->idiag_timer > SOCKET_TIMER_NONE && body->idiag_timer <= SOCKET_TIMER_ZERO_WINDOW) {
        socket.timer = (enum socket_timer)body->idiag_timer;
        socket.timer_ms = body->idiag_expires;
    }
    take_life_attributes(message, &socket);
    return reader->on_life(reader->context, &socket);
}

/* ---- a dump ---- */

/* The error that NLMSG_DONE and NLMSG_ERROR carry: 0 or a negative errno. */
static int carried_error(const struct nlmsghdr *message)
{
    int error = 0;
    if (mnl_nlmsg_get_payload_len(message) >= sizeof error)
        memcpy(&error, mnl_nlmsg_get_payload(message), sizeof error);
    return error < 0 ? error : 0;
}

static int parse_messages(const void *buffer, size_t length, uint32_t sequence, on_message *each,
                          void *context)
{
    int left = (int)length;
    const struct nlmsghdr *message = buffer;
    for (; left >= (int)sizeof *message; message = mnl_nlmsg_next(message, &left)) {
        /* mnl_nlmsg_ok compares as int, and takes a length of 2 GiB and more for a small one. */
        if (message->nlmsg_len < sizeof *message || message->nlmsg_len > (size_t)left)
            return -EBADMSG;
        if (message->nlmsg_seq != sequence)
            return -EPROTO;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
            return -EINTR;
        if (message->nlmsg_type == NLMSG_DONE)
            return carried_error(message);
        if (message->nlmsg_type == NLMSG_ERROR) {
            int error = carried_error(message);
            return error != 0 ? error : -EPROTO;
        }
        if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY && message->nlmsg_type != TCPDIAG_GETSOCK)
            continue;
        int rc = each(context, message);
        if (rc != 0)
            return rc;
    }
    return left > 0 ? -EBADMSG : SOCK_DIAG_MORE;
}

int sock_diag_parse(const void *buffer, size_t length, uint32_t sequence, on_socket *on_entry, void *context)
{
    struct entry_reader reader = {on_entry, context};
    return parse_messages(buffer, length, sequence, pass_on_entry, &reader);
}

int sock_diag_parse_lives(const void *buffer, size_t length, uint32_t sequence, on_socket_life *on_life,
                          void *context)
{
    struct life_reader reader = {on_life, context};
    return parse_messages(buffer, length, sequence, pass_on_life, &reader);
}

static int receive_dump(struct mnl_socket *netlink, uint32_t sequence, on_message *each, void *context)
{
    _Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];
    int rc;
    do {
        ssize_t length = mnl_socket_recvfrom(netlink, buffer, sizeof buffer);
        if (length < 0 && errno == EINTR)
            rc = SOCK_DIAG_MORE;
        else if (length < 0)
            return errno == ENOSPC ? -EBADMSG : -errno; /* ENOSPC: libmnl's word for a truncated message */
        else
            rc = parse_messages(buffer, (size_t)length, sequence, each, context);
    } while (rc == SOCK_DIAG_MORE);
    return rc;
}

static int send_request(struct mnl_socket *netlink, const void *request)
{
    if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        return errno == EADDRINUSE ? -EBUSY : -errno; /* not to be taken for a TCP port in use */
    while (mnl_socket_sendto(netlink, request, ((const struct nlmsghdr *)request)->nlmsg_len) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* libmnl closes the descriptor that it has. NULL with errno. */
static struct mnl_socket *open_netlink(int given)
{
    if (given == 0)
        return mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    int copy = fcntl(given, F_DUPFD_CLOEXEC, 0);
    struct mnl_socket *netlink = copy >= 0 ? mnl_socket_fdopen(copy) : NULL;
    int error = errno;
    if (copy >= 0 && netlink == NULL)
        close(copy);
    errno = error;
    return netlink;
}

static int dump(const struct question *question, on_message *each, void *context)
{
    _Alignas(struct nlmsghdr) char request[REQUEST_SIZE] = {0};
    uint32_t sequence = (uint32_t)time(NULL);
    build_request(request, sequence, question);
    struct mnl_socket *netlink = open_netlink(question->netlink);
    if (netlink == NULL)
        return -errno;
    int rc = send_request(netlink, request);
    if (rc == 0)
        rc = receive_dump(netlink, sequence, each, context);
    mnl_socket_close(netlink);
    return rc;
}

static int dump_entries(const struct question *question, on_socket *on_entry, void *context)
{
    struct entry_reader reader = {on_entry, context};
    return dump(question, pass_on_entry, &reader);
}

int sock_diag_each_life(int family, uint32_t states, const struct port_range *only, on_socket_life *on_life,
                        void *context)
{
    const struct question question = {
        .family = family, .states = states & ALL_STATES, .extension = WITH_TCP_INFO, .only = only};
    struct life_reader reader = {on_life, context};
    return dump(&question, pass_on_life, &reader);
}

int sock_diag_each_mptcp(int family, uint32_t states, on_socket_life *on_life, void *context)
{
    const struct question question = {
        .family = family, .protocol = IPPROTO_MPTCP, .states = states & ALL_STATES};
    struct life_reader reader = {on_life, context};
    return dump(&question, pass_on_life, &reader);
}

static int sock_diag_each(int family, const struct port_range *only, on_socket *on_entry, void *context)
{
    const struct question question = {.family = family, .states = ALL_STATES, .only = only};
    return dump_entries(&question, on_entry, context);
}

static int sock_diag_each_detailed(int family, const struct port_range *only, on_socket *on_entry,
                                   void *context)
{
    const struct question question = {
        .family = family, .states = ALL_STATES, .extension = WITH_TCP_INFO, .only = only};
    return dump_entries(&question, on_entry, context);
}

int sock_diag_each_by(int netlink, bool detailed, int family, const struct port_range *only,
                      on_socket *on_entry, void *context)
{
    const struct question question = {.family = family,
                                      .states = ALL_STATES,
                                      .extension = detailed ? WITH_TCP_INFO : 0,
                                      .only = only,
                                      .netlink = netlink};
    return dump_entries(&question, on_entry, context);
}

static int sock_diag_each_listener(int family, const struct port_range *only, on_socket *on_entry,
                                   void *context)
{
    const struct question question = {.family = family, .states = STATE_SET(STATE_LISTEN), .only = only};
    return dump_entries(&question, on_entry, context);
}

static int sock_diag_each_in_states(uint32_t states, bool detailed, const struct port_range *only,
                                    on_socket *on_entry, void *context)
{
    const struct question question = {.family = AF_UNSPEC,
                                      .states = states & ALL_STATES,
                                      .extension = detailed ? WITH_TCP_INFO : 0,
                                      .only = only};
    return dump_entries(&question, on_entry, context);
}

static int ignore_socket(void *context, const struct socket_entry *entry)
{
    (void)context;
    (void)entry;
    return 0;
}

static int sock_diag_probe(void)
{
    const struct question question = {.family = AF_INET, .states = STATE_SET(STATE_LISTEN)};
    return dump_entries(&question, ignore_socket, NULL);
}

const struct witness_backend witness_netlink = {
    .name = "netlink",
    .each = sock_diag_each,
    .each_detailed = sock_diag_each_detailed,
    .each_listener = sock_diag_each_listener,
    .each_in_states = sock_diag_each_in_states,
    .probe = sock_diag_probe,
};
