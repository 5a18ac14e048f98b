#include "../unit.h"

#include "analysis/trend.h"

#include <math.h>

enum { SEEDS = 200, FALSE_LEAKS_MOST = 2 };

static const double LOOK_S = 0.1;

/* ---- chance, the same in every run ---- */

struct chance {
    uint64_t state;
};

/* splitmix64 */
static uint64_t next_bits(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Mixed first: streams of neighbouring seeds must not overlap. */
static struct chance chance_of(int seed)
{
    struct chance chance = {(uint64_t)seed};
    chance.state = next_bits(&chance);
    return chance;
}

/* Below 1. */
static double uniform(struct chance *chance)
{
    return (double)(next_bits(chance) >> 11) / 9007199254740992.0;
}

/* Variance 1. */
static double bell(struct chance *chance)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(chance);
    return sum;
}

/* ---- series ---- */

/* The count is start + slope * t + noise, rounded; looks are correlated by `memory`. */
struct series {
    double start, slope_per_s, noise, memory;
    double span_s, look_s;
};

static struct trend trend_of_series(const struct series *series, int seed)
{
    struct trend_line growth = {0};
    struct chance chance = chance_of(seed);
    double noise = bell(&chance);
    for (int i = 0; i * series->look_s <= series->span_s + 1e-9; i++) {
        double t_s = i * series->look_s;
        double count = series->start + series->slope_per_s * t_s + series->noise * noise;
        trend_line_add(&growth, 1000 + t_s, count > 0 ? (int64_t)(count + 0.5) : 0);
        noise = series->memory * noise + sqrt(1 - series->memory * series->memory) * bell(&chance);
    }
    return trend_of(&growth);
}

static int kinds_of(const struct series *series, enum trend_kind kind)
{
    int count = 0;
    for (int seed = 0; seed < SEEDS; seed++)
        count += trend_of_series(series, seed).kind == kind;
    return count;
}

/* Connections arrive by chance and stay for a time of chance: a server that closes, at work. */
static struct trend trend_of_traffic(double rate_per_s, double stay_s, double leak_per_s, double span_s,
                                     int seed)
{
    enum { STEPS_PER_LOOK = 20 };
    struct trend_line growth = {0};
    struct chance chance = chance_of(seed);
    double step_s = LOOK_S / STEPS_PER_LOOK;
    int64_t stock = 0;
    int warm_up = (int)(10 * stay_s / LOOK_S) + 1;
    for (int i = -warm_up; i * LOOK_S <= span_s + 1e-9; i++) {
        if (i >= 0)
            trend_line_add(&growth, i * LOOK_S, stock + (int64_t)(leak_per_s * i * LOOK_S));
        for (int step = 0; step < STEPS_PER_LOOK; step++) {
            for (int64_t left = stock; left > 0; left--)
                stock -= uniform(&chance) < step_s / stay_s;
            stock += uniform(&chance) < rate_per_s * step_s;
        }
    }
    return trend_of(&growth);
}

static int leaks_in_traffic(double rate_per_s, double stay_s, double leak_per_s, double span_s)
{
    int count = 0;
    for (int seed = 0; seed < SEEDS; seed++)
        count += trend_of_traffic(rate_per_s, stay_s, leak_per_s, span_s, seed).kind == TREND_LEAK;
    return count;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g is not within %g of %g", value, tolerance, expected);
}

/* ---- leaks ---- */

static void an_exact_line_is_a_leak_of_that_slope(void **state)
{
    (void)state;
    const struct series line = {.start = 3, .slope_per_s = 50, .span_s = 9.7, .look_s = LOOK_S};
    struct trend trend = trend_of_series(&line, 0);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s, 50, 1e-9);
    assert_near(trend.low_per_s, 50, 1e-6);
    assert_near(trend.high_per_s, 50, 1e-6);
    assert_int_equal(trend.looks, 98);
    assert_near(trend.span_s, 9.7, 1e-9);
    assert_int_equal(trend.first, 3);
    assert_int_equal(trend.last, 488);
}

static void the_interval_of_a_noisy_line_holds_its_slope(void **state)
{
    (void)state;
    const struct series line = {
        .start = 100, .slope_per_s = 50, .noise = 10, .memory = 0.5, .span_s = 10, .look_s = LOOK_S};
    int held = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct trend trend = trend_of_series(&line, seed);
        assert_int_equal(trend.kind, TREND_LEAK);
        held += trend.low_per_s <= 50 && 50 <= trend.high_per_s;
    }
    assert_in_range(held, SEEDS * 90 / 100, SEEDS);
}

static void one_socket_a_second_for_ten_seconds_is_a_leak(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    for (int i = 0; i <= 100; i++)
        trend_line_add(&growth, i * LOOK_S, i / 10);
    struct trend trend = trend_of(&growth);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s, 1, 0.05);
}

static void a_staircase_of_one_in_three_seconds_is_a_leak(void **state)
{
    (void)state;
    for (int first = 0; first < 30; first++) {
        struct trend_line growth = {0};
        for (int i = 0; i <= 300; i++)
            trend_line_add(&growth, i * LOOK_S, 5000 + (i + first) / 30);
        struct trend trend = trend_of(&growth);
        assert_int_equal(trend.kind, TREND_LEAK);
        assert_near(trend.slope_per_s, 1.0 / 3, 0.03);
    }
}

static void a_slow_leak_shows_under_a_handful_that_come_and_go(void **state)
{
    (void)state;
    assert_in_range(leaks_in_traffic(50, 0.02, 1, 10), SEEDS - 2, SEEDS);
    assert_in_range(leaks_in_traffic(50, 0.1, 1, 30), SEEDS - 2, SEEDS);
}

static void a_leak_among_a_million_is_found(void **state)
{
    (void)state;
    const struct series line = {.start = 1e6, .slope_per_s = 5, .span_s = 10, .look_s = LOOK_S};
    struct trend trend = trend_of_series(&line, 0);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s, 5, 0.05);
}

static void a_million_in_ten_seconds_is_a_leak(void **state)
{
    (void)state;
    const struct series line = {.slope_per_s = 1e5, .noise = 500, .span_s = 10, .look_s = LOOK_S};
    struct trend trend = trend_of_series(&line, 0);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s, 1e5, 200);
}

static void ten_an_hour_show_within_hours(void **state)
{
    (void)state;
    const struct series line = {.start = 8,
                                .slope_per_s = 10.0 / 3600,
                                .noise = 2,
                                .memory = 0.5,
                                .span_s = 4 * 3600,
                                .look_s = LOOK_S};
    struct trend trend = trend_of_series(&line, 0);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s * 3600, 10, 0.3);
    assert_int_equal(trend.looks, 144001);
}

static void looks_at_uneven_times_lie_on_the_same_line(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    struct chance chance = chance_of(0);
    double t_s = 0;
    for (int i = 0; i < 1000; i++) {
        trend_line_add(&growth, t_s, (int64_t)(1000 * t_s));
        t_s += 0.01 + uniform(&chance);
    }
    struct trend trend = trend_of(&growth);
    assert_int_equal(trend.kind, TREND_LEAK);
    assert_near(trend.slope_per_s, 1000, 0.01);
}

/* ---- plateaus ---- */

static void a_constant_is_a_plateau(void **state)
{
    (void)state;
    const struct series none = {.start = 0, .span_s = 10, .look_s = LOOK_S};
    const struct series many = {.start = 5000, .span_s = 3600, .look_s = LOOK_S};
    assert_int_equal(trend_of_series(&none, 0).kind, TREND_PLATEAU);
    assert_int_equal(trend_of_series(&many, 0).kind, TREND_PLATEAU);
    assert_true(trend_of_series(&many, 0).slope_per_s == 0);
}

static void one_socket_more_is_no_leak(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    for (int i = 0; i <= 100; i++)
        trend_line_add(&growth, i * LOOK_S, i >= 50);
    assert_int_equal(trend_of(&growth).kind, TREND_PLATEAU);
}

static void noise_around_a_constant_is_no_leak(void **state)
{
    (void)state;
    static const double spans_s[] = {1, 3, 10, 60, 600};
    for (size_t i = 0; i < COUNT_OF(spans_s); i++) {
        const struct series level = {.start = 20, .noise = 4, .span_s = spans_s[i], .look_s = LOOK_S};
        assert_in_range(kinds_of(&level, TREND_LEAK), 0, FALSE_LEAKS_MOST);
    }
}

static void noise_with_a_memory_is_no_leak(void **state)
{
    (void)state;
    static const double memories[] = {0.5, 0.8, 0.9, 0.95};
    static const double spans_s[] = {10, 30, 120};
    for (size_t i = 0; i < COUNT_OF(memories); i++)
        for (size_t j = 0; j < COUNT_OF(spans_s); j++) {
            const struct series level = {
                .start = 50, .noise = 7, .memory = memories[i], .span_s = spans_s[j], .look_s = LOOK_S};
            assert_in_range(kinds_of(&level, TREND_LEAK), 0, FALSE_LEAKS_MOST);
            assert_in_range(kinds_of(&level, TREND_DRAINING), 0, FALSE_LEAKS_MOST);
        }
}

static void traffic_at_a_server_that_closes_is_no_leak(void **state)
{
    (void)state;
    static const double stays_s[] = {0.02, 0.1, 0.5, 1};
    static const double spans_s[] = {5, 10, 30};
    for (size_t i = 0; i < COUNT_OF(stays_s); i++)
        for (size_t j = 0; j < COUNT_OF(spans_s); j++)
            assert_in_range(leaks_in_traffic(50, stays_s[i], 0, spans_s[j]), 0, FALSE_LEAKS_MOST);
}

static void hours_of_noise_are_a_plateau(void **state)
{
    (void)state;
    const struct series level = {.start = 8, .noise = 3, .memory = 0.9, .span_s = 3 * 3600, .look_s = LOOK_S};
    for (int seed = 0; seed < 20; seed++)
        assert_int_equal(trend_of_series(&level, seed).kind, TREND_PLATEAU);
}

static void a_count_that_fills_up_and_levels_off_is_a_plateau(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    for (int i = 0; i <= 100; i++)
        trend_line_add(&growth, i * LOOK_S, i < 20 ? 5 * i : 100);
    assert_int_equal(trend_of(&growth).kind, TREND_PLATEAU);
}

/* ---- draining ---- */

static void a_count_that_falls_is_draining(void **state)
{
    (void)state;
    const struct series line = {.start = 500, .slope_per_s = -20, .noise = 3, .span_s = 10, .look_s = LOOK_S};
    assert_int_equal(kinds_of(&line, TREND_DRAINING), SEEDS);
    struct trend trend = trend_of_series(&line, 0);
    assert_true(trend.low_per_s < trend.slope_per_s && trend.slope_per_s < trend.high_per_s);
    assert_true(trend.high_per_s < 0);
}

/* ---- unknown ---- */

static void no_looks_are_too_few(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    struct trend trend = trend_of(&growth);
    assert_int_equal(trend.kind, TREND_UNKNOWN);
    assert_int_equal(trend.looks, 0);
}

static void seven_looks_are_too_few_and_eight_are_enough(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    for (int i = 0; i < 7; i++)
        trend_line_add(&growth, i, i * 100);
    assert_int_equal(trend_of(&growth).kind, TREND_UNKNOWN);
    trend_line_add(&growth, 7, 700);
    assert_int_equal(trend_of(&growth).kind, TREND_LEAK);
}

static void many_looks_at_one_moment_are_too_short(void **state)
{
    (void)state;
    struct trend_line growth = {0};
    for (int i = 0; i < 1000; i++)
        trend_line_add(&growth, 5, i);
    assert_int_equal(trend_of(&growth).kind, TREND_UNKNOWN);
}

/* ---- when the room is gone, and words ---- */

static void room_lasts_as_long_as_the_slope_takes(void **state)
{
    (void)state;
    const struct trend leak = {.kind = TREND_LEAK, .slope_per_s = 50};
    const struct trend level = {.kind = TREND_PLATEAU, .slope_per_s = 0.1};
    const struct trend draining = {.kind = TREND_DRAINING, .slope_per_s = -3};
    assert_near(trend_seconds_to(&leak, 500), 10, 1e-9);
    assert_true(trend_seconds_to(&leak, -1) == 0);
    assert_true(isinf(trend_seconds_to(&level, 500)));
    assert_true(isinf(trend_seconds_to(&draining, 500)));
}

static void assert_words(struct trend trend, const char *words)
{
    assert_string_equal(trend_words(&trend).text, words);
}

static void words_tell_slope_interval_looks_and_span(void **state)
{
    (void)state;
    assert_words((struct trend){TREND_LEAK, 50, 49.6, 50.4, 98, 9.8, 0, 490},
                 "grows by 50.0/s (95% confidence 49.6 to 50.4, 98 looks over 9.8 s)");
    assert_words((struct trend){TREND_DRAINING, -3.1, -3.3, -2.9, 98, 9.8, 500, 470},
                 "is draining by 3.1/s (95% confidence 2.9 to 3.3, 98 looks over 9.8 s)");
    assert_words((struct trend){TREND_PLATEAU, 0.01, -0.2, 0.2, 98, 9.8, 4, 5},
                 "stays level (0.01/s, 95% confidence -0.20 to 0.20)");
    assert_words((struct trend){.kind = TREND_UNKNOWN}, "too few looks to tell");
}

static void slow_slopes_are_told_per_minute_or_hour(void **state)
{
    (void)state;
    assert_words((struct trend){TREND_LEAK, 3.0 / 60, 2.9 / 60, 3.1 / 60, 6001, 600, 0, 30},
                 "grows by 3.0/min (95% confidence 2.9 to 3.1, 6,001 looks over 10m)");
    assert_words((struct trend){TREND_LEAK, 2.0 / 3600, 1.9 / 3600, 2.1 / 3600, 144001, 14400.5, 0, 8},
                 "grows by 2.0/h (95% confidence 1.9 to 2.1, 144,001 looks over 4h)");
}

static void fast_slopes_are_grouped_and_zero_has_no_sign(void **state)
{
    (void)state;
    assert_words((struct trend){TREND_LEAK, 123456, 12345.6, 234567, 98, 9.8, 0, 1234560},
                 "grows by 123,456/s (95% confidence 12,346 to 234,567, 98 looks over 9.8 s)");
    assert_words((struct trend){TREND_PLATEAU, -0.0, -0.001, 0.3, 98, 9.8, 0, 0},
                 "stays level (0.00/s, 95% confidence 0.00 to 0.30)");
}

static void words_of_the_longest_numbers_fit(void **state)
{
    (void)state;
    struct trend trend = {TREND_LEAK, 1e300, -1e300, 1e300, INT64_MAX, 1e12, 0, 0};
    assert_contains(trend_words(&trend).text, " looks over 277777777h46m40s)");
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(trend_kind_name(TREND_UNKNOWN), "unknown");
    assert_string_equal(trend_kind_name(TREND_LEAK), "leak");
    assert_string_equal(trend_kind_name(TREND_PLATEAU), "plateau");
    assert_string_equal(trend_kind_name(TREND_DRAINING), "draining");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_line_is_a_leak_of_that_slope),
        cmocka_unit_test(the_interval_of_a_noisy_line_holds_its_slope),
        cmocka_unit_test(one_socket_a_second_for_ten_seconds_is_a_leak),
        cmocka_unit_test(a_staircase_of_one_in_three_seconds_is_a_leak),
        cmocka_unit_test(a_slow_leak_shows_under_a_handful_that_come_and_go),
        cmocka_unit_test(a_leak_among_a_million_is_found),
        cmocka_unit_test(a_million_in_ten_seconds_is_a_leak),
        cmocka_unit_test(ten_an_hour_show_within_hours),
        cmocka_unit_test(looks_at_uneven_times_lie_on_the_same_line),
        cmocka_unit_test(a_constant_is_a_plateau),
        cmocka_unit_test(one_socket_more_is_no_leak),
        cmocka_unit_test(noise_around_a_constant_is_no_leak),
        cmocka_unit_test(noise_with_a_memory_is_no_leak),
        cmocka_unit_test(traffic_at_a_server_that_closes_is_no_leak),
        cmocka_unit_test(hours_of_noise_are_a_plateau),
        cmocka_unit_test(a_count_that_fills_up_and_levels_off_is_a_plateau),
        cmocka_unit_test(a_count_that_falls_is_draining),
        cmocka_unit_test(no_looks_are_too_few),
        cmocka_unit_test(seven_looks_are_too_few_and_eight_are_enough),
        cmocka_unit_test(many_looks_at_one_moment_are_too_short),
        cmocka_unit_test(room_lasts_as_long_as_the_slope_takes),
        cmocka_unit_test(words_tell_slope_interval_looks_and_span),
        cmocka_unit_test(slow_slopes_are_told_per_minute_or_hour),
        cmocka_unit_test(fast_slopes_are_grouped_and_zero_has_no_sign),
        cmocka_unit_test(words_of_the_longest_numbers_fit),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests_name("trend", tests, NULL, NULL);
}
