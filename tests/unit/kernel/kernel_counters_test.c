#include "../unit.h"

#include "kernel/kernel_counters.h"

#include <sys/resource.h>

static void every_counter_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const char *name = kernel_counter_name((enum kernel_counter)i);
        assert_non_null(name);
        assert_true(name[0] != '\0');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, kernel_counter_name((enum kernel_counter)j));
    }
}

static void every_counter_says_what_it_means(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const char *meaning = kernel_counter_meaning((enum kernel_counter)i);
        assert_non_null(meaning);
        assert_true(strlen(meaning) > 10);
        assert_true(meaning[strlen(meaning) - 1] != '.');
    }
}

static void a_full_table_is_trouble(void **state)
{
    (void)state;
    assert_true(kernel_counter_is_trouble(COUNTER_TIME_WAIT_OVERFLOW));
    assert_true(kernel_counter_is_trouble(COUNTER_LISTEN_OVERFLOWS));
    assert_true(kernel_counter_is_trouble(COUNTER_SYN_RETRANS));
}

static void a_reset_that_an_order_asks_for_is_no_trouble(void **state)
{
    (void)state;
    assert_false(kernel_counter_is_trouble(COUNTER_ABORT_ON_CLOSE));
    assert_false(kernel_counter_is_trouble(COUNTER_ABORT_ON_DATA));
    assert_false(kernel_counter_is_trouble(COUNTER_ESTAB_RESETS));
    assert_false(kernel_counter_is_trouble(COUNTER_OUT_RSTS));
}

static void moved_is_now_minus_before(void **state)
{
    (void)state;
    struct kernel_counters before, now;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        before.value[i] = 100 * i;
        now.value[i] = 100 * i + i * i;
    }
    struct kernel_counters moved = kernel_counters_moved(&now, &before);
    for (int i = 0; i < COUNTER_COUNT; i++)
        assert_int_equal(moved.value[i], i * i);
}

/* The kernel's are unsigned and wrap; and a line that somebody else wrote may hold any number. */
static void moved_wraps_as_the_kernels_counters_do(void **state)
{
    (void)state;
    struct kernel_counters before = {.value = {INT64_MAX, INT64_MIN}}, now = {.value = {INT64_MIN, 0}};
    struct kernel_counters moved = kernel_counters_moved(&now, &before);
    assert_int_equal(moved.value[0], 1);
    assert_int_equal(moved.value[1], INT64_MIN);
}

static void reading_finds_counts_that_do_not_fall(void **state)
{
    (void)state;
    struct kernel_counters first, second;
    memset(&first, 0xff, sizeof first);
    kernel_counters_read(&first);
    kernel_counters_read(&second);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        assert_true(first.value[i] >= 0);
        assert_true(second.value[i] >= first.value[i]);
    }
}

static void without_a_descriptor_they_are_as_they_were(void **state)
{
    (void)state;
    struct kernel_counters before, now;
    struct rlimit limit, none;
    kernel_counters_read(&before);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    kernel_counters_read(&now);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_memory_equal(&now, &before, sizeof now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_a_name_of_its_own),
        cmocka_unit_test(every_counter_says_what_it_means),
        cmocka_unit_test(a_full_table_is_trouble),
        cmocka_unit_test(a_reset_that_an_order_asks_for_is_no_trouble),
        cmocka_unit_test(moved_is_now_minus_before),
        cmocka_unit_test(moved_wraps_as_the_kernels_counters_do),
        cmocka_unit_test(reading_finds_counts_that_do_not_fall),
        cmocka_unit_test(without_a_descriptor_they_are_as_they_were),
    };
    return cmocka_run_group_tests_name("kernel_counters", tests, NULL, NULL);
}
