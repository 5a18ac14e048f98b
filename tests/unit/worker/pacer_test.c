#include "../unit.h"

#include "worker/pacer.h"

enum { BEGAN_US = 1234567 };

static struct pacer arrivals_at(int64_t rate_milli, int64_t total)
{
    return (struct pacer){.began_us = BEGAN_US, .total = total, .rate_milli = rate_milli};
}

/* In whole microseconds, by arithmetic that cannot overflow. */
static int64_t exact_due_us(int64_t rate_milli, int64_t nth)
{
    return BEGAN_US + (int64_t)((__int128)nth * 1000000000 / rate_milli);
}

static int take_all(struct pacer *pacer, int64_t now_us)
{
    int taken = 0;
    while (pacer_take(pacer, now_us))
        taken++;
    return taken;
}

static void the_first_is_due_at_once(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(500000, 10);
    assert_int_equal(pacer_due_us(&pacer, 0), BEGAN_US);
}

static void five_hundred_a_second_come_two_milliseconds_apart(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(500000, 100000);
    for (int64_t nth = 0; nth < 100000; nth++)
        assert_int_equal(pacer_due_us(&pacer, nth), BEGAN_US + 2000 * nth);
}

static void odd_rates_do_not_drift(void **state)
{
    (void)state;
    static const int64_t rates[] = {1,    3,       7,        333,       3333,      99999,
                                    7001, 1000003, 33333333, 999999999, 1000000000};
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct pacer pacer = arrivals_at(rates[i], INT64_MAX);
        for (int64_t nth = 0; nth < 20000; nth++)
            assert_int_equal(pacer_due_us(&pacer, nth), exact_due_us(rates[i], nth));
    }
}

static void billions_are_as_exact(void **state)
{
    (void)state;
    static const int64_t rates[] = {7, 3333, 500000, 999999937, 1000000000};
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct pacer pacer = arrivals_at(rates[i], INT64_MAX);
        for (int64_t nth = 1000000000; nth < 60000000000; nth += 999999999)
            assert_int_equal(pacer_due_us(&pacer, nth), exact_due_us(rates[i], nth));
    }
}

static void a_share_of_a_second_is_a_rate(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(500, 3); /* one in two seconds */
    assert_int_equal(pacer_due_us(&pacer, 1), BEGAN_US + 2000000);
    assert_int_equal(pacer_due_us(&pacer, 2), BEGAN_US + 4000000);
}

static void none_is_taken_before_it_is_due(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 10);
    assert_false(pacer_take(&pacer, BEGAN_US - 1));
    assert_true(pacer_take(&pacer, BEGAN_US));
    assert_false(pacer_take(&pacer, BEGAN_US + 999));
    assert_true(pacer_take(&pacer, BEGAN_US + 1000));
    assert_int_equal(pacer.next, 2);
}

static void no_more_than_the_total_come(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 10);
    assert_int_equal(take_all(&pacer, BEGAN_US + 1000000000), 10);
    assert_int_equal(pacer.next, 10);
    struct pacer none = arrivals_at(1000000, 0);
    assert_int_equal(take_all(&none, BEGAN_US + 1000000000), 0);
}

static void at_any_moment_those_that_are_due_come(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 100000);
    int64_t taken = 0;
    for (int64_t now_us = BEGAN_US; now_us < BEGAN_US + 50000000; now_us += 777) {
        taken += take_all(&pacer, now_us);
        assert_int_equal(taken, (now_us - BEGAN_US) / 1000 + 1);
    }
}

static void in_time_none_is_late(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 1000);
    for (int64_t now_us = BEGAN_US; now_us < BEGAN_US + 2000000; now_us += 500)
        take_all(&pacer, now_us);
    assert_int_equal(pacer.next, 1000);
    assert_int_equal(pacer.late, 0);
    assert_int_equal(pacer.worst_us, 0);
}

static void late_begins_at_ten_milliseconds(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000, 3); /* one a second */
    assert_true(pacer_take(&pacer, BEGAN_US + ARRIVAL_LATE_US - 1));
    assert_int_equal(pacer.late, 0);
    assert_int_equal(pacer.worst_us, ARRIVAL_LATE_US - 1);
    assert_true(pacer_take(&pacer, BEGAN_US + 1000000 + ARRIVAL_LATE_US));
    assert_int_equal(pacer.late, 1);
    assert_int_equal(pacer.worst_us, ARRIVAL_LATE_US);
    assert_true(pacer_take(&pacer, BEGAN_US + 2000000));
    assert_int_equal(pacer.late, 1);
    assert_int_equal(pacer.worst_us, ARRIVAL_LATE_US);
}

/* A pause of 50 ms at 1,000 a second: 51 are due, those of the first 41 ms are late. */
static void after_a_pause_all_that_are_due_come_and_the_late_ones_are_counted(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 1000);
    assert_int_equal(take_all(&pacer, BEGAN_US + 50000), 51);
    assert_int_equal(pacer.late, 41);
    assert_int_equal(pacer.worst_us, 50000);
}

static void who_is_late_does_not_push_the_next_ones_back(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 1000);
    take_all(&pacer, BEGAN_US + 50000);
    assert_int_equal(pacer_due_us(&pacer, pacer.next), BEGAN_US + 51000);
    assert_false(pacer_take(&pacer, BEGAN_US + 50999));
    assert_true(pacer_take(&pacer, BEGAN_US + 51000));
}

static void the_span_ends_with_the_last_that_has_come(void **state)
{
    (void)state;
    struct pacer pacer = arrivals_at(1000000, 3);
    assert_int_equal(pacer.span_us, 0);
    take_all(&pacer, BEGAN_US);
    assert_int_equal(pacer.span_us, 0);
    take_all(&pacer, BEGAN_US + 2500);
    assert_int_equal(pacer.span_us, 2500);
    take_all(&pacer, BEGAN_US + 9000);
    assert_int_equal(pacer.span_us, 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_due_at_once),
        cmocka_unit_test(five_hundred_a_second_come_two_milliseconds_apart),
        cmocka_unit_test(odd_rates_do_not_drift),
        cmocka_unit_test(billions_are_as_exact),
        cmocka_unit_test(a_share_of_a_second_is_a_rate),
        cmocka_unit_test(none_is_taken_before_it_is_due),
        cmocka_unit_test(no_more_than_the_total_come),
        cmocka_unit_test(at_any_moment_those_that_are_due_come),
        cmocka_unit_test(in_time_none_is_late),
        cmocka_unit_test(late_begins_at_ten_milliseconds),
        cmocka_unit_test(after_a_pause_all_that_are_due_come_and_the_late_ones_are_counted),
        cmocka_unit_test(who_is_late_does_not_push_the_next_ones_back),
        cmocka_unit_test(the_span_ends_with_the_last_that_has_come),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
