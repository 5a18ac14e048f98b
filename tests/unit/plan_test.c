#include "unit.h"

#include "storm/plan.h"

static bool holds_forever(int64_t hold_ms, int order_count, const char *name, int step, int order_index)
{
    const struct storm_settings settings = {.hold_ms = hold_ms, .order_count = order_count};
    const struct plan plan = {.settings = &settings};
    return plan_holds_forever(&plan, close_order_find(name), step, order_index);
}

static void the_last_step_of_the_last_order_is_held_forever(void **state)
{
    (void)state;
    assert_true(holds_forever(HOLD_FOREVER, 1, "server-first", 2, 0));
    assert_true(holds_forever(HOLD_FOREVER, 3, "leak", 1, 2));
}

static void the_only_step_of_an_order_is_its_last(void **state)
{
    (void)state;
    assert_true(holds_forever(HOLD_FOREVER, 1, "never-close", 0, 0));
}

static void an_earlier_step_is_not_held_forever(void **state)
{
    (void)state;
    assert_false(holds_forever(HOLD_FOREVER, 1, "server-first", 0, 0));
    assert_false(holds_forever(HOLD_FOREVER, 1, "server-first", 1, 0));
}

static void an_earlier_order_is_not_held_forever(void **state)
{
    (void)state;
    assert_false(holds_forever(HOLD_FOREVER, 2, "server-first", 2, 0));
}

static void a_hold_of_some_length_ends(void **state)
{
    (void)state;
    assert_false(holds_forever(0, 1, "server-first", 2, 0));
    assert_false(holds_forever(86400000, 1, "server-first", 2, 0));
}

static void a_settle_time_that_was_given_is_kept(void **state)
{
    (void)state;
    const struct storm_settings settings = {.conns = 100000000, .settle_ms = 1};
    assert_int_equal(plan_settle_ms(&settings), 1);
}

static void a_small_storm_settles_within_five_seconds(void **state)
{
    (void)state;
    const struct storm_settings settings = {.conns = 100000, .settle_ms = SETTLE_BY_SIZE};
    assert_int_equal(plan_settle_ms(&settings), 5000);
}

static void a_large_storm_has_a_minute_to_settle(void **state)
{
    (void)state;
    const struct storm_settings settings = {.conns = 100001, .settle_ms = SETTLE_BY_SIZE};
    assert_int_equal(plan_settle_ms(&settings), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_step_of_the_last_order_is_held_forever),
        cmocka_unit_test(the_only_step_of_an_order_is_its_last),
        cmocka_unit_test(an_earlier_step_is_not_held_forever),
        cmocka_unit_test(an_earlier_order_is_not_held_forever),
        cmocka_unit_test(a_hold_of_some_length_ends),
        cmocka_unit_test(a_settle_time_that_was_given_is_kept),
        cmocka_unit_test(a_small_storm_settles_within_five_seconds),
        cmocka_unit_test(a_large_storm_has_a_minute_to_settle),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
