#include "../unit.h"

#include "base/csv_field.h"

#include <stdlib.h>

static void expect_field(const char *text, const char *field)
{
    char *written;
    size_t length;
    FILE *out = open_memstream(&written, &length);
    csv_put_text(out, text);
    fclose(out);
    assert_string_equal(written, field);
    free(written);
}

static void plain_text_is_written_as_it_is(void **state)
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
        cmocka_unit_test(plain_text_is_written_as_it_is),
        cmocka_unit_test(what_would_end_the_field_is_quoted),
        cmocka_unit_test(a_formula_is_led_by_an_apostrophe),
    };
    return cmocka_run_group_tests_name("csv_field", tests, NULL, NULL);
}
