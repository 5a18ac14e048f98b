#include "../unit.h"

#include "code/code.h"
#include "code/lookup.h"

#include <errno.h>
#include <stdlib.h>

static const struct place closing[] = {
    {.function = "close", .module = "libc.so.6", .offset = 0x100},
    {.function = "conn_free", .file = "conn.c", .path = "/src/conn.c", .line = 24, .is_own = true},
    {.function = "main", .file = "main.c", .path = "/src/main.c", .line = 7, .is_own = true},
};

static void the_same_places_are_the_same_site(void **state)
{
    (void)state;
    struct code *code = code_new();
    const struct site *site = code_intern(code, closing, COUNT_OF(closing), false);
    assert_int_equal(site->id, 0);
    assert_int_equal(site->count, 3);
    assert_int_equal(site->own, 1);
    assert_false(site->is_cut);
    assert_string_equal(site->places[1].function, "conn_free");
    char function[] = "close", module[] = "libc.so.6";
    struct place again[COUNT_OF(closing)];
    memcpy(again, closing, sizeof closing);
    again[0].function = function; /* another copy of the text */
    again[0].module = module;
    again[1].offset = 0x55; /* another copy of that line */
    assert_ptr_equal(code_intern(code, again, COUNT_OF(again), false), site);
    memset(function, 'x', 5); /* the strings were copied */
    assert_string_equal(site->places[0].function, "close");
    assert_ptr_equal(code_intern(code, closing, COUNT_OF(closing), false), site);
    code_free(code);
}

static void whatever_differs_is_another_site(void **state)
{
    (void)state;
    struct code *code = code_new();
    const struct site *site = code_intern(code, closing, COUNT_OF(closing), false);
    struct place changed[7][COUNT_OF(closing)];
    for (size_t i = 0; i < COUNT_OF(changed); i++)
        memcpy(changed[i], closing, sizeof closing);
    changed[0][1].line = 25;
    changed[1][1].function = "conn_end";
    changed[2][1].path = "/old/conn.c";
    changed[3][0].module = NULL;
    changed[4][0].offset = 0x200; /* without a line, the offset is all there is */
    changed[5][1].is_tail_call = true;
    changed[6][1].is_own = false;
    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        const struct site *other = code_intern(code, changed[i], COUNT_OF(closing), false);
        assert_ptr_not_equal(other, site);
        assert_int_equal(other->id, (int)i + 1);
    }
    assert_int_equal(code_intern(code, changed[6], COUNT_OF(closing), false)->own, 2);
    assert_ptr_not_equal(code_intern(code, closing, COUNT_OF(closing), true), site);
    assert_ptr_not_equal(code_intern(code, closing, 2, false), site);
    code_free(code);
}

static void a_site_of_no_own_place_says_so_and_a_deep_one_is_cut(void **state)
{
    (void)state;
    struct code *code = code_new();
    assert_int_equal(code_intern(code, closing, 1, false)->own, -1);
    assert_int_equal(code_intern(code, NULL, 0, true)->count, 0);
    struct place deep[SITE_PLACES + 5] = {{0}};
    const struct site *site = code_intern(code, deep, COUNT_OF(deep), false);
    assert_int_equal(site->count, SITE_PLACES);
    assert_true(site->is_cut);
    code_free(code);
    code_free(NULL);
}

static void items_are_found_by_their_hash(void **state)
{
    (void)state;
    struct lookup lookup = {0};
    int items[1000];
    for (size_t i = 0; i < COUNT_OF(items); i++)
        assert_int_equal(lookup_add(&lookup, i % 500, &items[i]), 0); /* two share each hash */
    for (size_t i = 0; i < 500; i++) {
        size_t at = 0;
        assert_ptr_equal(lookup_next(&lookup, i, &at), &items[i]);
        assert_ptr_equal(lookup_next(&lookup, i, &at), &items[i + 500]);
        assert_null(lookup_next(&lookup, i, &at));
    }
    size_t at = 0;
    assert_null(lookup_next(&lookup, 500, &at));
    lookup_clear(&lookup, NULL);
    at = 0;
    assert_null(lookup_next(&lookup, 1, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_places_are_the_same_site),
        cmocka_unit_test(whatever_differs_is_another_site),
        cmocka_unit_test(a_site_of_no_own_place_says_so_and_a_deep_one_is_cut),
        cmocka_unit_test(items_are_found_by_their_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
