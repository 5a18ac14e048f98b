#include "../unit.h"

#include "base/parse.h"

#include <errno.h>

static int64_t count_of(const char *text)
{
    int64_t count = -1;
    assert_int_equal(parse_count(text, 0, INT64_MAX, &count), 0);
    return count;
}

static int64_t duration_of(const char *text)
{
    int64_t duration_ms = -1;
    assert_int_equal(parse_duration(text, 0, INT64_MAX, &duration_ms), 0);
    return duration_ms;
}

static void assert_no_count(const char *text, int why)
{
    int64_t count = 4711;
    assert_int_equal(parse_count(text, 1, 100000000, &count), why);
    assert_int_equal(count, 4711);
}

static void assert_no_duration(const char *text, int why)
{
    int64_t duration_ms = 4711;
    assert_int_equal(parse_duration(text, 1, 86400000, &duration_ms), why);
    assert_int_equal(duration_ms, 4711);
}

static void a_bare_number_is_a_count(void **state)
{
    (void)state;
    assert_int_equal(count_of("1000"), 1000);
}

static void zero_is_a_count(void **state)
{
    (void)state;
    assert_int_equal(count_of("0"), 0);
}

static void k_means_a_thousand(void **state)
{
    (void)state;
    assert_int_equal(count_of("10k"), 10000);
    assert_int_equal(count_of("10K"), 10000);
}

static void m_means_a_million(void **state)
{
    (void)state;
    assert_int_equal(count_of("1m"), 1000000);
    assert_int_equal(count_of("1M"), 1000000);
}

static void a_count_may_have_a_fraction_that_leaves_a_whole_number(void **state)
{
    (void)state;
    assert_int_equal(count_of("1.5m"), 1500000);
    assert_int_equal(count_of("0.5k"), 500);
    assert_int_equal(count_of("1.234k"), 1234);
}

static void a_count_that_is_no_whole_number_is_refused(void **state)
{
    (void)state;
    assert_no_count("1.5", -EINVAL);
    assert_no_count("1.2345k", -EINVAL);
}

static void the_largest_count_is_exact(void **state)
{
    (void)state;
    assert_true(count_of("9223372036854775807") == INT64_MAX);
}

static void a_count_that_overflows_is_out_of_range(void **state)
{
    (void)state;
    assert_no_count("9223372036854775808", -ERANGE);
    assert_no_count("99999999999999999999", -ERANGE);
}

static void a_count_whose_unit_overflows_is_out_of_range(void **state)
{
    (void)state;
    assert_no_count("9223372036854775807k", -ERANGE);
    assert_no_count("9300000000000m", -ERANGE);
}

static void a_fraction_with_too_many_digits_is_out_of_range(void **state)
{
    (void)state;
    assert_no_count("0.00000000000000000000000000001m", -ERANGE);
}

static void the_bounds_of_a_count_are_inclusive(void **state)
{
    (void)state;
    int64_t count = 0;
    assert_int_equal(parse_count("1", 1, 65535, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(parse_count("65535", 1, 65535, &count), 0);
    assert_int_equal(count, 65535);
}

static void a_count_outside_its_bounds_is_out_of_range(void **state)
{
    (void)state;
    assert_no_count("0", -ERANGE);
    assert_no_count("100000001", -ERANGE);
}

static void a_negative_count_is_out_of_range(void **state)
{
    (void)state;
    assert_no_count("-5", -ERANGE);
}

static void a_count_with_trailing_junk_is_refused(void **state)
{
    (void)state;
    static const char *const junk[] = {"10x", "1e3", "10 ", "10k5", "10kk", "10,000", "0x10", "1.2.3", "5s"};
    for (size_t i = 0; i < COUNT_OF(junk); i++)
        assert_no_count(junk[i], -EINVAL);
}

static void a_count_with_leading_junk_is_refused(void **state)
{
    (void)state;
    static const char *const junk[] = {" 10", "+10", "abc", "k", "--5", "-", "-x"};
    for (size_t i = 0; i < COUNT_OF(junk); i++)
        assert_no_count(junk[i], -EINVAL);
}

static void an_empty_text_is_no_number(void **state)
{
    (void)state;
    assert_no_count("", -EINVAL);
    assert_no_count(".", -EINVAL);
    assert_no_duration("", -EINVAL);
    assert_no_duration(".", -EINVAL);
}

static void milliseconds_are_taken(void **state)
{
    (void)state;
    assert_int_equal(duration_of("500ms"), 500);
}

static void seconds_are_taken(void **state)
{
    (void)state;
    assert_int_equal(duration_of("2s"), 2000);
}

static void minutes_and_hours_are_taken(void **state)
{
    (void)state;
    assert_int_equal(duration_of("3m"), 180000);
    assert_int_equal(duration_of("2h"), 7200000);
}

static void a_bare_number_is_seconds(void **state)
{
    (void)state;
    assert_int_equal(duration_of("5"), 5000);
    assert_int_equal(duration_of("0.25"), 250);
}

static void units_may_follow_each_other_from_large_to_small(void **state)
{
    (void)state;
    assert_int_equal(duration_of("1m30s"), 90000);
    assert_int_equal(duration_of("1h2m3s4ms"), 3723004);
}

static void a_duration_may_have_a_fraction(void **state)
{
    (void)state;
    assert_int_equal(duration_of("1.5s"), 1500);
    assert_int_equal(duration_of("0.5m"), 30000);
}

static void a_fraction_of_a_millisecond_is_refused(void **state)
{
    (void)state;
    assert_no_duration("0.5ms", -EINVAL);
    assert_no_duration("1.0005s", -EINVAL);
}

static void units_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_no_duration("30s1m", -EINVAL);
    assert_no_duration("1s1s", -EINVAL);
}

static void a_bare_number_after_a_unit_is_refused(void **state)
{
    (void)state;
    assert_no_duration("1m30", -EINVAL);
}

static void an_unknown_unit_is_refused(void **state)
{
    (void)state;
    assert_no_duration("5x", -EINVAL);
    assert_no_duration("5msx", -EINVAL);
    assert_no_duration("5 s", -EINVAL);
    assert_no_duration("1d", -EINVAL);
}

static void a_negative_duration_is_out_of_range(void **state)
{
    (void)state;
    assert_no_duration("-1s", -ERANGE);
}

static void a_duration_that_overflows_is_out_of_range(void **state)
{
    (void)state;
    assert_no_duration("9223372036854775807s", -ERANGE);
    assert_no_duration("99999999999999999999", -ERANGE);
    assert_no_duration("2562047788015h9223372036854775807ms", -ERANGE);
}

static void a_duration_outside_its_bounds_is_out_of_range(void **state)
{
    (void)state;
    assert_no_duration("0s", -ERANGE);
    assert_no_duration("25h", -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_number_is_a_count),
        cmocka_unit_test(zero_is_a_count),
        cmocka_unit_test(k_means_a_thousand),
        cmocka_unit_test(m_means_a_million),
        cmocka_unit_test(a_count_may_have_a_fraction_that_leaves_a_whole_number),
        cmocka_unit_test(a_count_that_is_no_whole_number_is_refused),
        cmocka_unit_test(the_largest_count_is_exact),
        cmocka_unit_test(a_count_that_overflows_is_out_of_range),
        cmocka_unit_test(a_count_whose_unit_overflows_is_out_of_range),
        cmocka_unit_test(a_fraction_with_too_many_digits_is_out_of_range),
        cmocka_unit_test(the_bounds_of_a_count_are_inclusive),
        cmocka_unit_test(a_count_outside_its_bounds_is_out_of_range),
        cmocka_unit_test(a_negative_count_is_out_of_range),
        cmocka_unit_test(a_count_with_trailing_junk_is_refused),
        cmocka_unit_test(a_count_with_leading_junk_is_refused),
        cmocka_unit_test(an_empty_text_is_no_number),
        cmocka_unit_test(milliseconds_are_taken),
        cmocka_unit_test(seconds_are_taken),
        cmocka_unit_test(minutes_and_hours_are_taken),
        cmocka_unit_test(a_bare_number_is_seconds),
        cmocka_unit_test(units_may_follow_each_other_from_large_to_small),
        cmocka_unit_test(a_duration_may_have_a_fraction),
        cmocka_unit_test(a_fraction_of_a_millisecond_is_refused),
        cmocka_unit_test(units_out_of_order_are_refused),
        cmocka_unit_test(a_bare_number_after_a_unit_is_refused),
        cmocka_unit_test(an_unknown_unit_is_refused),
        cmocka_unit_test(a_negative_duration_is_out_of_range),
        cmocka_unit_test(a_duration_that_overflows_is_out_of_range),
        cmocka_unit_test(a_duration_outside_its_bounds_is_out_of_range),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
