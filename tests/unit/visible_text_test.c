#include "unit.h"

#include "base/visible_text.h"

static void check(const char *from, const char *to)
{
    char text[300];
    snprintf(text, sizeof text, "%s", from);
    make_visible_word(text);
    assert_string_equal(text, to);
}

static void what_is_visible_stays(void **state)
{
    (void)state;
    check("nginx:worker,\"1\"<script>~", "nginx:worker,\"1\"<script>~");
    check("", "");
}

static void spaces_controls_and_escapes_become_underscores(void **state)
{
    (void)state;
    check("a b\tc\nd\re", "a_b_c_d_e");
    check("\x1b]0;title\x07\x7f", "_]0;title__");
}

static void bytes_beyond_ascii_become_underscores(void **state)
{
    (void)state;
    check("\xc3\xa9\x9b", "___");
}

static void no_byte_is_left_that_is_not_visible(void **state)
{
    (void)state;
    char text[256];
    for (int i = 0; i < 255; i++)
        text[i] = (char)(i + 1);
    text[255] = '\0';
    make_visible_word(text);
    assert_int_equal(strlen(text), 255);
    for (int i = 0; i < 255; i++)
        assert_true(text[i] > ' ' && text[i] <= '~');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_visible_stays),
        cmocka_unit_test(spaces_controls_and_escapes_become_underscores),
        cmocka_unit_test(bytes_beyond_ascii_become_underscores),
        cmocka_unit_test(no_byte_is_left_that_is_not_visible),
    };
    return cmocka_run_group_tests_name("visible_text", tests, NULL, NULL);
}
