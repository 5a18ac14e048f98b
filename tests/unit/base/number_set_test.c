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

static void a_slot_is_the_place_beside_the_set(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct number_set set = {0};
    assert_int_equal(number_set_slot(&set, 7), NO_SLOT);
    assert_int_equal(number_set_reserve(&set, MANY), 0);
    size_t slots = set.slot_count;
    for (uint64_t i = 1; i <= MANY; i++)
        assert_int_equal(number_set_add(&set, i), 1);
    assert_int_equal(set.slot_count, slots); /* nothing has moved */
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(set.slots[number_set_slot(&set, i)] == i);
    assert_true(number_set_has(&set, MANY));
    assert_false(number_set_has(&set, MANY + 1));
    assert_false(number_set_has(&set, 0));
    assert_int_equal(number_set_reserve(&set, 1), 0); /* never less */
    assert_int_equal(set.slot_count, slots);
    number_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_is_taken_once),
        cmocka_unit_test(none_is_lost_while_it_grows),
        cmocka_unit_test(a_slot_is_the_place_beside_the_set),
    };
    return cmocka_run_group_tests_name("number_set", tests, NULL, NULL);
}
