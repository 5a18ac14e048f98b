#include "../unit.h"

#include "kernel/proc_net_tcp.h"

#include <errno.h>
#include <stdlib.h>

/* Recorded on Linux 6.18, little-endian; the kernel fills each IPv4 line up to 149 characters. */
static const char header_v4[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
    "timeout inode                                                     ";
static const char header_v6[] = "  sl  local_address                         remote_address                  "
                                "      st tx_queue rx_queue tr "
                                "tm->when retrnsmt   uid  timeout inode";
static const char listen_v4[] =
    "   0: 0100007F:3A98 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 1905144 2 "
    "00000000ef9cc8a6 100 0 0 10 0                   ";
static const char established_v4[] =
    "   4: 0100007F:3A98 0100007F:9C41 01 00000000:00000000 00:00000000 00000000     0        0 1905146 1 "
    "00000000197c15bb 20 0 0 10 -1                   ";
static const char time_wait_v4[] =
    "  15: 0100007F:3A98 0100007F:9C45 06 00000000:00000000 03:0000175A 00000000     0        0 0 3 "
    "00000000ddcadf24                                      ";
static const char orphan_v4[] =
    "   2: 0100007F:3A98 0100007F:9C44 05 00000000:00000000 03:0000175A 00000000     0        0 0 3 "
    "000000001353be71                                      ";
static const char close_wait_v6[] =
    "   6: 00000000000000000000000001000000:9C43 00000000000000000000000001000000:3A98 08 00000000:00000001 "
    "00:00000000 00000000     0        0 1905164 2 00000000dec69741 20 4 0 10 -1";
static const char time_wait_v6[] =
    "   9: 00000000000000000000000001000000:3A98 00000000000000000000000001000000:9C45 06 00000000:00000000 "
    "03:00001759 00000000     0        0 0 3 00000000f36b9ded";
/* Numbers of more than four digits push the line to the right. */
static const char late_v4[] =
    "123456: 0100007F:9C41 0100007F:3A98 04 00000000:00000000 00:00000000 00000000     0        0 1905145 2 "
    "00000000245cbffe 20 0 0 10 -1";

struct line {
    const char *text;
    int family;
};

static const struct line lines[] = {
    {listen_v4, AF_INET},      {established_v4, AF_INET}, {time_wait_v4, AF_INET}, {orphan_v4, AF_INET},
    {close_wait_v6, AF_INET6}, {time_wait_v6, AF_INET6},  {late_v4, AF_INET},
};

static struct socket_entry entry_of(const char *line, int family)
{
    struct socket_entry entry;
    memset(&entry, 1, sizeof entry); /* what was there before says nothing */
    assert_int_equal(proc_net_tcp_parse(line, family, &entry), 0);
    assert_false(entry.fin_with_data);
    return entry;
}

static void assert_address(const struct address *address, const char *expected)
{
    assert_string_equal(address_text(address).text, expected);
}

static void assert_refused(const char *line, int family)
{
    struct socket_entry entry;
    if (proc_net_tcp_parse(line, family, &entry) != -EBADMSG)
        fail_msg("taken for a socket: \"%s\"", line);
}

static void an_ipv4_line_is_a_socket(void **state)
{
    (void)state;
    struct socket_entry entry = entry_of(established_v4, AF_INET);
    assert_int_equal(entry.state, STATE_ESTABLISHED);
    assert_address(&entry.local, "127.0.0.1");
    assert_address(&entry.remote, "127.0.0.1");
    assert_int_equal(entry.local_port, 15000);
    assert_int_equal(entry.remote_port, 40001);
}

static void an_ipv6_line_is_a_socket(void **state)
{
    (void)state;
    struct socket_entry entry = entry_of(close_wait_v6, AF_INET6);
    assert_int_equal(entry.state, STATE_CLOSE_WAIT);
    assert_address(&entry.local, "[::1]");
    assert_address(&entry.remote, "[::1]");
    assert_int_equal(entry.local_port, 40003);
    assert_int_equal(entry.remote_port, 15000);
}

static void a_listener_has_no_peer(void **state)
{
    (void)state;
    struct socket_entry entry = entry_of(listen_v4, AF_INET);
    assert_int_equal(entry.state, STATE_LISTEN);
    assert_address(&entry.remote, "0.0.0.0");
    assert_int_equal(entry.remote_port, 0);
}

static void a_time_wait_line_is_a_socket(void **state)
{
    (void)state;
    assert_int_equal(entry_of(time_wait_v4, AF_INET).state, STATE_TIME_WAIT);
    assert_int_equal(entry_of(time_wait_v6, AF_INET6).state, STATE_TIME_WAIT);
}

static void an_orphaned_fin_wait2_is_fin_wait2(void **state)
{
    (void)state;
    assert_int_equal(entry_of(orphan_v4, AF_INET).state, STATE_FIN_WAIT2);
}

static void only_a_timewait_socket_has_a_timer_that_ends_it(void **state)
{
    (void)state;
    int64_t tick_ms = 1000 / sysconf(_SC_CLK_TCK);
    assert_int_equal(entry_of(time_wait_v4, AF_INET).ends_in_ms, 0x175a * tick_ms);
    assert_int_equal(entry_of(orphan_v4, AF_INET).ends_in_ms, 0x175a * tick_ms);
    assert_int_equal(entry_of(time_wait_v6, AF_INET6).ends_in_ms, 0x1759 * tick_ms);
    assert_int_equal(entry_of(established_v4, AF_INET).ends_in_ms, -1);
    assert_int_equal(entry_of(close_wait_v6, AF_INET6).ends_in_ms, -1);
    assert_int_equal(entry_of(listen_v4, AF_INET).ends_in_ms, -1);
}

static void a_line_has_the_inode_of_its_socket(void **state)
{
    (void)state;
    assert_int_equal(entry_of(listen_v4, AF_INET).inode, 1905144);
    assert_int_equal(entry_of(close_wait_v6, AF_INET6).inode, 1905164);
    assert_int_equal(entry_of(late_v4, AF_INET).inode, 1905145);
    assert_int_equal(entry_of(time_wait_v4, AF_INET).inode, 0);
    assert_int_equal(entry_of(orphan_v4, AF_INET).inode, 0);
}

static void the_receive_queue_is_what_was_not_read_or_not_accepted(void **state)
{
    (void)state;
    assert_int_equal(entry_of(listen_v4, AF_INET).unread, 1);
    assert_int_equal(entry_of(close_wait_v6, AF_INET6).unread, 1);
    assert_int_equal(entry_of(established_v4, AF_INET).unread, 0);
    assert_int_equal(
        entry_of("   1: 0100007F:3A98 0100007F:9C44 08 00000007:0001F2A9 00:00000000 00000000     0   "
                 "     0 19 2 00000000ddcadf24",
                 AF_INET)
            .unread,
        0x1f2a9);
}

static void the_send_queue_is_what_the_peer_has_not_acknowledged(void **state)
{
    (void)state;
    const char full[] =
        "   1: 0100007F:3A98 0100007F:9C44 01 0001F2A9:00000007 04:00000010 00000000     0        0 19 2 "
        "00000000ddcadf24";
    assert_int_equal(entry_of(established_v4, AF_INET).unsent, 0);
    assert_false(entry_of(established_v4, AF_INET).needs_window);
    assert_int_equal(entry_of(full, AF_INET).unsent, 0x1f2a9);
    assert_true(entry_of(full, AF_INET).needs_window);
}

static void a_line_does_not_know_when_the_peer_was_heard(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(entry_of(lines[i].text, lines[i].family).heard_ms, -1);
}

static void a_line_number_of_any_width_is_passed_over(void **state)
{
    (void)state;
    struct socket_entry entry = entry_of(late_v4, AF_INET);
    assert_int_equal(entry.state, STATE_FIN_WAIT1);
    assert_int_equal(entry.local_port, 40001);
}

static void a_request_socket_counts_as_syn_recv(void **state)
{
    (void)state;
    assert_int_equal(
        entry_of(
            "   1: 0100007F:3A98 0100007F:9C44 0C 00000000:00000000 01:00000062 00000000     0        0 0 0 "
            "00000000ddcadf24",
            AF_INET)
            .state,
        STATE_SYN_RECV);
}

static void a_trailing_newline_does_no_harm(void **state)
{
    (void)state;
    char line[256];
    snprintf(line, sizeof line, "%s\n", established_v4);
    assert_int_equal(entry_of(line, AF_INET).state, STATE_ESTABLISHED);
}

static void the_header_is_no_socket(void **state)
{
    (void)state;
    assert_refused(header_v4, AF_INET);
    assert_refused(header_v6, AF_INET6);
}

static void an_empty_line_is_no_socket(void **state)
{
    (void)state;
    assert_refused("", AF_INET);
    assert_refused("\n", AF_INET6);
}

static void a_line_of_the_other_family_is_no_socket(void **state)
{
    (void)state;
    assert_refused(established_v4, AF_INET6);
    assert_refused(close_wait_v6, AF_INET);
}

static void a_state_that_is_not_known_is_no_socket(void **state)
{
    (void)state;
    assert_refused("   1: 0100007F:3A98 0100007F:9C44 00 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0100007F:3A98 0100007F:9C44 0D 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0100007F:3A98 0100007F:9C44 FF 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0100007F:3A98 0100007F:9C44 xx 00000000:00000000 ", AF_INET);
}

static void digits_that_are_none_are_no_socket(void **state)
{
    (void)state;
    assert_refused("   1: 0100007G:3A98 0100007F:9C44 01 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0100007F:3A9G 0100007F:9C44 01 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0100007F 3A98 0100007F:9C44 01 00000000:00000000 ", AF_INET);
    assert_refused("   1: 0x00007F:3A98 0100007F:9C44 01 00000000:00000000 ", AF_INET);
    assert_refused("   1:  100007F:3A98 0100007F:9C44 01 00000000:00000000 ", AF_INET);
}

/* The inode, the tenth column, and the blank after it are what a socket needs: a line cut later has lost
 * nothing that we read. */
static size_t end_of_inode(const char *line)
{
    const char *p = line;
    for (int column = 0; column < 10; column++) {
        p += strspn(p, " ");
        p += strcspn(p, " ");
    }
    return (size_t)(p + 1 - line);
}

static void a_line_cut_anywhere_is_refused_or_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct socket_entry whole = entry_of(lines[i].text, lines[i].family);
        for (size_t length = 0; length < strlen(lines[i].text); length++) {
            char *cut = strndup(lines[i].text, length);
            struct socket_entry entry = {0};
            int rc = proc_net_tcp_parse(cut, lines[i].family, &entry);
            if (length < end_of_inode(lines[i].text) && rc != -EBADMSG)
                fail_msg("taken for a socket: \"%s\"", cut);
            if (rc == 0) {
                assert_int_equal(entry.state, whole.state);
                assert_int_equal(entry.inode, whole.inode);
                assert_int_equal(entry.unread, whole.unread);
                assert_int_equal(entry.local_port, whole.local_port);
                assert_int_equal(entry.remote_port, whole.remote_port);
                assert_true(address_equal(&entry.local, &whole.local));
                assert_true(address_equal(&entry.remote, &whole.remote));
            } else {
                assert_int_equal(rc, -EBADMSG);
            }
            free(cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_line_is_a_socket),
        cmocka_unit_test(an_ipv6_line_is_a_socket),
        cmocka_unit_test(a_listener_has_no_peer),
        cmocka_unit_test(a_time_wait_line_is_a_socket),
        cmocka_unit_test(an_orphaned_fin_wait2_is_fin_wait2),
        cmocka_unit_test(only_a_timewait_socket_has_a_timer_that_ends_it),
        cmocka_unit_test(a_line_has_the_inode_of_its_socket),
        cmocka_unit_test(the_receive_queue_is_what_was_not_read_or_not_accepted),
        cmocka_unit_test(the_send_queue_is_what_the_peer_has_not_acknowledged),
        cmocka_unit_test(a_line_does_not_know_when_the_peer_was_heard),
        cmocka_unit_test(a_line_number_of_any_width_is_passed_over),
        cmocka_unit_test(a_request_socket_counts_as_syn_recv),
        cmocka_unit_test(a_trailing_newline_does_no_harm),
        cmocka_unit_test(the_header_is_no_socket),
        cmocka_unit_test(an_empty_line_is_no_socket),
        cmocka_unit_test(a_line_of_the_other_family_is_no_socket),
        cmocka_unit_test(a_state_that_is_not_known_is_no_socket),
        cmocka_unit_test(digits_that_are_none_are_no_socket),
        cmocka_unit_test(a_line_cut_anywhere_is_refused_or_whole),
    };
    return cmocka_run_group_tests_name("proc_net_tcp", tests, NULL, NULL);
}
