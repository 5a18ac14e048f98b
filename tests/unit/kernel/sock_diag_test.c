#include "../unit.h"

#include "kernel/sock_diag.h"

#include "../loopback.h"
#include "../sock_diag_dump.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SOCKETS_RECORDED = 16 };

struct recording {
    const uint8_t *bytes;
    size_t sockets, length; /* bytes up to NLMSG_DONE, and with it */
    int family;
    const char *address;
};

static const struct recording recordings[] = {
    {dump_v4, DUMP_V4_SOCKETS, sizeof dump_v4, AF_INET, "127.0.0.1"},
    {dump_v6, DUMP_V6_SOCKETS, sizeof dump_v6, AF_INET6, "::1"},
};

/* What on_socket was told. */
struct seen {
    int count;
    int of[STATE_COUNT];
    int on_port; /* local or remote */
    int other_address;
    int with_timer[STATE_COUNT]; /* one that ends it, within a minute */
    uint32_t unread[STATE_COUNT];
    int with_inode, with_heard;
    struct socket_entry last;
    const struct recording *recording;
};

static int note(void *context, const struct socket_entry *entry)
{
    struct seen *seen = context;
    struct address address;
    address_parse(seen->recording->address, &address);
    seen->count++;
    seen->of[entry->state]++;
    seen->with_timer[entry->state] += entry->ends_in_ms >= 0 && entry->ends_in_ms <= 60000;
    seen->unread[entry->state] += entry->unread;
    seen->with_inode += entry->inode != 0;
    seen->with_heard += entry->heard_ms != -1;
    seen->last = *entry;
    seen->on_port += entry->local_port == 15000 || entry->remote_port == 15000;
    seen->other_address += !address_equal(&entry->local, &address);
    return seen->count > SOCKETS_RECORDED ? -ELOOP : 0;
}

static struct seen nothing_of(const struct recording *recording)
{
    return (struct seen){.recording = recording};
}

/* Parses a copy that ends where its bytes end, so that a sanitizer sees any step beyond. */
static int parse_copy(const uint8_t *bytes, size_t length, uint32_t sequence, struct seen *seen)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    int rc = sock_diag_parse(copy, length, sequence, note, seen);
    free(copy);
    return rc;
}

/* A copy of a whole recording, to be changed. */
struct changed {
    uint8_t *bytes;
    size_t length;
    struct seen seen;
};

static struct changed change(const struct recording *recording)
{
    struct changed changed = {malloc(recording->length), recording->length, nothing_of(recording)};
    assert_non_null(changed.bytes);
    memcpy(changed.bytes, recording->bytes, recording->length);
    return changed;
}

static struct nlmsghdr *message_at(const struct changed *changed, int i)
{
    uint8_t *at = changed->bytes;
    while (i-- > 0)
        at += NLMSG_ALIGN(((struct nlmsghdr *)at)->nlmsg_len);
    return (struct nlmsghdr *)at;
}

static struct inet_diag_msg *socket_at(const struct changed *changed, int i)
{
    return NLMSG_DATA(message_at(changed, i));
}

static int parse_changed(struct changed *changed)
{
    int rc = sock_diag_parse(changed->bytes, changed->length, DUMP_SEQUENCE, note, &changed->seen);
    free(changed->bytes);
    return rc;
}

/* One message of its own. */
static int parse_message(uint16_t type, const void *payload, size_t size)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NLMSG_HDRLEN + 64] = {0};
    struct nlmsghdr *message = (struct nlmsghdr *)buffer;
    *message = (struct nlmsghdr){
        .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size), .nlmsg_type = type, .nlmsg_seq = DUMP_SEQUENCE};
    if (size > 0)
        memcpy(NLMSG_DATA(message), payload, size);
    struct seen seen = nothing_of(&recordings[0]);
    return parse_copy(buffer, NLMSG_ALIGN(message->nlmsg_len), DUMP_SEQUENCE, &seen);
}

static void a_whole_dump_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        assert_int_equal(parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen), 0);
        assert_int_equal(seen.count, SOCKETS_RECORDED);
    }
}

static void a_whole_dump_counts_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen);
        assert_int_equal(seen.of[STATE_LISTEN], 2);
        assert_int_equal(seen.of[STATE_ESTABLISHED], 8);
        assert_int_equal(seen.of[STATE_FIN_WAIT2], 2);
        assert_int_equal(seen.of[STATE_CLOSE_WAIT], 2);
        assert_int_equal(seen.of[STATE_TIME_WAIT], 1);
        assert_int_equal(seen.of[STATE_SYN_SENT], 1);
    }
}

/* One of the two FIN_WAIT2 is an orphan. */
static void only_timewait_sockets_have_a_timer_that_ends_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen);
        assert_int_equal(seen.with_timer[STATE_TIME_WAIT], 1);
        assert_int_equal(seen.with_timer[STATE_FIN_WAIT2], 1);
        assert_int_equal(seen.with_timer[STATE_ESTABLISHED] + seen.with_timer[STATE_CLOSE_WAIT] +
                             seen.with_timer[STATE_LISTEN] + seen.with_timer[STATE_SYN_SENT],
                         0);
    }
}

static void addresses_and_ports_are_in_host_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen);
        assert_int_equal(seen.on_port, 12);
        assert_int_equal(seen.other_address, 0);
    }
}

/* One connection to each listener was never accepted; the FIN of two was not read. */
static void recv_q_counts_what_was_not_read_or_not_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen);
        assert_int_equal(seen.unread[STATE_LISTEN], 2);
        assert_int_equal(seen.unread[STATE_CLOSE_WAIT], 2);
        assert_int_equal(
            seen.unread[STATE_ESTABLISHED] + seen.unread[STATE_TIME_WAIT] + seen.unread[STATE_FIN_WAIT2], 0);
    }
}

static void a_socket_has_the_inode_of_its_message(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    for (int i = 0; i < SOCKETS_RECORDED - 1; i++)
        socket_at(&changed, i)->idiag_inode = 0;
    socket_at(&changed, SOCKETS_RECORDED - 1)->idiag_inode = UINT32_MAX;
    assert_int_equal(parse_changed(&changed), 0);
    assert_int_equal(changed.seen.with_inode, 1);
    assert_true(changed.seen.last.inode == UINT32_MAX);
}

static void the_send_queue_is_that_of_its_message_and_a_listener_has_a_backlog_there(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    struct inet_diag_msg *last = socket_at(&changed, SOCKETS_RECORDED - 1);
    last->idiag_state = STATE_ESTABLISHED;
    last->idiag_wqueue = 1393;
    last->idiag_timer = 4;
    assert_int_equal(parse_changed(&changed), 0);
    assert_int_equal(changed.seen.last.unsent, 1393);
    assert_true(changed.seen.last.needs_window);
    changed = change(&recordings[0]);
    last = socket_at(&changed, SOCKETS_RECORDED - 1);
    last->idiag_state = STATE_LISTEN;
    last->idiag_wqueue = 128;
    last->idiag_timer = 1; /* a retransmission */
    assert_int_equal(parse_changed(&changed), 0);
    assert_false(changed.seen.last.needs_window);
    assert_int_equal(changed.seen.last.unsent, 0);
    assert_int_equal(changed.seen.last.backlog, 128);
}

static void a_dump_without_detail_does_not_know_when_the_peer_was_heard(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        parse_copy(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE, &seen);
        assert_int_equal(seen.with_heard, 0);
    }
}

/* A message of one socket with `info_size` bytes of tcp_info; *rc is what the parser returned. */
static struct socket_entry detailed_socket(enum tcp_state socket_state, const struct tcp_info *info,
                                           size_t info_size, int *rc)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_msg body;
        struct nlattr attribute;
        uint8_t info[sizeof *info];
    } message = {
        .header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_seq = DUMP_SEQUENCE},
        .body = {.idiag_family = AF_INET, .idiag_state = (uint8_t)socket_state},
        .attribute = {.nla_type = INET_DIAG_INFO, .nla_len = (uint16_t)(NLA_HDRLEN + info_size)},
    };
    memcpy(message.info, info, sizeof *info);
    size_t length = sizeof message - sizeof message.info + info_size;
    message.header.nlmsg_len = (uint32_t)length;
    struct seen seen = nothing_of(&recordings[0]);
    *rc = parse_copy((const uint8_t *)&message, length, DUMP_SEQUENCE, &seen);
    return seen.last;
}

static int64_t heard_of(enum tcp_state socket_state, uint32_t ack_ms, uint32_t data_ms)
{
    const struct tcp_info info = {.tcpi_last_ack_recv = ack_ms, .tcpi_last_data_recv = data_ms};
    int rc;
    struct socket_entry entry = detailed_socket(socket_state, &info, sizeof info, &rc);
    assert_int_equal(rc, SOCK_DIAG_MORE);
    return entry.heard_ms;
}

static void the_peer_was_heard_at_its_last_data_or_acknowledgement(void **state)
{
    (void)state;
    assert_int_equal(heard_of(STATE_CLOSE_WAIT, 7, 9), 7);
    assert_int_equal(heard_of(STATE_CLOSE_WAIT, 9, 8), 8);
    assert_int_equal(heard_of(STATE_CLOSE_WAIT, 0, 8), 0);
    assert_int_equal(heard_of(STATE_CLOSE_WAIT, UINT32_MAX, UINT32_MAX), UINT32_MAX);
}

static void a_socket_without_a_peer_has_heard_none(void **state)
{
    (void)state;
    assert_int_equal(heard_of(STATE_LISTEN, 0, 0), -1);
    assert_int_equal(heard_of(STATE_SYN_SENT, 5, 5), -1);
}

/* An older kernel's tcp_info is shorter. */
static void a_short_tcp_info_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    const struct tcp_info info = {.tcpi_last_ack_recv = 7, .tcpi_last_data_recv = 9};
    const size_t needed = offsetof(struct tcp_info, tcpi_last_ack_recv) + 4;
    for (size_t size = 0; size <= sizeof info; size += 4) {
        int rc;
        struct socket_entry entry = detailed_socket(STATE_CLOSE_WAIT, &info, size, &rc);
        assert_int_equal(rc, SOCK_DIAG_MORE);
        assert_int_equal(entry.heard_ms, size < needed ? -1 : 7);
    }
}

static void an_attribute_longer_than_its_message_is_not_read(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    struct nlattr *attribute = (struct nlattr *)(socket_at(&changed, 0) + 1);
    *attribute = (struct nlattr){.nla_type = INET_DIAG_INFO, .nla_len = UINT16_MAX};
    assert_int_equal(parse_changed(&changed), 0);
    assert_int_equal(changed.seen.with_heard, 0);
    assert_int_equal(changed.seen.count, SOCKETS_RECORDED);
}

static int note_close_wait(void *context, const struct socket_entry *entry)
{
    if (entry->state == STATE_CLOSE_WAIT)
        *(struct socket_entry *)context = *entry;
    return 0;
}

static void a_detailed_dump_knows_when_the_peer_was_heard(void **state)
{
    (void)state;
    if (witness_netlink.probe() != 0) {
        print_message("netlink is not to be had here\n");
        skip();
    }
    struct loopback loopback = loopback_close_wait();
    int64_t begin = loopback_now_ms();
    struct socket_entry plain = {.heard_ms = -2}, detailed = {.heard_ms = -2};
    assert_int_equal(witness_netlink.each(AF_INET, &loopback.target.ports, note_close_wait, &plain), 0);
    assert_soon(witness_netlink.each_detailed(AF_INET, &loopback.target.ports, note_close_wait, &detailed) ==
                    0 &&
                detailed.heard_ms >= 40);
    assert_int_equal(plain.heard_ms, -1);
    assert_in_range(detailed.heard_ms, 40, 40 + loopback_now_ms() - begin);
    assert_int_equal(detailed.inode, inode_of(loopback.server));
    assert_int_equal(detailed.fin_most_ms, detailed.heard_ms); /* nothing came after the FIN */
    assert_false(detailed.fin_with_data);
    assert_int_equal(plain.fin_most_ms, -1);
    loopback_close(&loopback);
}

static void a_detailed_dump_knows_whether_the_fin_came_with_the_data(void **state)
{
    (void)state;
    if (witness_netlink.probe() != 0) {
        print_message("netlink is not to be had here\n");
        skip();
    }
    struct loopback loopback = loopback_pair();
    struct socket_entry seen = {.heard_ms = -2};
    assert_int_equal(send(loopback.client, "hello", 5, MSG_MORE), 5);
    close(loopback.client); /* one segment */
    assert_soon(witness_netlink.each_detailed(AF_INET, &loopback.target.ports, note_close_wait, &seen) == 0 &&
                seen.heard_ms >= 0);
    assert_true(seen.fin_with_data);
    close(loopback.server);
    close(loopback.listener);
}

static void a_datagram_without_the_end_says_that_more_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct seen seen = nothing_of(&recordings[i]);
        assert_int_equal(parse_copy(recordings[i].bytes, recordings[i].sockets, DUMP_SEQUENCE, &seen),
                         SOCK_DIAG_MORE);
        assert_int_equal(seen.count, SOCKETS_RECORDED);
    }
}

static void a_datagram_with_nothing_but_the_end_completes_the_dump(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        const struct recording *recording = &recordings[i];
        struct seen seen = nothing_of(recording);
        assert_int_equal(parse_copy(recording->bytes + recording->sockets,
                                    recording->length - recording->sockets, DUMP_SEQUENCE, &seen),
                         0);
        assert_int_equal(seen.count, 0);
    }
}

static void an_empty_datagram_completes_nothing(void **state)
{
    (void)state;
    struct seen seen = nothing_of(&recordings[0]);
    assert_int_equal(parse_copy(dump_v4, 0, DUMP_SEQUENCE, &seen), SOCK_DIAG_MORE);
}

/* True where a message starts, or the dump ends. */
static bool is_boundary(const struct recording *recording, size_t offset)
{
    size_t at = 0;
    while (at < offset)
        at += NLMSG_ALIGN(((const struct nlmsghdr *)(recording->bytes + at))->nlmsg_len);
    return at == offset;
}

static void a_dump_cut_anywhere_is_never_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++)
        for (size_t length = 0; length < recordings[i].length; length++) {
            struct seen seen = nothing_of(&recordings[i]);
            int rc = parse_copy(recordings[i].bytes, length, DUMP_SEQUENCE, &seen);
            int expected = is_boundary(&recordings[i], length) ? SOCK_DIAG_MORE : -EBADMSG;
            if (rc != expected)
                fail_msg("cut after %zu bytes it returned %d, not %d", length, rc, expected);
        }
}

static void a_dump_cut_anywhere_passes_on_whole_sockets_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        int boundaries = -1; /* the one before the first message is no socket */
        for (size_t length = 0; length < recordings[i].sockets; length++) {
            struct seen seen = nothing_of(&recordings[i]);
            parse_copy(recordings[i].bytes, length, DUMP_SEQUENCE, &seen);
            boundaries += is_boundary(&recordings[i], length);
            assert_int_equal(seen.count, boundaries);
        }
    }
}

static void a_message_too_short_for_a_socket_is_cut(void **state)
{
    (void)state;
    uint8_t payload[32] = {AF_INET, STATE_ESTABLISHED};
    assert_int_equal(parse_message(SOCK_DIAG_BY_FAMILY, payload, sizeof payload), -EBADMSG);
}

static void a_message_shorter_than_its_own_header_is_cut(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    message_at(&changed, 3)->nlmsg_len = 4;
    assert_int_equal(parse_changed(&changed), -EBADMSG);
    assert_int_equal(changed.seen.count, 3);
}

static void a_message_longer_than_the_datagram_is_cut(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    message_at(&changed, 3)->nlmsg_len = UINT32_MAX;
    assert_int_equal(parse_changed(&changed), -EBADMSG);
}

static void an_interrupted_dump_is_reported_from_any_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++)
        for (int message = 0; message <= SOCKETS_RECORDED; message++) {
            struct changed changed = change(&recordings[i]);
            message_at(&changed, message)->nlmsg_flags |= NLM_F_DUMP_INTR;
            assert_int_equal(parse_changed(&changed), -EINTR);
        }
}

static void an_error_message_is_passed_on(void **state)
{
    (void)state;
    const struct nlmsgerr refused = {.error = -EPERM};
    assert_int_equal(parse_message(NLMSG_ERROR, &refused, sizeof refused), -EPERM);
}

static void an_acknowledgement_is_no_answer_to_a_dump(void **state)
{
    (void)state;
    const struct nlmsgerr acknowledged = {.error = 0};
    assert_int_equal(parse_message(NLMSG_ERROR, &acknowledged, sizeof acknowledged), -EPROTO);
}

static void an_error_message_without_its_number_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(parse_message(NLMSG_ERROR, NULL, 0), -EPROTO);
}

static void the_end_may_carry_an_error(void **state)
{
    (void)state;
    const int error = -ENOMEM;
    assert_int_equal(parse_message(NLMSG_DONE, &error, sizeof error), -ENOMEM);
}

static void the_end_without_an_error_completes_the_dump(void **state)
{
    (void)state;
    const int none = 0;
    assert_int_equal(parse_message(NLMSG_DONE, &none, sizeof none), 0);
}

static void other_messages_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(parse_message(NLMSG_NOOP, NULL, 0), SOCK_DIAG_MORE);
}

static void an_answer_to_another_request_is_refused(void **state)
{
    (void)state;
    struct seen seen = nothing_of(&recordings[0]);
    assert_int_equal(parse_copy(dump_v4, sizeof dump_v4, DUMP_SEQUENCE + 1, &seen), -EPROTO);
    assert_int_equal(seen.count, 0);
}

static void a_single_foreign_message_is_refused(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[1]);
    message_at(&changed, 5)->nlmsg_seq++;
    assert_int_equal(parse_changed(&changed), -EPROTO);
    assert_int_equal(changed.seen.count, 5);
}

static void a_request_socket_counts_as_syn_recv(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    socket_at(&changed, 4)->idiag_state = 12; /* TCP_NEW_SYN_RECV */
    assert_int_equal(parse_changed(&changed), 0);
    assert_int_equal(changed.seen.of[STATE_SYN_RECV], 1);
}

static void a_state_that_is_not_known_is_passed_over(void **state)
{
    (void)state;
    struct changed changed = change(&recordings[0]);
    socket_at(&changed, 0)->idiag_state = 13; /* TCP_BOUND_INACTIVE */
    socket_at(&changed, 1)->idiag_state = 0;
    socket_at(&changed, 2)->idiag_state = 255;
    assert_int_equal(parse_changed(&changed), 0);
    assert_int_equal(changed.seen.count, SOCKETS_RECORDED - 3);
}

static int stop_at_third(void *context, const struct socket_entry *entry)
{
    (void)entry;
    return ++*(int *)context == 3 ? -ECANCELED : 0;
}

static void what_on_entry_returns_ends_the_dump(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(sock_diag_parse(dump_v4, sizeof dump_v4, DUMP_SEQUENCE, stop_at_third, &calls),
                     -ECANCELED);
    assert_int_equal(calls, 3);
}

static void random_changes_do_no_harm(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct changed changed = change(&recordings[round % 2]);
        for (int i = 0; i < 4; i++)
            changed.bytes[(size_t)rand() % changed.length] = (uint8_t)rand();
        assert_true(parse_changed(&changed) <= SOCK_DIAG_MORE);
        assert_in_range(changed.seen.count, 0, changed.length / NLMSG_HDRLEN);
    }
}

/* ---- with their lives ---- */

struct lives {
    int count, with_life, timewait_with_life;
    int of_timer[SOCKET_TIMER_ZERO_WINDOW + 1];
    uint64_t wanted; /* cookie */
    struct socket_life found;
};

static int note_life(void *context, const struct socket_life *socket)
{
    struct lives *lives = context;
    lives->count++;
    lives->with_life += socket->life.is_known;
    lives->timewait_with_life += socket->entry.state == STATE_TIME_WAIT && socket->life.is_known;
    lives->of_timer[socket->timer]++;
    assert_true((socket->timer == SOCKET_TIMER_NONE) == (socket->timer_ms < 0));
    if (lives->wanted != 0 && socket->cookie == lives->wanted)
        lives->found = *socket;
    return 0;
}

static void a_dump_without_detail_has_the_same_sockets_without_lives(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        struct lives lives = {0};
        assert_int_equal(sock_diag_parse_lives(recordings[i].bytes, recordings[i].length, DUMP_SEQUENCE,
                                               note_life, &lives),
                         0);
        assert_int_equal(lives.count, SOCKETS_RECORDED);
        assert_int_equal(lives.with_life, 0);
        assert_int_equal(lives.of_timer[SOCKET_TIMER_TIME_WAIT], 2); /* and the orphan in FIN_WAIT2 */
    }
}

static void a_real_socket_is_known_by_its_cookie_with_its_life(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct lives lives = {0};
    socklen_t length = sizeof lives.wanted;
    const int on = 1;
    assert_int_equal(getsockopt(loopback.server, SOL_SOCKET, SO_COOKIE, &lives.wanted, &length), 0);
    assert_int_equal(setsockopt(loopback.server, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
    assert_int_equal(send(loopback.client, "hello", 5, 0), 5);
    await_readable(loopback.server);
    assert_int_equal(
        sock_diag_each_life(AF_INET, STATE_SET(STATE_ESTABLISHED), &loopback.target.ports, note_life, &lives),
        0);
    const struct socket_life *found = &lives.found;
    assert_int_equal(found->cookie, lives.wanted);
    assert_int_equal(found->entry.inode, inode_of(loopback.server));
    assert_int_equal(found->entry.local_port, loopback.target.ports.first);
    assert_int_equal(found->entry.unread, 5);
    assert_int_equal(found->timer, SOCKET_TIMER_KEEPALIVE);
    assert_int_equal(found->user, geteuid());
    assert_true(found->life.is_known);
    assert_int_equal(found->life.data_segs_in, 1);
    assert_int_equal(found->life.bytes_received, 5);
    assert_int_equal(lives.timewait_with_life, 0);
    loopback_close(&loopback);
}

/* The other state is not passed on at all. */
static void only_the_states_that_were_asked_for_come(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    struct lives lives = {0}, others = {0};
    assert_int_equal(
        sock_diag_each_life(AF_INET, STATE_SET(STATE_CLOSE_WAIT), &loopback.target.ports, note_life, &lives),
        0);
    assert_int_equal(lives.count, 1);
    assert_int_equal(
        sock_diag_each_life(AF_INET, STATE_SET(STATE_LAST_ACK), &loopback.target.ports, note_life, &others),
        0);
    assert_int_equal(others.count, 0);
    loopback_close(&loopback);
}

int main(void)
{
    alarm(60); /* a parser that does not move on must not hang the tests */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_dump_is_complete),
        cmocka_unit_test(a_whole_dump_counts_every_state),
        cmocka_unit_test(only_timewait_sockets_have_a_timer_that_ends_them),
        cmocka_unit_test(addresses_and_ports_are_in_host_order),
        cmocka_unit_test(recv_q_counts_what_was_not_read_or_not_accepted),
        cmocka_unit_test(a_socket_has_the_inode_of_its_message),
        cmocka_unit_test(the_send_queue_is_that_of_its_message_and_a_listener_has_a_backlog_there),
        cmocka_unit_test(a_dump_without_detail_does_not_know_when_the_peer_was_heard),
        cmocka_unit_test(the_peer_was_heard_at_its_last_data_or_acknowledgement),
        cmocka_unit_test(a_socket_without_a_peer_has_heard_none),
        cmocka_unit_test(a_short_tcp_info_is_read_as_far_as_it_goes),
        cmocka_unit_test(an_attribute_longer_than_its_message_is_not_read),
        cmocka_unit_test(a_detailed_dump_knows_when_the_peer_was_heard),
        cmocka_unit_test(a_detailed_dump_knows_whether_the_fin_came_with_the_data),
        cmocka_unit_test(a_datagram_without_the_end_says_that_more_follows),
        cmocka_unit_test(a_datagram_with_nothing_but_the_end_completes_the_dump),
        cmocka_unit_test(an_empty_datagram_completes_nothing),
        cmocka_unit_test(a_dump_cut_anywhere_is_never_complete),
        cmocka_unit_test(a_dump_cut_anywhere_passes_on_whole_sockets_only),
        cmocka_unit_test(a_message_too_short_for_a_socket_is_cut),
        cmocka_unit_test(a_message_shorter_than_its_own_header_is_cut),
        cmocka_unit_test(a_message_longer_than_the_datagram_is_cut),
        cmocka_unit_test(an_interrupted_dump_is_reported_from_any_message),
        cmocka_unit_test(an_error_message_is_passed_on),
        cmocka_unit_test(an_acknowledgement_is_no_answer_to_a_dump),
        cmocka_unit_test(an_error_message_without_its_number_is_an_error),
        cmocka_unit_test(the_end_may_carry_an_error),
        cmocka_unit_test(the_end_without_an_error_completes_the_dump),
        cmocka_unit_test(other_messages_are_passed_over),
        cmocka_unit_test(an_answer_to_another_request_is_refused),
        cmocka_unit_test(a_single_foreign_message_is_refused),
        cmocka_unit_test(a_request_socket_counts_as_syn_recv),
        cmocka_unit_test(a_state_that_is_not_known_is_passed_over),
        cmocka_unit_test(what_on_entry_returns_ends_the_dump),
        cmocka_unit_test(random_changes_do_no_harm),
        cmocka_unit_test(a_dump_without_detail_has_the_same_sockets_without_lives),
        cmocka_unit_test(a_real_socket_is_known_by_its_cookie_with_its_life),
        cmocka_unit_test(only_the_states_that_were_asked_for_come),
    };
    return cmocka_run_group_tests_name("sock_diag", tests, NULL, NULL);
}
