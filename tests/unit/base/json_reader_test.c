#include "../unit.h"

#include "base/json_reader.h"

static struct json_reader of(const char *text)
{
    struct json_reader json;
    json_reader_begin(&json, text, strlen(text));
    return json;
}

static void members_come_in_their_order(void **state)
{
    (void)state;
    struct json_reader json = of(" {\"a\" : -1.5e2, \"b\":\"x\\\"y\\u00e9\\n\", \"c\":[1,2], \"d\":{} } ");
    char key[8], text[16];
    double number;
    int64_t whole, sum = 0;
    assert_true(json_reader_enter(&json, '{'));
    assert_true(json_reader_member(&json, key, sizeof key));
    assert_string_equal(key, "a");
    assert_true(json_reader_number(&json, &number));
    assert_true(number < -149 && number > -151);
    assert_true(json_reader_member(&json, key, sizeof key));
    assert_true(json_reader_string(&json, text, sizeof text));
    assert_string_equal(text, "x\"y??");
    assert_true(json_reader_member(&json, key, sizeof key));
    assert_true(json_reader_enter(&json, '['));
    while (json_reader_element(&json)) {
        assert_true(json_reader_integer(&json, &whole));
        sum += whole;
    }
    assert_int_equal(sum, 3);
    assert_true(json_reader_member(&json, key, sizeof key));
    assert_int_equal(json_reader_kind(&json), '{');
    assert_true(json_reader_skip(&json));
    assert_false(json_reader_member(&json, key, sizeof key));
    assert_true(json_reader_is_over(&json));
}

static void what_is_longer_than_its_room_is_cut(void **state)
{
    (void)state;
    struct json_reader json = of("\"abcdef\"");
    char text[4];
    assert_true(json_reader_string(&json, text, sizeof text));
    assert_string_equal(text, "abc");
    assert_true(json_reader_is_over(&json));
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "{",         "[1,]",
        "[1 2]",      "{\"a\"}",   "{\"a\":}",
        "{\"a\":1,}", "{1:2}",     "\"abc",
        "\"a\\x\"",   "\"\\u12\"", "01",
        "1.",         "1e",        "-",
        "tru",        "nul",       "[1}",
        "\"a\nb\"",   "{} x",      "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json_reader json = of(texts[i]);
        json_reader_skip(&json);
        if (json_reader_is_over(&json))
            fail_msg("%s was taken", texts[i]);
    }
}

static void all_kinds_can_be_skipped(void **state)
{
    (void)state;
    static const char text[] = "[null,true,false,-0.5,1e9,\"a\",{\"b\":[{}],\"c\":[]},[]]";
    struct json_reader json = of(text);
    assert_true(json_reader_skip(&json));
    assert_true(json_reader_is_over(&json));
}

static void a_fraction_is_no_whole_number(void **state)
{
    (void)state;
    int64_t whole;
    struct json_reader json = of("1.5"), large = of("1e300"), exact = of("2e3");
    assert_false(json_reader_integer(&json, &whole));
    assert_false(json_reader_integer(&large, &whole));
    assert_true(json_reader_integer(&exact, &whole));
    assert_int_equal(whole, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_their_order),
        cmocka_unit_test(what_is_longer_than_its_room_is_cut),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(all_kinds_can_be_skipped),
        cmocka_unit_test(a_fraction_is_no_whole_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
