#include "../unit.h"

#include "kernel/descriptor_table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static void a_recorded_status_tells_its_size(void **state)
{
    (void)state;
    assert_int_equal(descriptor_table_parse("Name:\tcat\nGid:\t0\t0\t0\t0\nFDSize:\t256\nGroups:\t0 \n"),
                     256);
}

static void what_is_no_size_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(descriptor_table_parse(""), -1);
    assert_int_equal(descriptor_table_parse("Name:\tFDSize: 3\n"), -1);
    assert_int_equal(descriptor_table_parse("Name:\tcat\nFDSize:\t\n"), -1);
    assert_int_equal(descriptor_table_parse("Name:\tcat\nFDSize:\t99999999999999999999\n"), -1);
}

static void the_own_table_grows_and_does_not_shrink(void **state)
{
    (void)state;
    int64_t before = descriptor_table_size(getpid());
    assert_true(before >= 64);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int high = (int)(2 * before);
    if ((rlim_t)high >= limit.rlim_cur)
        skip();
    assert_int_equal(dup2(0, high), high);
    assert_true(descriptor_table_size(getpid()) > before);
    close(high);
    assert_true(descriptor_table_size(getpid()) > high);
}

static void nobody_has_no_table(void **state)
{
    (void)state;
    assert_int_equal(descriptor_table_size(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_status_tells_its_size),
        cmocka_unit_test(what_is_no_size_is_not_known),
        cmocka_unit_test(the_own_table_grows_and_does_not_shrink),
        cmocka_unit_test(nobody_has_no_table),
    };
    return cmocka_run_group_tests_name("descriptor_table", tests, NULL, NULL);
}
