#include "../unit.h"

#include "kernel/time_slice.h"

#include <linux/sched/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Nanoseconds; 0 on kernels that do not tell. */
static uint64_t slice_ns(void)
{
    struct sched_attr now = {.size = sizeof now};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0), 0);
    return now.sched_runtime;
}

static bool is_since(int wanted_major, int wanted_minor)
{
    struct utsname system;
    int major = 0, minor = 0;
    assert_int_equal(uname(&system), 0);
    assert_int_equal(sscanf(system.release, "%d.%d", &major, &minor), 2);
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

static void the_kernel_takes_it_and_leaves_the_rest(void **state)
{
    (void)state;
    assert_int_equal(setpriority(PRIO_PROCESS, 0, 3), 0);
    assert_int_equal(time_slice_ask(100), 0);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), 3);
    if (is_since(6, 12))
        assert_int_equal(slice_ns(), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_kernel_takes_it_and_leaves_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
