#include "../unit.h"

#include "base/text.h"

static void what_fits_is_appended(void **state)
{
    (void)state;
    char text[10] = "";
    TEXT_ADD(text, "%d", 12);
    TEXT_ADD(text, "%s", "");
    TEXT_ADD(text, "%s", "3456789"); /* to the last byte */
    assert_string_equal(text, "123456789");
    TEXT_ADD(text, "%s", "");
    assert_string_equal(text, "123456789");
}

static void what_does_not_fit_is_seen_to_be_cut(void **state)
{
    (void)state;
    char text[10] = "12345";
    TEXT_ADD(text, "%s", "67890");
    assert_string_equal(text, "123456...");
    TEXT_ADD(text, "%s", "x");
    assert_string_equal(text, "123456...");
    char full[10] = "123456789";
    TEXT_ADD(full, "%c", 'x');
    assert_string_equal(full, "123456...");
}

static void no_character_is_cut(void **state)
{
    (void)state;
    char text[10] = "1234";
    TEXT_ADD(text, "%s", "€€"); /* three bytes each */
    assert_string_equal(text, "1234.....");
    TEXT_ADD(text, "%s", "x");
    assert_string_equal(text, "1234.....");
    char wide[] = "......";
    wide[0] = '\0';
    TEXT_ADD(wide, "%s", "🌍🌍");
    assert_string_equal(wide, "......");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_appended),
        cmocka_unit_test(what_does_not_fit_is_seen_to_be_cut),
        cmocka_unit_test(no_character_is_cut),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
