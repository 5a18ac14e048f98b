#include "../unit.h"

#include "analysis/recent_trend.h"

static void what_began_of_late_is_not_hidden_by_a_day_of_rest(void **state)
{
    (void)state;
    struct recent_trend recent = {.count = 0};
    struct trend_line all = {.looks = 0};
    int t = 0;
    for (; t < 86400; t++) {
        recent_trend_add(&recent, t, 5, 5);
        trend_line_add(&all, t, 5);
    }
    for (int leaked = 0; leaked < RECENT_TREND_S; leaked++, t++) {
        recent_trend_add(&recent, t, 5 + leaked / 2, 5 + leaked / 2);
        trend_line_add(&all, t, 5 + leaked / 2);
    }
    struct trend trend = trend_of(recent_trend_line(&recent));
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_true(trend.high_per_s > 0.3);
    assert_true(recent_trend_stays(&recent));
    assert_true(trend_of(&all).slope_per_s < 0.01);
}

static void a_leak_that_has_ended_is_one_no_more(void **state)
{
    (void)state;
    struct recent_trend recent = {.count = 0};
    int t = 0;
    for (; t < 1000; t++)
        recent_trend_add(&recent, t, t, t);
    for (; t < 1000 + 2 * RECENT_TREND_S; t++)
        recent_trend_add(&recent, t, 1000, 1000);
    struct trend trend = trend_of(recent_trend_line(&recent));
    assert_int_equal(trend.kind, TREND_PLATEAU);
    assert_true(trend.span_s >= RECENT_TREND_S / 2 && trend.span_s <= RECENT_TREND_S);
}

static void what_comes_and_goes_grows_as_load_does(void **state)
{
    (void)state;
    struct recent_trend stays = {.count = 0}, passes = {.count = 0};
    for (int t = 0; t < 300; t++) {
        recent_trend_add(&stays, t, t, t + t / 5);
        recent_trend_add(&passes, t, t, 2 * t);
    }
    assert_true(recent_trend_stays(&stays));
    assert_false(recent_trend_stays(&passes));
}

/* The row went with its last socket, and another one began. */
static void who_counts_anew_loses_nobody(void **state)
{
    (void)state;
    struct recent_trend recent = {.count = 0};
    for (int t = 0; t < 50; t++)
        recent_trend_add(&recent, t, 0, 1000);
    for (int t = 0; t < 50; t++)
        recent_trend_add(&recent, 50 + t, t, t);
    assert_true(recent_trend_stays(&recent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_began_of_late_is_not_hidden_by_a_day_of_rest),
        cmocka_unit_test(a_leak_that_has_ended_is_one_no_more),
        cmocka_unit_test(what_comes_and_goes_grows_as_load_does),
        cmocka_unit_test(who_counts_anew_loses_nobody),
    };
    return cmocka_run_group_tests_name("recent_trend", tests, NULL, NULL);
}
