#include "../unit.h"

#include "kernel/free_ports.h"

#include "../fake_witness.h"

#include <errno.h>

static int find(const char *address, uint16_t from, uint16_t last, int count, uint16_t *first)
{
    struct address at = address_of(address);
    *first = 0;
    return free_ports_find(&fake_witness, &at, from, last, count, first);
}

static void assert_found(int count, uint16_t expected)
{
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, count, &first), 0);
    assert_int_equal(first, expected);
}

static void clean_ports_are_taken_from_the_start(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    assert_found(1, 15000);
    assert_found(101, 15000);
}

static void a_port_with_time_wait_is_passed_over(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_TIME_WAIT, "127.0.0.1", 15000, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    assert_found(1, 15001);
}

static void a_port_that_clients_still_point_at_is_passed_over(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_TIME_WAIT, "127.0.0.1", 40001, "127.0.0.1", 15000),
    };
    fake_these(sockets);
    assert_found(1, 15001);
}

static void consecutive_ports_start_behind_the_last_used_one(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_TIME_WAIT, "127.0.0.1", 15001, "127.0.0.1", 40001),
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.1", 15004, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    assert_found(2, 15002);
    assert_found(3, 15005);
}

static void a_listener_in_the_way_is_named(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "127.0.0.1", 15002, "0.0.0.0", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 3, &first), PORTS_LISTENED);
    assert_int_equal(first, 15002);
}

static void a_listener_behind_the_ports_found_is_not_in_the_way(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "127.0.0.1", 15002, "0.0.0.0", 0)};
    fake_these(sockets);
    assert_found(2, 15000);
}

static void a_listener_counts_before_its_own_connections(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0),
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40002),
    };
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), PORTS_LISTENED);
    assert_int_equal(first, 15000);
}

static void a_wildcard_listener_is_in_the_way(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "0.0.0.0", 15000, "0.0.0.0", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), PORTS_LISTENED);
    assert_int_equal(first, 15000);
}

static void an_ipv6_wildcard_listener_is_in_the_way_of_ipv4(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "::", 15000, "::", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), PORTS_LISTENED);
    assert_int_equal(first, 15000);
}

static void an_ipv6_wildcard_listener_is_in_the_way_of_ipv6(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "::", 15000, "::", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("::1", 15000, 15100, 1, &first), PORTS_LISTENED);
    assert_int_equal(first, 15000);
}

static void sockets_of_other_addresses_are_not_in_the_way(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_LISTEN, "127.0.0.2", 15000, "0.0.0.0", 0),
        fake_socket(STATE_TIME_WAIT, "127.0.0.2", 15000, "127.0.0.2", 40001),
        fake_socket(STATE_ESTABLISHED, "10.0.0.1", 40001, "10.0.0.2", 15000),
        fake_socket(STATE_LISTEN, "::1", 15000, "::", 0),
    };
    fake_these(sockets);
    assert_found(1, 15000);
}

static void too_few_clean_ports_are_no_space(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_TIME_WAIT, "127.0.0.1", 15005, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15010, 6, &first), PORTS_CROWDED);
}

static void the_last_port_is_used_and_none_beyond(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 65530, 65535, 6, &first), 0);
    assert_int_equal(first, 65530);
    assert_int_equal(find("127.0.0.1", 65530, 65535, 7, &first), PORTS_CROWDED);
}

static void a_start_beyond_the_end_is_no_space(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15011, 15010, 1, &first), PORTS_CROWDED);
}

static void a_witness_that_fails_is_passed_on(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.error = {-EACCES, 0}};
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), -EACCES);
}

/* A netlink socket can fail to bind with EADDRINUSE: that is no listener, and no want of ports. */
static void a_failure_of_the_witness_is_no_want_of_ports(void **state)
{
    static const int errors[] = {EADDRINUSE, ENOSPC};
    (void)state;
    uint16_t first;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        fake_sockets = (struct fake_sockets){.error = {-errors[i], 0}};
        int rc = find("127.0.0.1", 15000, 15100, 1, &first);
        assert_int_equal(rc, -errors[i]);
        assert_int_not_equal(rc, PORTS_LISTENED);
        assert_int_not_equal(rc, PORTS_CROWDED);
    }
}

static void a_kernel_without_the_other_family_is_no_failure(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.error = {0, -ENOENT}};
    assert_found(1, 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_ports_are_taken_from_the_start),
        cmocka_unit_test(a_port_with_time_wait_is_passed_over),
        cmocka_unit_test(a_port_that_clients_still_point_at_is_passed_over),
        cmocka_unit_test(consecutive_ports_start_behind_the_last_used_one),
        cmocka_unit_test(a_listener_in_the_way_is_named),
        cmocka_unit_test(a_listener_behind_the_ports_found_is_not_in_the_way),
        cmocka_unit_test(a_listener_counts_before_its_own_connections),
        cmocka_unit_test(a_wildcard_listener_is_in_the_way),
        cmocka_unit_test(an_ipv6_wildcard_listener_is_in_the_way_of_ipv4),
        cmocka_unit_test(an_ipv6_wildcard_listener_is_in_the_way_of_ipv6),
        cmocka_unit_test(sockets_of_other_addresses_are_not_in_the_way),
        cmocka_unit_test(too_few_clean_ports_are_no_space),
        cmocka_unit_test(the_last_port_is_used_and_none_beyond),
        cmocka_unit_test(a_start_beyond_the_end_is_no_space),
        cmocka_unit_test(a_witness_that_fails_is_passed_on),
        cmocka_unit_test(a_failure_of_the_witness_is_no_want_of_ports),
        cmocka_unit_test(a_kernel_without_the_other_family_is_no_failure),
    };
    return cmocka_run_group_tests_name("free_ports", tests, NULL, NULL);
}
