#include "../unit.h"

#include "base/wrap.h"

#include <stdlib.h>

static void assert_wrapped(const char *text, int indent, int width, const char *expected)
{
    char *written = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&written, &length);
    wrap_print(out, text, indent, width);
    fclose(out);
    assert_string_equal(written, expected);
    free(written);
}

static void a_short_text_is_a_line(void **state)
{
    (void)state;
    assert_wrapped("one two", 2, 40, "  one two\n");
}

static void no_order_to_a_terminal_is_written(void **state)
{
    (void)state;
    assert_wrapped("one\033[2J two", 0, 40, "one?[2J two\n");
}

static void a_long_text_is_broken_at_words(void **state)
{
    (void)state;
    assert_wrapped("one two three four", 2, 10, "  one two\n  three\n  four\n");
}

static void a_line_may_be_exactly_as_wide_as_allowed(void **state)
{
    (void)state;
    assert_wrapped("one two three", 2, 9, "  one two\n  three\n");
    assert_wrapped("one two three", 2, 8, "  one\n  two\n  three\n");
}

static void a_word_wider_than_the_line_stands_alone(void **state)
{
    (void)state;
    assert_wrapped("a netipv4tcpmaxtwbuckets b", 0, 10, "a\nnetipv4tcpmaxtwbuckets\nb\n");
}

static void a_newline_ends_the_line(void **state)
{
    (void)state;
    assert_wrapped("one\ntwo", 2, 40, "  one\n  two\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_text_is_a_line),
        cmocka_unit_test(no_order_to_a_terminal_is_written),
        cmocka_unit_test(a_long_text_is_broken_at_words),
        cmocka_unit_test(a_line_may_be_exactly_as_wide_as_allowed),
        cmocka_unit_test(a_word_wider_than_the_line_stands_alone),
        cmocka_unit_test(a_newline_ends_the_line),
    };
    return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
