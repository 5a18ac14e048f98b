#include "../unit.h"

#include "base/number_set.h"

static void what_is_new_is_taken_once(void **state)
{
    (void)state;
    struct number_set set = {0};
    assert_int_equal(number_set_add(&set, 7), 1);
    assert_int_equal(number_set_add(&set, 7), 0);
    assert_int_equal(number_set_add(&set, UINT64_MAX), 1);
    assert_int_equal(set.count, 2);
    number_set_free(&set);
    assert_int_equal(number_set_add(&set, 7), 1);
    number_set_free(&set);
}

static void none_is_lost_while_it_grows(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct number_set set = {0};
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 1; i <= MANY; i++)
            assert_int_equal(number_set_add(&set, i << 20), pass == 0);
    assert_int_equal(set.count, MANY);
    assert_true(set.slot_count * sizeof *set.slots <= MANY * 22);
    number_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_is_taken_once),
        cmocka_unit_test(none_is_lost_while_it_grows),
    };
    return cmocka_run_group_tests_name("number_set", tests, NULL, NULL);
}
