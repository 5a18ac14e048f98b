#include "../unit.h"

#include "audit/reply_end.h"

#include <string.h>

static struct reply_end end_of(const char *first, const char *second)
{
    struct reply_end end = {.length = 0};
    reply_end_take(&end, first, strlen(first));
    reply_end_take(&end, second, strlen(second));
    return end;
}

static void expect_end(struct reply_end end, const char *wanted)
{
    assert_int_equal(end.length, strlen(wanted));
    assert_memory_equal(end.bytes, wanted, end.length);
}

static void a_short_reply_is_its_own_end(void **state)
{
    (void)state;
    expect_end(end_of("", ""), "");
    expect_end(end_of("hel", "lo"), "hello");
    expect_end(end_of("0123456789", "abcdef"), "0123456789abcdef");
}

static void the_last_bytes_are_kept_however_they_come(void **state)
{
    (void)state;
    expect_end(end_of("0123456789abcdef", "g"), "123456789abcdefg");
    expect_end(end_of("x", "0123456789abcdef"), "0123456789abcdef");
    expect_end(end_of("xxxx", "0123456789abcdefghij"), "456789abcdefghij");
    expect_end(end_of("0123456789abcdefghij", ""), "456789abcdefghij");
}

static void replies_of_different_lengths_may_end_alike(void **state)
{
    (void)state;
    struct reply_end one = end_of("X-Number: 32770 3\r\nlength: 6\r\n\r\n", "hello\n");
    struct reply_end other = end_of("X-Number: 2\r\nlength: 6\r\n\r\nhel", "lo\n");
    struct reply_end cut = end_of("X-Number: 2\r\nlength: 6\r\n\r\n", "hell");
    struct reply_end none = {.length = 0};
    assert_true(reply_end_equal(&one, &other));
    assert_false(reply_end_equal(&one, &cut));
    assert_false(reply_end_equal(&one, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_reply_is_its_own_end),
        cmocka_unit_test(the_last_bytes_are_kept_however_they_come),
        cmocka_unit_test(replies_of_different_lengths_may_end_alike),
    };
    return cmocka_run_group_tests_name("reply_end", tests, NULL, NULL);
}
