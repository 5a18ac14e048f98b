#include "../unit.h"

#include "kernel/process_limits.h"

#include <errno.h>
#include <sys/resource.h>

static const char recorded[] =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max cpu time              unlimited            unlimited            seconds   \n"
    "Max processes             96365                96365                processes \n"
    "Max open files            1024                 524288               files     \n"
    "Max locked memory         8388608              8388608              bytes     \n";

static void both_limits_are_read(void **state)
{
    (void)state;
    struct process_limits limits;
    assert_true(process_limits_parse(recorded, &limits));
    assert_int_equal(limits.descriptors_soft, 1024);
    assert_int_equal(limits.descriptors_hard, 524288);
    assert_true(
        process_limits_parse("Max open files            unlimited            unlimited  files", &limits));
    assert_true(limits.descriptors_soft == INT64_MAX && limits.descriptors_hard == INT64_MAX);
}

static void other_texts_do_not_tell(void **state)
{
    static const char *const texts[] = {"",
                                        "Max open files",
                                        "Max open files x y",
                                        "Max open files 12",
                                        "Max open files -1 -1",
                                        "Max open files 99999999999999999999 1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct process_limits limits;
        assert_false(process_limits_parse(texts[i], &limits));
    }
}

static void our_own_are_as_getrlimit_has_them(void **state)
{
    (void)state;
    struct rlimit ours;
    struct process_limits limits;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
    assert_int_equal(process_limits_read(getpid(), &limits), 0);
    assert_int_equal(limits.descriptors_soft, ours.rlim_cur);
    assert_int_equal(limits.descriptors_hard, ours.rlim_max);
    assert_int_equal(process_limits_read(99999999, &limits), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_limits_are_read),
        cmocka_unit_test(other_texts_do_not_tell),
        cmocka_unit_test(our_own_are_as_getrlimit_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
