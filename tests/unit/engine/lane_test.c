#include "../unit.h"

#include "engine/lane.h"

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
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
