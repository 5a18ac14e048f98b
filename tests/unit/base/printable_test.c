#include "../unit.h"

#include "base/printable.h"

#include <stdio.h>
#include <stdlib.h>

/* In place, and written: the same. */
static void assert_printable(const char *text, const char *expected)
{
    char copy[64], *written = NULL;
    size_t length = 0;
    snprintf(copy, sizeof copy, "%s", text);
    printable(copy);
    assert_string_equal(copy, expected);
    FILE *out = open_memstream(&written, &length);
    printable_put(out, text, strlen(text));
    fclose(out);
    assert_string_equal(written, expected);
    free(written);
}

static void plain_text_and_other_languages_stay(void **state)
{
    (void)state;
    assert_printable("", "");
    assert_printable("ssh db-1", "ssh db-1");
    assert_printable("Grüße, 世界 🌍", "Grüße, 世界 🌍");
}

static void no_order_to_a_terminal_is_left(void **state)
{
    (void)state;
    assert_printable("\033[2Jx\a\n\t\177", "?[2Jx????");
    assert_printable("a\xc2\x9b"
                     "31m",
                     "a?31m"); /* U+009B: CSI in one character */
    assert_printable("\x9b"
                     "31m",
                     "?31m");
}

static void bytes_that_are_no_utf8_become_question_marks(void **state)
{
    (void)state;
    assert_printable("a\xff\xfe"
                     "b",
                     "a??b");
    assert_printable("\xc3", "?");                /* cut off */
    assert_printable("\xc0\xaf", "??");           /* too long for what it is */
    assert_printable("\xed\xa0\x80", "???");      /* a surrogate */
    assert_printable("\xf4\x90\x80\x80", "????"); /* beyond the last character */
}

static void lengths_of_characters_are_known(void **state)
{
    (void)state;
    assert_int_equal(utf8_length(""), 0);
    assert_int_equal(utf8_length("a"), 1);
    assert_int_equal(utf8_length("ü"), 2);
    assert_int_equal(utf8_length("世"), 3);
    assert_int_equal(utf8_length("🌍"), 4);
    assert_int_equal(utf8_length("\x80"), 0);
}

static void a_word_is_visible_ascii(void **state)
{
    (void)state;
    char text[] = "a b\tc\x7f\xc3\xbc~!";
    printable_word(text);
    assert_string_equal(text, "a_b_c___~!");
    assert_false(is_visible_ascii(' '));
    assert_false(is_visible_ascii('\xfc'));
    assert_true(is_visible_ascii('~'));
}

/* ---- a field of CSV ---- */

static void expect_field(const char *text, const char *field)
{
    char *written;
    size_t length;
    FILE *out = open_memstream(&written, &length);
    printable_put_csv(out, text);
    fclose(out);
    assert_string_equal(written, field);
    free(written);
}

static void plain_text_is_a_field_as_it_is(void **state)
{
    (void)state;
    expect_field("", "");
    expect_field("nginx", "nginx");
    expect_field("a b'c", "a b'c");
}

static void what_would_end_the_field_is_quoted(void **state)
{
    (void)state;
    expect_field("a,b", "\"a,b\"");
    expect_field("a\"b", "\"a\"\"b\"");
    expect_field("a\nb\r", "\"a\nb\r\"");
}

static void a_formula_is_led_by_an_apostrophe(void **state)
{
    (void)state;
    expect_field("=1+1", "'=1+1");
    expect_field("+1", "'+1");
    expect_field("-1", "'-1");
    expect_field("@a", "'@a");
    expect_field("\tx", "'\tx");
    expect_field("\rx", "\"'\rx\"");
    expect_field("=a,\"b\"", "\"'=a,\"\"b\"\"\"");
    expect_field("a=1", "a=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_and_other_languages_stay),
        cmocka_unit_test(no_order_to_a_terminal_is_left),
        cmocka_unit_test(bytes_that_are_no_utf8_become_question_marks),
        cmocka_unit_test(lengths_of_characters_are_known),
        cmocka_unit_test(a_word_is_visible_ascii),
        cmocka_unit_test(plain_text_is_a_field_as_it_is),
        cmocka_unit_test(what_would_end_the_field_is_quoted),
        cmocka_unit_test(a_formula_is_led_by_an_apostrophe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
