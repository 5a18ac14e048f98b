#include "../unit.h"

#include "explain/forecast.h"
#include "explain/words.h"
#include "made_facts.h"

#include <math.h>

enum { RUNS = 2000, AGES_MOST = 4000, GRACE_MS = 1000 };

static struct made made;

/* ---- chance, the same in every run ---- */

/* splitmix64 */
static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return ((double)(next_bits(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* Ages of a leak of so many a second that began span_s ago, which comes `clump` at a time. */
static int leak(double per_s, int clump, double span_s, uint64_t *state, double *ages)
{
    int count = 0;
    double at_ms = 0, most_ms = span_s * 1e3;
    for (;;) {
        at_ms += -log(uniform(state)) * 1e3 * clump / per_s;
        if (at_ms >= most_ms)
            return count;
        for (int i = 0; i < clump && count < AGES_MOST; i++)
            if (at_ms >= GRACE_MS)
                ages[count++] = at_ms;
    }
}

/* In how many percent of the runs the interval holds the truth. */
static double coverage(double per_s, int clump, double span_s)
{
    static double ages[AGES_MOST];
    uint64_t state = 17;
    int told = 0, right = 0;
    for (int run = 0; run < RUNS; run++) {
        int count = leak(per_s, clump, span_s, &state, ages);
        struct forecast forecast = forecast_of_ages(ages, count, GRACE_MS);
        if (forecast.kind != FORECAST_STEADY)
            continue;
        told++;
        right += forecast.low_per_s <= per_s && per_s <= forecast.high_per_s;
    }
    assert_true(told > RUNS * 8 / 10);
    return 100.0 * right / told;
}

static void the_interval_covers_the_truth(void **state)
{
    (void)state;
    static const struct {
        double per_s;
        int clump;
        double span_s, least;
    } leaks[] = {{20, 1, 4, 93}, {20, 1, 30, 93}, {2, 1, 20, 93}, {20, 4, 30, 90}, {20, 16, 60, 88}};
    for (size_t i = 0; i < COUNT_OF(leaks); i++) {
        double covered = coverage(leaks[i].per_s, leaks[i].clump, leaks[i].span_s);
        if (covered < leaks[i].least)
            fail_msg("%.0f/s in clumps of %d: %.1f%% covered", leaks[i].per_s, leaks[i].clump, covered);
    }
}

/* ---- what is told of it ---- */

static struct forecast even(int count, double from_ms, double gap_ms)
{
    static double ages[AGES_MOST];
    for (int i = 0; i < count; i++)
        ages[i] = from_ms + gap_ms * i;
    return forecast_of_ages(ages, count, GRACE_MS);
}

static void below_eight_nothing_is_told(void **state)
{
    (void)state;
    assert_int_equal(even(7, 1000, 50).kind, FORECAST_NONE);
    assert_int_equal(even(8, 1000, 50).kind, FORECAST_STEADY);
    assert_int_equal(even(8, 1000, 0).kind, FORECAST_NONE); /* all at once, this moment: no span */
}

static void an_even_leak_has_its_rate(void **state)
{
    (void)state;
    struct forecast forecast = even(100, 1010, 50);
    assert_int_equal(forecast.kind, FORECAST_STEADY);
    assert_true(fabs(forecast.per_s - 20) < 1);
    assert_true(forecast.low_per_s < 20 && forecast.high_per_s > 20);
}

static void a_leak_that_has_stopped_is_told_so(void **state)
{
    (void)state;
    assert_int_equal(even(100, 2900, 50).kind, FORECAST_STOPPED);
    assert_int_equal(even(100, 1900, 50).kind, FORECAST_STEADY);  /* not yet a second */
    assert_int_equal(even(20, 3500, 1000).kind, FORECAST_STEADY); /* fewer than five gaps */
}

static void the_rate_of_an_uneven_leak_is_that_of_its_newer_half(void **state)
{
    (void)state;
    double ages[220];
    for (int i = 0; i < 200; i++)
        ages[i] = 1000 + 10.0 * i; /* 100/s for two seconds */
    for (int i = 0; i < 20; i++)
        ages[200 + i] = 3000 + 200.0 * i; /* 5/s before */
    struct forecast forecast = forecast_of_ages(ages, 220, GRACE_MS);
    assert_int_equal(forecast.kind, FORECAST_UNEVEN);
    assert_true(forecast.per_s > 60);
}

static void two_counts_of_descriptors_make_a_rate(void **state)
{
    (void)state;
    struct forecast forecast = forecast_of_descriptors(100, 140, 4000);
    assert_int_equal(forecast.kind, FORECAST_STEADY);
    assert_true(fabs(forecast.per_s - 10) < 0.01);
    assert_int_equal(forecast_of_descriptors(100, 107, 4000).kind, FORECAST_NONE);
    assert_int_equal(forecast_of_descriptors(-1, 107, 4000).kind, FORECAST_NONE);
    assert_int_equal(forecast_of_descriptors(140, 100, 4000).kind, FORECAST_NONE);
}

/* ---- of a whole look ---- */

static struct outlook outlook(void)
{
    struct groups groups;
    struct outlook told;
    assert_int_equal(groups_of(&made.facts, GRACE_MS, &groups), 0);
    assert_int_equal(outlook_of(&made.facts, &groups, GRACE_MS, &told), 0);
    groups_free(&groups);
    return told;
}

static void add_leak(int count, bool keepalive)
{
    made_server(&made);
    for (int i = 0; i < count; i++) {
        struct fact_socket *socket = made_add(&made, made_close_wait(i));
        int64_t fin_ms = 1010 + 50 * i;
        socket->fin = keepalive ? (struct fact_age){fin_ms, 90000} : fact_age_exact(fin_ms);
    }
}

static void descriptors_run_out(void **state)
{
    (void)state;
    add_leak(100, false);
    made.processes[0].descriptors = 24;
    struct outlook told = outlook();
    assert_int_equal(told.room, ROOM_DESCRIPTORS);
    assert_int_equal(told.left, 1000);
    assert_true(told.soonest < told.seconds && told.seconds < told.last);
    assert_true(told.seconds > 45 && told.seconds < 55);
    assert_contains(words_of_outlook(&made.facts, &told).text, "1,000 descriptors are left, EMFILE in ");
}

static void no_descriptor_left_is_told_as_now(void **state)
{
    (void)state;
    add_leak(100, false);
    made.processes[0].descriptors = 1024;
    assert_true(outlook().seconds == 0);
}

static void keepalive_voids_the_ages(void **state)
{
    (void)state;
    add_leak(100, true);
    assert_int_equal(outlook().room, ROOM_NONE);
    made.processes[0].descriptors_before = 10;
    made.processes[0].descriptors = 50;
    made.processes[0].before_ms = 2000;
    struct outlook told = outlook();
    assert_int_equal(told.room, ROOM_DESCRIPTORS);
    assert_true(told.forecast.from_descriptors && fabs(told.forecast.per_s - 20) < 0.1);
    assert_contains(words_of_outlook(&made.facts, &told).text, "from two counts of descriptors");
}

static void an_accept_queue_fills(void **state)
{
    (void)state;
    made_server(&made);
    made.listeners[0].queue = 100;
    for (int i = 0; i < 100; i++) {
        struct fact_socket *socket = made_add(&made, made_close_wait(i));
        socket->holder = HOLDER_QUEUE;
        socket->process = -1;
        socket->age = fact_age_exact(1010 + 50 * i);
    }
    struct outlook told = outlook();
    assert_int_equal(told.room, ROOM_QUEUE);
    assert_int_equal(told.left, 412);
    assert_contains(words_of_outlook(&made.facts, &told).text,
                    "412 places in the accept queue are left, it is full in ");
}

static void without_a_limit_there_is_a_rate_and_no_end(void **state)
{
    (void)state;
    add_leak(100, false);
    made.processes[0].descriptor_limit = -1;
    struct outlook told = outlook();
    assert_contains(words_of_outlook(&made.facts, &told).text, "Grows ");
    assert_lacks(words_of_outlook(&made.facts, &told).text, "EMFILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_covers_the_truth),
        cmocka_unit_test(below_eight_nothing_is_told),
        cmocka_unit_test(an_even_leak_has_its_rate),
        cmocka_unit_test(a_leak_that_has_stopped_is_told_so),
        cmocka_unit_test(the_rate_of_an_uneven_leak_is_that_of_its_newer_half),
        cmocka_unit_test(two_counts_of_descriptors_make_a_rate),
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(no_descriptor_left_is_told_as_now),
        cmocka_unit_test(keepalive_voids_the_ages),
        cmocka_unit_test(an_accept_queue_fills),
        cmocka_unit_test(without_a_limit_there_is_a_rate_and_no_end),
    };
    return cmocka_run_group_tests_name("forecast", tests, NULL, NULL);
}
