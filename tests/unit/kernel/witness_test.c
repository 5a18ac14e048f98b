#include "../unit.h"

#include "../fake_witness.h"
#include "../loopback.h"

#include <errno.h>

static struct look_target lanes_of(const char *address, uint16_t first, uint16_t last)
{
    return (struct look_target){.address = address_of(address), .ports = {first, last}};
}

static int64_t all_of(const struct histogram *histogram)
{
    int64_t all = 0;
    for (int i = 0; i < STATE_COUNT; i++)
        all += histogram->of[i];
    return all;
}

static void the_end_on_the_lane_is_the_server_side(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_FIN_WAIT2, "127.0.0.1", 15000, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_FIN_WAIT2], 1);
    assert_int_equal(all_of(&sides[SIDE_CLIENT]), 0);
}

static void the_end_with_the_lane_as_its_peer_is_the_client_side(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.1", 40001, "127.0.0.1", 15000),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT], 1);
    assert_int_equal(all_of(&sides[SIDE_SERVER]), 0);
}

static void a_listener_is_counted_as_listen_on_the_server_side(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0)};
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_LISTEN], 1);
    assert_int_equal(histogram_ends(&sides[SIDE_SERVER]), 0);
}

static void the_first_and_the_last_lane_are_ours_and_their_neighbours_are_not(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 14999, "127.0.0.1", 40001),
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15003, "127.0.0.1", 40001),
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15004, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15003);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_ESTABLISHED], 2);
    assert_int_equal(all_of(&sides[SIDE_CLIENT]), 0);
}

static void another_address_with_our_port_is_not_counted(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_ESTABLISHED, "127.0.0.2", 15000, "127.0.0.2", 40001),
        fake_socket(STATE_ESTABLISHED, "127.0.0.2", 40001, "127.0.0.2", 15000),
        fake_socket(STATE_ESTABLISHED, "10.0.0.1", 40001, "10.0.0.2", 15000),
        fake_socket(STATE_LISTEN, "0.0.0.0", 15000, "0.0.0.0", 0),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(all_of(&sides[SIDE_SERVER]) + all_of(&sides[SIDE_CLIENT]), 0);
}

static void lanes_on_more_addresses_are_counted_too(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_FIN_WAIT2, "10.0.0.1", 15000, "10.0.0.9", 40001),
        fake_socket(STATE_FIN_WAIT2, "10.0.0.2", 15000, "10.0.0.9", 40001),
        fake_socket(STATE_CLOSE_WAIT, "10.0.0.9", 40001, "10.0.0.3", 15000),
        fake_socket(STATE_CLOSE_WAIT, "10.0.0.9", 40001, "10.0.0.4", 15000),
        fake_socket(STATE_CLOSE_WAIT, "10.0.0.9", 40001, "10.0.0.3", 15001),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("10.0.0.1", 15000, 15000);
    target.more_count = 2;
    target.more[0] = address_of("10.0.0.2");
    target.more[1] = address_of("10.0.0.3");
    target.more[2] = address_of("10.0.0.4"); /* beyond the count */
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_FIN_WAIT2], 2);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT], 1);
}

static void an_ipv6_lane_is_looked_for_among_ipv6_sockets(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_TIME_WAIT, "::1", 15000, "::1", 40001),
        fake_socket(STATE_LAST_ACK, "::1", 40002, "::1", 15000),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("::1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_TIME_WAIT], 1);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_LAST_ACK], 1);
    assert_int_equal(all_of(&sides[SIDE_SERVER]) + all_of(&sides[SIDE_CLIENT]), 2);
}

static void a_look_starts_from_zero(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    memset(sides, 0xff, sizeof sides);
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(all_of(&sides[SIDE_SERVER]) + all_of(&sides[SIDE_CLIENT]), 0);
}

static void a_failed_dump_fails_the_look(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.error = {-EINTR, 0}};
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), -EINTR);
}

static struct socket_entry with(struct socket_entry entry, uint64_t inode, uint32_t unread)
{
    entry.inode = inode;
    entry.unread = unread;
    return entry;
}

static struct histogram server_side_of(const struct socket_entry *entry)
{
    fake_sockets = (struct fake_sockets){.entries = entry, .count = 1};
    struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    return sides[SIDE_SERVER];
}

static struct histogram batch_server(enum tcp_state socket_state, uint64_t inode, uint32_t unread)
{
    const struct socket_entry entry =
        with(fake_socket(socket_state, "127.0.0.1", 15000, "127.0.0.1", 40001), inode, unread);
    return server_side_of(&entry);
}

static void a_socket_with_an_inode_is_owned(void **state)
{
    (void)state;
    assert_int_equal(batch_server(STATE_ESTABLISHED, 7, 0).owned, 1);
    assert_int_equal(batch_server(STATE_FIN_WAIT2, 7, 0).owned, 1);
    assert_int_equal(batch_server(STATE_FIN_WAIT2, 0, 0).owned, 0);
}

static void only_close_wait_is_tallied_as_unread_or_unowned(void **state)
{
    (void)state;
    assert_int_equal(batch_server(STATE_CLOSE_WAIT, 7, 1).unread, 1);
    assert_int_equal(batch_server(STATE_CLOSE_WAIT, 7, 500).unread, 1);
    assert_int_equal(batch_server(STATE_CLOSE_WAIT, 7, 0).unread, 0);
    assert_int_equal(batch_server(STATE_ESTABLISHED, 7, 5).unread, 0);
    assert_int_equal(batch_server(STATE_CLOSE_WAIT, 0, 1).unowned, 1);
    assert_int_equal(batch_server(STATE_CLOSE_WAIT, 7, 1).unowned, 0);
    assert_int_equal(batch_server(STATE_ESTABLISHED, 0, 0).unowned, 0);
    assert_int_equal(batch_server(STATE_TIME_WAIT, 0, 0).unowned, 0);
}

static void only_listeners_have_an_accept_queue(void **state)
{
    (void)state;
    const struct socket_entry listener =
        with(fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0), 7, 12);
    struct histogram side = server_side_of(&listener);
    assert_int_equal(side.queued, 12);
    assert_int_equal(side.owned, 0);
    assert_int_equal(batch_server(STATE_ESTABLISHED, 7, 12).queued, 0);
}

static void the_accept_queues_of_all_lanes_add_up(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        with(fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0), 7, 12),
        with(fake_socket(STATE_LISTEN, "127.0.0.1", 15001, "0.0.0.0", 0), 8, 30),
        with(fake_socket(STATE_LISTEN, "127.0.0.1", 15002, "0.0.0.0", 0), 9, 500),
    };
    fake_these(sockets);
    struct look_target target = lanes_of("127.0.0.1", 15000, 15001);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(witness_look(&fake_witness, &target, sides), 0);
    assert_int_equal(sides[SIDE_SERVER].queued, 42);
    assert_int_equal(sides[SIDE_CLIENT].queued, 0);
}

static void what_is_not_on_a_lane_is_on_no_side(void **state)
{
    (void)state;
    const struct look_target target = lanes_of("127.0.0.1", 15000, 15000);
    struct socket_entry entry = fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40001);
    assert_int_equal(look_target_side(&target, &entry), SIDE_SERVER);
    entry = fake_socket(STATE_ESTABLISHED, "127.0.0.1", 40001, "127.0.0.1", 15000);
    assert_int_equal(look_target_side(&target, &entry), SIDE_CLIENT);
    entry = fake_socket(STATE_ESTABLISHED, "127.0.0.1", 40001, "127.0.0.1", 15001);
    assert_int_equal(look_target_side(&target, &entry), SIDE_COUNT);
}

/* ---- real sockets, through every backend that works here ---- */

/* The server side, once `wanted` of its ends are in that state. */
static struct histogram look_at(const struct witness_backend *witness, const struct loopback *loopback,
                                enum tcp_state socket_state, int64_t wanted)
{
    struct histogram sides[SIDE_COUNT];
    assert_soon(witness_look(witness, &loopback->target, sides) == 0 &&
                sides[SIDE_SERVER].of[socket_state] == wanted);
    return sides[SIDE_SERVER];
}

static void check_fin(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_close_wait();
    struct histogram side = look_at(witness, &loopback, STATE_CLOSE_WAIT, 1);
    char byte;
    assert_int_equal(side.unread, 1);
    assert_int_equal(side.owned, 1);
    assert_int_equal(side.unowned, 0);
    assert_int_equal(recv(loopback.server, &byte, 1, 0), 0);
    assert_int_equal(look_at(witness, &loopback, STATE_CLOSE_WAIT, 1).unread, 0);
    loopback_close(&loopback);
}

static void a_fin_is_unread_until_recv_returned_0(void **state)
{
    (void)state;
    for_each_backend(check_fin);
}

static void check_never_accepted(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    struct histogram side = look_at(witness, &loopback, STATE_ESTABLISHED, 1);
    assert_int_equal(side.queued, 1);
    assert_int_equal(side.owned, 0);
    assert_int_equal(side.unowned, 0);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    side = look_at(witness, &loopback, STATE_CLOSE_WAIT, 1);
    assert_int_equal(side.unowned, 1);
    assert_int_equal(side.unread, 1);
    assert_int_equal(side.queued, 1);
    loopback_close(&loopback);
}

static void a_connection_never_accepted_is_queued_and_unowned(void **state)
{
    (void)state;
    for_each_backend(check_never_accepted);
}

static void check_accepted(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_pair();
    struct histogram side = look_at(witness, &loopback, STATE_ESTABLISHED, 1);
    assert_int_equal(side.owned, 1);
    assert_int_equal(side.queued, 0);
    loopback_close(&loopback);
}

static void an_accepted_connection_is_owned_and_not_queued(void **state)
{
    (void)state;
    for_each_backend(check_accepted);
}

static void each_choice_but_auto_is_a_backend_of_that_name(void **state)
{
    (void)state;
    assert_string_equal(witness_choices[0], "auto");
    assert_string_equal(witness_choices[1], witness_netlink.name);
    assert_string_equal(witness_choices[2], witness_procfs.name);
    assert_null(witness_choices[3]);
}

static void a_choice_is_that_backend_or_a_reason(void **state)
{
    (void)state;
    for (int choice = 1; witness_choices[choice] != NULL; choice++) {
        int error = 0;
        const struct witness_backend *backend = witness_choose(choice, &error);
        if (backend != NULL)
            assert_string_equal(backend->name, witness_choices[choice]);
        else
            assert_true(error < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_on_the_lane_is_the_server_side),
        cmocka_unit_test(the_end_with_the_lane_as_its_peer_is_the_client_side),
        cmocka_unit_test(a_listener_is_counted_as_listen_on_the_server_side),
        cmocka_unit_test(the_first_and_the_last_lane_are_ours_and_their_neighbours_are_not),
        cmocka_unit_test(another_address_with_our_port_is_not_counted),
        cmocka_unit_test(lanes_on_more_addresses_are_counted_too),
        cmocka_unit_test(an_ipv6_lane_is_looked_for_among_ipv6_sockets),
        cmocka_unit_test(a_look_starts_from_zero),
        cmocka_unit_test(a_failed_dump_fails_the_look),
        cmocka_unit_test(a_socket_with_an_inode_is_owned),
        cmocka_unit_test(only_close_wait_is_tallied_as_unread_or_unowned),
        cmocka_unit_test(only_listeners_have_an_accept_queue),
        cmocka_unit_test(the_accept_queues_of_all_lanes_add_up),
        cmocka_unit_test(what_is_not_on_a_lane_is_on_no_side),
        cmocka_unit_test(a_fin_is_unread_until_recv_returned_0),
        cmocka_unit_test(a_connection_never_accepted_is_queued_and_unowned),
        cmocka_unit_test(an_accepted_connection_is_owned_and_not_queued),
        cmocka_unit_test(each_choice_but_auto_is_a_backend_of_that_name),
        cmocka_unit_test(a_choice_is_that_backend_or_a_reason),
    };
    return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
