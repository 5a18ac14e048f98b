#include "../unit.h"

#include "engine/lane.h"

#include "../fake_witness.h"

#include <errno.h>

enum { LANES_MAX = 4096 };

struct spread {
    int64_t conns;
    int pairs;
    int64_t capacity;
};

static const struct spread spreads[] = {
    {1, 1, 9410},      {1000, 1, 9410},  {9410, 1, 9410},  {9411, 1, 9410},  {50000, 3, 9410},
    {50000, 10, 9410}, {100, 7, 3},      {7, 7, 1},        {2, 3, 10},       {65536, 1, 1000},
    {999999, 4, 9410}, {50000, 1, 9410}, {28230, 3, 9410}, {28231, 3, 9410}, {1000000, 101, 9410},
};

static struct lane lanes[LANES_MAX];

static int filled(const struct spread *spread)
{
    int count = lanes_needed(spread->conns, spread->pairs, spread->capacity);
    assert_in_range(count, 1, LANES_MAX - 1);
    memset(lanes, 0xff, sizeof lanes);
    lanes_fill(lanes, spread->conns, spread->pairs, spread->capacity);
    return count;
}

static void a_lane_takes_a_third_of_the_ephemeral_ports(void **state)
{
    (void)state;
    const struct host_limits limits = {.port_first = 32768, .port_last = 60999};
    assert_int_equal(lane_capacity(&limits), 9410);
}

static void a_lane_takes_at_least_one_connection(void **state)
{
    (void)state;
    const struct host_limits limits = {.port_first = 40000, .port_last = 40000};
    assert_int_equal(lane_capacity(&limits), 1);
}

static void what_fits_in_one_lane_gets_one(void **state)
{
    (void)state;
    assert_int_equal(lanes_needed(1000, 1, 9410), 1);
    assert_int_equal(lanes_needed(9410, 1, 9410), 1);
}

static void one_connection_more_needs_another_lane(void **state)
{
    (void)state;
    assert_int_equal(lanes_needed(9411, 1, 9410), 2);
}

static void every_pair_has_lanes_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(lanes_needed(1000, 4, 9410), 4);
}

static void a_pair_without_connections_gets_no_lane(void **state)
{
    (void)state;
    assert_int_equal(lanes_needed(2, 3, 10), 2);
}

static void the_quotas_add_up_to_all_connections(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spreads); i++) {
        int64_t sum = 0;
        int count = filled(&spreads[i]);
        for (int lane = 0; lane < count; lane++)
            sum += lanes[lane].quota;
        assert_int_equal(sum, spreads[i].conns);
    }
}

static void no_lane_is_over_its_capacity_or_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spreads); i++) {
        int count = filled(&spreads[i]);
        for (int lane = 0; lane < count; lane++)
            assert_in_range(lanes[lane].quota, 1, spreads[i].capacity);
    }
}

static void exactly_the_lanes_needed_are_filled(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spreads); i++) {
        int count = filled(&spreads[i]);
        assert_int_equal(lanes[count].pair, -1);
        assert_int_equal(lanes[count].quota, -1);
    }
}

static void a_lane_starts_with_nothing_done(void **state)
{
    (void)state;
    int count = filled(&spreads[4]);
    for (int lane = 0; lane < count; lane++)
        assert_int_equal(lanes[lane].accepted + lanes[lane].started + lanes[lane].connected, 0);
}

static void the_lanes_of_a_pair_differ_by_one_connection_at_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spreads); i++) {
        int count = filled(&spreads[i]);
        for (int a = 0; a < count; a++)
            for (int b = 0; b < a; b++)
                if (lanes[a].pair == lanes[b].pair)
                    assert_in_range(lanes[a].quota - lanes[b].quota + 1, 0, 2);
    }
}

static void pairs_differ_by_one_connection_at_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spreads); i++) {
        int count = filled(&spreads[i]);
        int64_t least = spreads[i].conns / spreads[i].pairs;
        for (int pair = 0; pair < spreads[i].pairs; pair++) {
            int64_t sum = 0;
            for (int lane = 0; lane < count; lane++)
                sum += lanes[lane].pair == pair ? lanes[lane].quota : 0;
            assert_in_range(sum, least, least + 1);
        }
    }
}

/* ---- ports ---- */

static int find(const char *address, uint16_t from, uint16_t last, int count, uint16_t *first)
{
    struct address at = address_of(address);
    *first = 0;
    return lanes_find_ports(&fake_witness, &at, from, last, count, first);
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
    assert_int_equal(find("127.0.0.1", 15000, 15100, 3, &first), LANES_LISTENED);
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
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), LANES_LISTENED);
    assert_int_equal(first, 15000);
}

static void a_wildcard_listener_is_in_the_way(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "0.0.0.0", 15000, "0.0.0.0", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), LANES_LISTENED);
    assert_int_equal(first, 15000);
}

static void an_ipv6_wildcard_listener_is_in_the_way_of_ipv4(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "::", 15000, "::", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15000, 15100, 1, &first), LANES_LISTENED);
    assert_int_equal(first, 15000);
}

static void an_ipv6_wildcard_listener_is_in_the_way_of_ipv6(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {fake_socket(STATE_LISTEN, "::", 15000, "::", 0)};
    fake_these(sockets);
    uint16_t first;
    assert_int_equal(find("::1", 15000, 15100, 1, &first), LANES_LISTENED);
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
    assert_int_equal(find("127.0.0.1", 15000, 15010, 6, &first), LANES_CROWDED);
}

static void the_last_port_is_used_and_none_beyond(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 65530, 65535, 6, &first), 0);
    assert_int_equal(first, 65530);
    assert_int_equal(find("127.0.0.1", 65530, 65535, 7, &first), LANES_CROWDED);
}

static void a_start_beyond_the_end_is_no_space(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    uint16_t first;
    assert_int_equal(find("127.0.0.1", 15011, 15010, 1, &first), LANES_CROWDED);
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
        assert_int_not_equal(rc, LANES_LISTENED);
        assert_int_not_equal(rc, LANES_CROWDED);
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
        cmocka_unit_test(a_lane_takes_a_third_of_the_ephemeral_ports),
        cmocka_unit_test(a_lane_takes_at_least_one_connection),
        cmocka_unit_test(what_fits_in_one_lane_gets_one),
        cmocka_unit_test(one_connection_more_needs_another_lane),
        cmocka_unit_test(every_pair_has_lanes_of_its_own),
        cmocka_unit_test(a_pair_without_connections_gets_no_lane),
        cmocka_unit_test(the_quotas_add_up_to_all_connections),
        cmocka_unit_test(no_lane_is_over_its_capacity_or_empty),
        cmocka_unit_test(exactly_the_lanes_needed_are_filled),
        cmocka_unit_test(a_lane_starts_with_nothing_done),
        cmocka_unit_test(the_lanes_of_a_pair_differ_by_one_connection_at_most),
        cmocka_unit_test(pairs_differ_by_one_connection_at_most),
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
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
