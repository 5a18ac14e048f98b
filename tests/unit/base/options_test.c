#include "../unit.h"

#include "base/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct settings {
    int64_t count, duration_ms;
    const char *text;
    int choice;
    bool flag;
    int custom;
    const char *operand;
    struct inner {
        const char *text;
        bool flag;
    } inner;
};

static int parse_even(const char *text, void *target, char *why, size_t why_size)
{
    int number = atoi(text);
    if (number % 2 != 0) {
        snprintf(why, why_size, "must be an even number");
        return -EINVAL;
    }
    *(int *)target = number;
    return 0;
}

static const char *const choices[] = {"auto", "manual", NULL};

static const struct option_row inner_rows[] = {
    {.name = "list",
     .value = "TEXT",
     .help = "some",
     .is_list = true,
     .kind = OPTION_TEXT,
     .target = offsetof(struct inner, text)},
    {.name = "loud", .help = "say more", .kind = OPTION_FLAG, .target = offsetof(struct inner, flag)},
    {.name = NULL},
};

static const struct option_row rows[] = {
    {.name = "conns",
     .value = "N",
     .help = "how many",
     .preset = "1000",
     .kind = OPTION_COUNT,
     .target = offsetof(struct settings, count),
     .min = 1,
     .max = 20000},
    {.name = "settle",
     .value = "TIME",
     .help = "how long",
     .kind = OPTION_DURATION,
     .target = offsetof(struct settings, duration_ms),
     .min = 1,
     .max = 60000},
    {.name = "file",
     .value = "FILE",
     .help = "where to",
     .kind = OPTION_TEXT,
     .target = offsetof(struct settings, text)},
    {.name = "mode",
     .value = "HOW",
     .help = "in which way",
     .kind = OPTION_CHOICE,
     .target = offsetof(struct settings, choice),
     .choices = choices},
    {.name = "quiet", .help = "say less", .kind = OPTION_FLAG, .target = offsetof(struct settings, flag)},
    {.name = "even",
     .value = "N",
     .help = "only even",
     .kind = OPTION_CUSTOM,
     .target = offsetof(struct settings, custom),
     .parse = parse_even},
    {.name = "inner", .kind = OPTION_GROUP, .target = offsetof(struct settings, inner), .group = inner_rows},
    {.name = NULL},
};

static const struct option_rule rules[] = {
    {.option = "settle", .relation = OPTION_NEEDS, .others = {"conns"}, .why = "it waits for them"},
    {.option = "quiet", .relation = OPTION_EXCLUDES, .others = {"loud", "mode auto"}, .why = "it is still"},
    {.option = "even", .relation = OPTION_NEEDS_ONE_OF, .others = {"file", "list"}, .why = "it is for them"},
    {.command = "other", .option = "conns", .relation = OPTION_NEEDS, .others = {"file"}, .why = "no"},
    {.option = "conns", .relation = OPTION_NEEDS, .others = {"of-another-command"}, .why = "no"},
    {.option = NULL},
};

static const struct option_table table = {
    .command = "play", .help = "tcpstorm play --help", .rows = rows, .rules = rules};

static const struct option_table free_table = {
    .command = "play", .help = "tcpstorm play --help", .rows = rows};

/* Up to three words, NULL ends them. */
static int parse_words(struct settings *settings, const char *a, const char *b, const char *c)
{
    char *argv[] = {(char *)a, (char *)b, (char *)c};
    int argc = 0;
    while (argc < 3 && argv[argc] != NULL)
        argc++;
    return options_parse(&free_table, argc, argv, settings);
}

static struct settings accepted(const char *a, const char *b, const char *c)
{
    struct settings settings = {.choice = -1};
    assert_int_equal(parse_words(&settings, a, b, c), 0);
    return settings;
}

static void assert_refused(const char *a, const char *b, const char *said)
{
    struct settings settings = {0};
    struct stderr_capture capture;
    stderr_capture(&capture);
    int rc = parse_words(&settings, a, b, NULL);
    stderr_release(&capture);
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(capture.text, said);
}

static void no_words_change_nothing(void **state)
{
    (void)state;
    struct settings settings = {.count = 7, .choice = 1};
    assert_int_equal(options_parse(&table, 0, NULL, &settings), 0);
    assert_int_equal(settings.count, 7);
    assert_int_equal(settings.choice, 1);
}

static void a_value_may_be_the_next_word(void **state)
{
    (void)state;
    assert_int_equal(accepted("--conns", "10k", NULL).count, 10000);
}

static void a_value_may_be_attached(void **state)
{
    (void)state;
    assert_int_equal(accepted("--conns=10k", NULL, NULL).count, 10000);
}

static void an_attached_value_may_hold_an_equals_sign(void **state)
{
    (void)state;
    assert_string_equal(accepted("--file=a=b", NULL, NULL).text, "a=b");
}

static void an_option_is_given_once(void **state)
{
    (void)state;
    assert_refused("--conns=1", "--conns=2",
                   "tcpstorm: --conns is given twice, as \"1\" and as \"2\": it takes only one value\n");
    assert_refused("--conns=1", "--conns=1",
                   "tcpstorm: --conns is given twice, as \"1\" and as \"1\": it takes only one value\n");
    assert_refused("--quiet", "--quiet", "tcpstorm: --quiet is given twice: it must be given once\n");
}

static void a_list_is_given_several_times(void **state)
{
    (void)state;
    assert_string_equal(accepted("--list=a", "--list", "b").inner.text, "b");
}

static void the_rows_of_a_group_fill_its_struct(void **state)
{
    (void)state;
    struct settings settings = accepted("--loud", "--list", "b");
    assert_true(settings.inner.flag);
    assert_false(settings.flag);
}

static void a_flag_takes_no_word(void **state)
{
    (void)state;
    struct settings settings = accepted("--quiet", "--conns", "5");
    assert_true(settings.flag);
    assert_int_equal(settings.count, 5);
}

static void a_duration_is_in_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(accepted("--settle", "2s", NULL).duration_ms, 2000);
}

static void a_choice_is_its_index(void **state)
{
    (void)state;
    assert_int_equal(accepted("--mode", "auto", NULL).choice, 0);
    assert_int_equal(accepted("--mode", "manual", NULL).choice, 1);
}

static void a_dash_is_a_text(void **state)
{
    (void)state;
    assert_string_equal(accepted("--file", "-", NULL).text, "-");
}

static void a_custom_option_decides_for_itself(void **state)
{
    (void)state;
    assert_int_equal(accepted("--even", "4", NULL).custom, 4);
}

static void a_refused_custom_value_says_why(void **state)
{
    (void)state;
    assert_refused("--even", "3", "tcpstorm: --even \"3\": must be an even number\n");
}

static void a_bad_count_names_its_bounds(void **state)
{
    (void)state;
    assert_refused("--conns", "10x",
                   "tcpstorm: --conns \"10x\": must be a whole number from 1 to 20,000 (10k and 1m are "
                   "understood)\n");
}

static void a_bad_duration_names_its_bounds(void **state)
{
    (void)state;
    assert_refused("--settle", "5x",
                   "tcpstorm: --settle \"5x\": must be a duration from 1ms to 1m, such as 500ms, 2s or "
                   "1m30s\n");
}

static void a_bad_choice_names_the_choices(void **state)
{
    (void)state;
    assert_refused("--mode", "foo", "tcpstorm: --mode \"foo\": must be auto or manual\n");
}

static void an_empty_text_is_refused(void **state)
{
    (void)state;
    assert_refused("--file", "", "tcpstorm: --file \"\": must be a FILE that is not empty\n");
}

static void a_missing_value_is_refused(void **state)
{
    (void)state;
    assert_refused("--conns", NULL, "tcpstorm: --conns needs a value: --conns N\n");
    assert_refused("--file", "--quiet",
                   "tcpstorm: --file needs a value: --file FILE (to use \"--quiet\" as the value, write "
                   "--file=--quiet)\n");
    assert_string_equal(accepted("--file=--quiet", NULL, NULL).text, "--quiet");
    assert_string_equal(accepted("--file", "--no-option", NULL).text, "--no-option");
}

static void a_flag_with_a_value_is_refused(void **state)
{
    (void)state;
    assert_refused("--quiet=yes", NULL, "tcpstorm: --quiet \"yes\": must be given without a value\n");
}

static void a_typo_is_answered_by_the_nearest_name(void **state)
{
    (void)state;
    assert_refused("--conn", "5",
                   "tcpstorm: unknown option --conn: did you mean --conns? (\"tcpstorm play --help\" lists "
                   "all options)\n");
}

static void an_unlike_name_is_answered_by_help(void **state)
{
    (void)state;
    assert_refused("--zzzzzz", "5",
                   "tcpstorm: unknown option --zzzzzz: \"tcpstorm play --help\" lists all options\n");
}

static void a_name_of_any_length_is_answered_in_one_line(void **state)
{
    (void)state;
    char word[1000];
    memset(word, 'z', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    memcpy(word, "--", 2);
    struct settings settings = {0};
    struct stderr_capture capture;
    stderr_capture(&capture);
    int rc = parse_words(&settings, word, NULL, NULL);
    stderr_release(&capture);
    assert_int_equal(rc, -EINVAL);
    assert_contains(capture.text, "tcpstorm: unknown option --zzzz");
    assert_contains(capture.text, "lists all options");
    assert_ptr_equal(strchr(capture.text, '\n'), capture.text + strlen(capture.text) - 1);
}

static void a_bare_word_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"conns", "-n", "-", ""};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char said[256];
        snprintf(said, sizeof said,
                 "tcpstorm: unexpected argument \"%s\": options are written --name value or --name=value, "
                 "and \"tcpstorm "
                 "play --help\" lists them\n",
                 words[i]);
        assert_refused(words[i], "5", said);
    }
}

static void behind_two_dashes_no_word_is_an_option(void **state)
{
    (void)state;
    assert_int_equal(accepted("--conns", "5", "--").count, 5);
    assert_refused(
        "--", "--quiet",
        "tcpstorm: unexpected argument \"--quiet\": options are written --name value or --name=value, and "
        "\"tcpstorm play --help\" lists them\n");
    assert_string_equal(accepted("--file", "--", NULL).text, "--");
}

static int parse_operand(struct settings *settings, const char *a, const char *b, const char *c)
{
    static const struct option_table with_operand = {.command = "play",
                                                     .help = "tcpstorm play --help",
                                                     .rows = rows,
                                                     .operand = "piece",
                                                     .operand_target = offsetof(struct settings, operand),
                                                     .operand_missing = "play needs a piece"};
    char *argv[] = {(char *)a, (char *)b, (char *)c};
    int argc = 0;
    while (argc < 3 && argv[argc] != NULL)
        argc++;
    return options_parse(&with_operand, argc, argv, settings);
}

static void an_operand_stands_anywhere(void **state)
{
    (void)state;
    static const char *const lines[][3] = {
        {"song", "--conns", "5"}, {"--conns=5", "song", NULL}, {"--conns=5", "--", "song"}};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct settings settings = {.count = 1};
        assert_int_equal(parse_operand(&settings, lines[i][0], lines[i][1], lines[i][2]), 0);
        assert_string_equal(settings.operand, "song");
        assert_int_equal(settings.count, 5);
    }
    struct settings settings = {.count = 1};
    assert_int_equal(parse_operand(&settings, "--", "--conns", NULL), 0);
    assert_string_equal(settings.operand, "--conns");
}

static void an_operand_is_one(void **state)
{
    (void)state;
    struct settings settings = {.count = 1};
    struct stderr_capture capture;
    stderr_capture(&capture);
    int missing = parse_operand(&settings, "--conns", "5", NULL);
    int second = parse_operand(&settings, "song", "dance", NULL);
    stderr_release(&capture);
    assert_int_equal(missing, -EINVAL);
    assert_int_equal(second, -EINVAL);
    assert_string_equal(
        capture.text, "tcpstorm: play needs a piece\n"
                      "tcpstorm: unexpected argument \"dance\": after the piece there must be options only, "
                      "--name value or --name=value\n");
}

/* Up to three words, NULL ends them; "" where all is well. */
static void assert_rules_say(const char *a, const char *b, const char *c, const char *said)
{
    struct settings settings = {0};
    struct stderr_capture capture;
    char *argv[] = {(char *)a, (char *)b, (char *)c};
    int argc = 0;
    while (argc < 3 && argv[argc] != NULL)
        argc++;
    stderr_capture(&capture);
    int rc = options_parse(&table, argc, argv, &settings);
    stderr_release(&capture);
    assert_string_equal(capture.text, said);
    assert_int_equal(rc, *said != '\0' ? -EINVAL : 0);
}

static void an_option_needs_another(void **state)
{
    (void)state;
    assert_rules_say("--settle=5s", NULL, NULL,
                     "tcpstorm: --settle \"5s\" needs --conns: it waits for them\n");
    assert_rules_say("--settle=5s", "--conns=5", NULL, "");
    assert_rules_say("--conns=5", "--settle=5s", NULL, "");
}

static void an_option_excludes_another(void **state)
{
    (void)state;
    assert_rules_say("--quiet", "--loud", NULL,
                     "tcpstorm: --quiet cannot be used with --loud: it is still\n");
    assert_rules_say("--loud", "--quiet", NULL,
                     "tcpstorm: --quiet cannot be used with --loud: it is still\n");
    assert_rules_say("--loud", NULL, NULL, "");
}

static void an_option_excludes_a_value_of_another(void **state)
{
    (void)state;
    assert_rules_say("--quiet", "--mode=auto", NULL,
                     "tcpstorm: --quiet cannot be used with --mode auto: it is still\n");
    assert_rules_say("--quiet", "--mode=manual", NULL, "");
}

static void an_option_needs_one_of_others(void **state)
{
    (void)state;
    assert_rules_say("--even=4", NULL, NULL,
                     "tcpstorm: --even \"4\" needs --file or --list: it is for them\n");
    assert_rules_say("--even=4", "--list=a", NULL, "");
    assert_rules_say("--even=4", "--file=a", NULL, "");
}

static void a_rule_of_another_command_does_not_hold(void **state)
{
    (void)state;
    assert_rules_say("--conns=5", NULL, NULL, "");
}

static void a_value_with_a_newline_is_answered_in_one_line(void **state)
{
    (void)state;
    struct settings settings = {0};
    struct stderr_capture capture;
    stderr_capture(&capture);
    int rc = parse_words(&settings, "--conns", "1\n2", NULL);
    stderr_release(&capture);
    assert_int_equal(rc, -EINVAL);
    assert_ptr_equal(strchr(capture.text, '\n'), capture.text + strlen(capture.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_words_change_nothing),
        cmocka_unit_test(a_value_may_be_the_next_word),
        cmocka_unit_test(a_value_may_be_attached),
        cmocka_unit_test(an_attached_value_may_hold_an_equals_sign),
        cmocka_unit_test(an_option_is_given_once),
        cmocka_unit_test(a_list_is_given_several_times),
        cmocka_unit_test(the_rows_of_a_group_fill_its_struct),
        cmocka_unit_test(a_flag_takes_no_word),
        cmocka_unit_test(a_duration_is_in_milliseconds),
        cmocka_unit_test(a_choice_is_its_index),
        cmocka_unit_test(a_dash_is_a_text),
        cmocka_unit_test(a_custom_option_decides_for_itself),
        cmocka_unit_test(a_refused_custom_value_says_why),
        cmocka_unit_test(a_bad_count_names_its_bounds),
        cmocka_unit_test(a_bad_duration_names_its_bounds),
        cmocka_unit_test(a_bad_choice_names_the_choices),
        cmocka_unit_test(an_empty_text_is_refused),
        cmocka_unit_test(a_missing_value_is_refused),
        cmocka_unit_test(a_flag_with_a_value_is_refused),
        cmocka_unit_test(a_typo_is_answered_by_the_nearest_name),
        cmocka_unit_test(an_unlike_name_is_answered_by_help),
        cmocka_unit_test(a_name_of_any_length_is_answered_in_one_line),
        cmocka_unit_test(a_bare_word_is_refused),
        cmocka_unit_test(behind_two_dashes_no_word_is_an_option),
        cmocka_unit_test(an_operand_stands_anywhere),
        cmocka_unit_test(an_operand_is_one),
        cmocka_unit_test(an_option_needs_another),
        cmocka_unit_test(an_option_excludes_another),
        cmocka_unit_test(an_option_excludes_a_value_of_another),
        cmocka_unit_test(an_option_needs_one_of_others),
        cmocka_unit_test(a_rule_of_another_command_does_not_hold),
        cmocka_unit_test(a_value_with_a_newline_is_answered_in_one_line),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
