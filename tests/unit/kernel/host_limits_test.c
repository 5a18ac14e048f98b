#include "../unit.h"

#include "kernel/host_limits.h"

#include <sys/resource.h>

static struct host_limits read_limits(void)
{
    struct host_limits limits;
    memset(&limits, 0xff, sizeof limits);
    host_limits_read(&limits);
    return limits;
}

static void the_hard_limit_is_the_one_of_this_process(void **state)
{
    (void)state;
    struct rlimit nofile;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
    struct host_limits limits = read_limits();
    assert_true(limits.nofile_hard == (int64_t)nofile.rlim_max ||
                (limits.nofile_hard == INT32_MAX && nofile.rlim_max > INT32_MAX));
}

static void the_port_range_is_in_order(void **state)
{
    (void)state;
    struct host_limits limits = read_limits();
    assert_in_range(limits.port_first, 1, 65535);
    assert_in_range(limits.port_last, limits.port_first, 65535);
}

static void there_is_a_processor_and_memory(void **state)
{
    (void)state;
    struct host_limits limits = read_limits();
    assert_true(limits.processors >= 1);
    assert_true(limits.memory_available > 0);
}

static void times_are_in_milliseconds(void **state)
{
    (void)state;
    struct host_limits limits = read_limits();
    assert_true(limits.fin_timeout_ms >= 1000);
    assert_int_equal(limits.fin_timeout_ms % 1000, 0);
}

static void the_kernel_has_a_name(void **state)
{
    (void)state;
    assert_contains(read_limits().kernel, "Linux ");
}

static void raising_lifts_the_soft_limit_to_the_hard_one(void **state)
{
    (void)state;
    struct rlimit before, after;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(host_raise_nofile(), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_true(after.rlim_cur == before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* tcp_model_timeout(): doubled from 0.2 s on up to 2 minutes, and then every 2 minutes. */
static void retransmissions_take_so_long(void **state)
{
    (void)state;
    static const struct {
        int64_t retries, least_ms;
    } rows[] = {{0, 200}, {1, 600}, {2, 1400}, {3, 3000}, {9, 204600}, {10, 324600}, {15, 924600}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t least = retransmission_least_ms(rows[i].retries);
        assert_int_equal(least, rows[i].least_ms);
        assert_in_range(retransmission_most_ms(rows[i].retries), least + 1000, 2 * least + 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retransmissions_take_so_long),
        cmocka_unit_test(the_hard_limit_is_the_one_of_this_process),
        cmocka_unit_test(the_port_range_is_in_order),
        cmocka_unit_test(there_is_a_processor_and_memory),
        cmocka_unit_test(times_are_in_milliseconds),
        cmocka_unit_test(the_kernel_has_a_name),
        cmocka_unit_test(raising_lifts_the_soft_limit_to_the_hard_one),
    };
    return cmocka_run_group_tests_name("host_limits", tests, NULL, NULL);
}
