#include "../unit.h"

#include "base/json_writer.h"

#include <stdlib.h>

struct written {
    struct json_writer json;
    char *text;
    size_t length;
};

static int open_stream(void **state)
{
    struct written *written = calloc(1, sizeof *written);
    written->json.out = open_memstream(&written->text, &written->length);
    *state = written;
    return written->json.out != NULL ? 0 : -1;
}

static int close_stream(void **state)
{
    struct written *written = *state;
    fclose(written->json.out);
    free(written->text);
    free(written);
    return 0;
}

static const char *text_of(struct written *written)
{
    fflush(written->json.out);
    return written->text;
}

static void an_empty_object_is_a_line(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '{');
    json_close(&written->json, '}');
    json_end_line(&written->json);
    assert_string_equal(text_of(written), "{}\n");
}

static void members_are_parted_by_commas(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '{');
    json_string(&written->json, "event", "start");
    json_integer(&written->json, "conns", 1000);
    json_boolean(&written->json, "ok", true);
    json_close(&written->json, '}');
    assert_string_equal(text_of(written), "{\"event\":\"start\",\"conns\":1000,\"ok\":true}");
}

static void a_member_follows_a_nested_object(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '{');
    json_open(&written->json, "inner", '{');
    json_integer(&written->json, "a", 1);
    json_close(&written->json, '}');
    json_boolean(&written->json, "b", false);
    json_close(&written->json, '}');
    assert_string_equal(text_of(written), "{\"inner\":{\"a\":1},\"b\":false}");
}

static void elements_of_an_array_have_no_key(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '{');
    json_open(&written->json, "list", '[');
    json_string(&written->json, NULL, "a");
    json_string(&written->json, NULL, "b");
    json_open(&written->json, NULL, '{');
    json_close(&written->json, '}');
    json_close(&written->json, ']');
    json_close(&written->json, '}');
    assert_string_equal(text_of(written), "{\"list\":[\"a\",\"b\",{}]}");
}

static void the_next_line_starts_without_a_comma(void **state)
{
    struct written *written = *state;
    for (int i = 0; i < 2; i++) {
        json_open(&written->json, NULL, '{');
        json_integer(&written->json, "i", i);
        json_close(&written->json, '}');
        json_end_line(&written->json);
    }
    assert_string_equal(text_of(written), "{\"i\":0}\n{\"i\":1}\n");
}

static void quotes_and_backslashes_are_escaped(void **state)
{
    struct written *written = *state;
    json_string(&written->json, NULL, "a \"b\" \\c");
    assert_string_equal(text_of(written), "\"a \\\"b\\\" \\\\c\"");
}

static void a_newline_does_not_end_the_line(void **state)
{
    struct written *written = *state;
    json_string(&written->json, NULL, "one\ntwo");
    assert_string_equal(text_of(written), "\"one\\ntwo\"");
}

static void control_characters_are_escaped(void **state)
{
    struct written *written = *state;
    json_string(&written->json, NULL, "\t\033\x01");
    assert_string_equal(text_of(written), "\"\\u0009\\u001b\\u0001\"");
}

static void keys_are_escaped_too(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '{');
    json_integer(&written->json, "a\"b", 1);
    json_close(&written->json, '}');
    assert_string_equal(text_of(written), "{\"a\\\"b\":1}");
}

static void utf8_passes_as_it_is(void **state)
{
    struct written *written = *state;
    json_string(&written->json, NULL, "\xc3\xa9");
    assert_string_equal(text_of(written), "\"\xc3\xa9\"");
}

static void what_is_no_utf8_becomes_the_replacement_character(void **state)
{
    struct written *written = *state;
    json_string(&written->json, NULL, "ssh \xff\xc3(\xed\xa0\x80");
    assert_string_equal(text_of(written),
                        "\"ssh \xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void the_extreme_integers_are_exact(void **state)
{
    struct written *written = *state;
    json_open(&written->json, NULL, '[');
    json_integer(&written->json, NULL, INT64_MIN);
    json_integer(&written->json, NULL, INT64_MAX);
    json_close(&written->json, ']');
    assert_string_equal(text_of(written), "[-9223372036854775808,9223372036854775807]");
}

static void a_number_has_six_decimals(void **state)
{
    struct written *written = *state;
    json_number(&written->json, "t_s", 1.5);
    assert_string_equal(text_of(written), "\"t_s\":1.500000");
}

#define json_test(name) cmocka_unit_test_setup_teardown(name, open_stream, close_stream)

int main(void)
{
    const struct CMUnitTest tests[] = {
        json_test(an_empty_object_is_a_line),
        json_test(members_are_parted_by_commas),
        json_test(a_member_follows_a_nested_object),
        json_test(elements_of_an_array_have_no_key),
        json_test(the_next_line_starts_without_a_comma),
        json_test(quotes_and_backslashes_are_escaped),
        json_test(a_newline_does_not_end_the_line),
        json_test(control_characters_are_escaped),
        json_test(keys_are_escaped_too),
        json_test(utf8_passes_as_it_is),
        json_test(what_is_no_utf8_becomes_the_replacement_character),
        json_test(the_extreme_integers_are_exact),
        json_test(a_number_has_six_decimals),
    };
    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
