#include "../unit.h"

#include "base/number_text.h"
#include "base/parse.h"

static void numbers_below_a_thousand_have_no_comma(void **state)
{
    (void)state;
    assert_string_equal(grouped(0).text, "0");
    assert_string_equal(grouped(7).text, "7");
    assert_string_equal(grouped(999).text, "999");
}

static void thousands_are_set_apart(void **state)
{
    (void)state;
    assert_string_equal(grouped(1000).text, "1,000");
    assert_string_equal(grouped(100000).text, "100,000");
    assert_string_equal(grouped(1234567).text, "1,234,567");
}

static void negative_numbers_keep_their_sign(void **state)
{
    (void)state;
    assert_string_equal(grouped(-1).text, "-1");
    assert_string_equal(grouped(-100).text, "-100");
    assert_string_equal(grouped(-1000).text, "-1,000");
}

static void the_extreme_numbers_fit(void **state)
{
    (void)state;
    assert_string_equal(grouped(INT64_MAX).text, "9,223,372,036,854,775,807");
    assert_string_equal(grouped(INT64_MIN).text, "-9,223,372,036,854,775,808");
}

static void one_of_a_thing_is_singular(void **state)
{
    (void)state;
    assert_string_equal(counted(1, "connection").text, "1 connection");
    assert_string_equal(counted(0, "connection").text, "0 connections");
    assert_string_equal(counted(1234, "close() call").text, "1,234 close() calls");
    assert_string_equal(one_or_many(1, "was", "were"), "was");
    assert_string_equal(one_or_many(-1, "was", "were"), "were");
}

static void no_time_is_zero_seconds(void **state)
{
    (void)state;
    assert_string_equal(duration_text(0).text, "0s");
}

static void less_than_a_second_is_milliseconds(void **state)
{
    (void)state;
    assert_string_equal(duration_text(1).text, "1ms");
    assert_string_equal(duration_text(500).text, "500ms");
    assert_string_equal(duration_text(999).text, "999ms");
}

static void whole_seconds_are_seconds(void **state)
{
    (void)state;
    assert_string_equal(duration_text(1000).text, "1s");
    assert_string_equal(duration_text(59000).text, "59s");
}

static void a_part_of_a_second_is_a_fraction(void **state)
{
    (void)state;
    assert_string_equal(duration_text(1500).text, "1.5s");
}

static void whole_minutes_have_no_seconds(void **state)
{
    (void)state;
    assert_string_equal(duration_text(60000).text, "1m");
    assert_string_equal(duration_text(120000).text, "2m");
}

static void minutes_and_seconds_follow_each_other(void **state)
{
    (void)state;
    assert_string_equal(duration_text(90000).text, "1m30s");
}

static void every_duration_reads_back_as_itself(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms <= 130000; ms++) {
        int64_t back = -1;
        struct number_text text = duration_text(ms);
        if (parse_duration(text.text, 0, INT64_MAX, &back) != 0 || back != ms)
            fail_msg("%lld ms is written as %s", (long long)ms, text.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_below_a_thousand_have_no_comma),
        cmocka_unit_test(thousands_are_set_apart),
        cmocka_unit_test(negative_numbers_keep_their_sign),
        cmocka_unit_test(the_extreme_numbers_fit),
        cmocka_unit_test(one_of_a_thing_is_singular),
        cmocka_unit_test(no_time_is_zero_seconds),
        cmocka_unit_test(less_than_a_second_is_milliseconds),
        cmocka_unit_test(whole_seconds_are_seconds),
        cmocka_unit_test(a_part_of_a_second_is_a_fraction),
        cmocka_unit_test(whole_minutes_have_no_seconds),
        cmocka_unit_test(minutes_and_seconds_follow_each_other),
        cmocka_unit_test(every_duration_reads_back_as_itself),
    };
    return cmocka_run_group_tests_name("number_text", tests, NULL, NULL);
}
