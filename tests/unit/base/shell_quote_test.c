#include "../unit.h"

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

/* What a shell makes of it is the word again, byte by byte. */
static void a_command_gives_the_shell_every_byte(void **state)
{
    (void)state;
    static const char *const words[] = {"a/b_1",        "",        "it's a \"b\"", "$HOME `id` $(id) \\",
                                        "\xc3\xa4\xff", "a\tb;c&|"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char read_back[64] = "";
        char *command = shell_command("printf %s", 1, &words[i]);
        assert_non_null(command);
        FILE *shell = popen(command, "r");
        assert_non_null(shell);
        read_back[fread(read_back, 1, sizeof read_back - 1, shell)] = '\0';
        assert_int_equal(pclose(shell), 0);
        assert_string_equal(read_back, words[i]);
        free(command);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_stay_as_they_are),
        cmocka_unit_test(what_the_shell_would_change_is_quoted),
        cmocka_unit_test(what_is_no_plain_ascii_is_written_as_such),
        cmocka_unit_test(a_command_gives_the_shell_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
