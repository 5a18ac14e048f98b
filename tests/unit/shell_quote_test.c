#include "unit.h"

#include "base/shell_quote.h"

#include <stdlib.h>

static void check(const char *word, const char *expected)
{
    char *words[] = {(char *)word};
    char *text = shell_quoted("tcpstorm", 1, words);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void plain_words_stay_as_they_are(void **state)
{
    (void)state;
    char conns[] = "--conns", number[] = "1k", csv[] = "--csv", file[] = "a/b_1.csv";
    char states[] = "close-wait=300,last-ack=5";
    char *words[] = {conns, number, csv, file, states};
    char *text = shell_quoted("tcpstorm", COUNT_OF(words), words);
    assert_string_equal(text, "tcpstorm --conns 1k --csv a/b_1.csv close-wait=300,last-ack=5");
    free(text);
}

static void what_the_shell_would_change_is_quoted(void **state)
{
    (void)state;
    check("", "tcpstorm ''");
    check("a b", "tcpstorm 'a b'");
    check("$HOME", "tcpstorm '$HOME'");
    check("~", "tcpstorm '~'");
    check("it's", "tcpstorm 'it'\\''s'");
    check("a\\b", "tcpstorm 'a\\b'");
}

static void what_is_no_plain_ascii_is_written_as_such(void **state)
{
    (void)state;
    check("a\nb", "tcpstorm $'a\\x0ab'");
    check("\xc3\xa4's", "tcpstorm $'\\xc3\\xa4\\'s'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_stay_as_they_are),
        cmocka_unit_test(what_the_shell_would_change_is_quoted),
        cmocka_unit_test(what_is_no_plain_ascii_is_written_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
