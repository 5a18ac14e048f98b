#include "../unit.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

static void it_grows_by_doubling_and_keeps_what_it_has(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    int *items = NULL, moves = 0;
    size_t room = 0;
    for (int i = 0; i < MANY; i++) {
        size_t before = room;
        assert_int_equal(ARRAY_RESERVE(items, room, i + 1), 0);
        moves += room != before;
        items[i] = i;
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(items[i], i);
    assert_true(room >= MANY && room < 2 * MANY);
    assert_true(moves < 20);
    free(items);
}

static void there_is_room_for_many_at_once(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t room = 0;
    assert_int_equal(ARRAY_RESERVE(bytes, room, 5000), 0);
    assert_true(room >= 5000);
    memset(bytes, 'x', 5000);
    free(bytes);
}

static void what_cannot_be_had_changes_nothing(void **state)
{
    (void)state;
    long *items = NULL;
    size_t room = 0;
    assert_int_equal(ARRAY_RESERVE(items, room, 1), 0);
    const long *same = items;
    size_t before = room;
    items[0] = 7;
    assert_int_equal(ARRAY_RESERVE(items, room, SIZE_MAX / 2), -ENOMEM);
    assert_ptr_equal(items, same);
    assert_int_equal(room, before);
    assert_int_equal(items[0], 7);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_by_doubling_and_keeps_what_it_has),
        cmocka_unit_test(there_is_room_for_many_at_once),
        cmocka_unit_test(what_cannot_be_had_changes_nothing),
    };
    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
