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
};

static int parse_even(const char *text, void *target, char *why, size_t why_size)
{
    int number = atoi(text);
    if (number % 2 != 0) {
        snprintf(why, why_size, "allowed is an even number");
        return -EINVAL;
    }
    *(int *)target = number;
    return 0;
}

static const char *const choices[] = {"auto", "manual", NULL};

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
    {.name = NULL},
};

/* Up to three words, NULL ends them. */
static int parse_words(struct settings *settings, const char *a, const char *b, const char *c)
{
    char *argv[] = {(char *)a, (char *)b, (char *)c};
    int argc = 0;
    while (argc < 3 && argv[argc] != NULL)
        argc++;
    return options_parse(rows, argc, argv, settings);
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
    assert_int_equal(options_parse(rows, 0, NULL, &settings), 0);
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

static void the_last_of_two_values_counts(void **state)
{
    (void)state;
    assert_int_equal(accepted("--conns=1", "--conns", "2").count, 2);
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
    assert_refused("--even", "3", "tcpstorm: --even \"3\": allowed is an even number\n");
}

static void a_bad_count_names_its_bounds(void **state)
{
    (void)state;
    assert_refused("--conns", "10x",
                   "tcpstorm: --conns \"10x\": allowed is a whole number from 1 to 20,000 (10k and 1m are "
                   "understood)\n");
}

static void a_bad_duration_names_its_bounds(void **state)
{
    (void)state;
    assert_refused("--settle", "5x",
                   "tcpstorm: --settle \"5x\": allowed is a duration from 1ms to 1m, such as 500ms, 2s or "
                   "1m30s\n");
}

static void a_bad_choice_names_the_choices(void **state)
{
    (void)state;
    assert_refused("--mode", "foo", "tcpstorm: --mode \"foo\": allowed is one of auto, manual\n");
}

static void an_empty_text_is_refused(void **state)
{
    (void)state;
    assert_refused("--file", "", "tcpstorm: --file \"\": allowed is a FILE that is not empty\n");
}

static void a_missing_value_is_refused(void **state)
{
    (void)state;
    assert_refused("--conns", NULL, "tcpstorm: --conns needs a value: --conns N\n");
}

static void a_flag_with_a_value_is_refused(void **state)
{
    (void)state;
    assert_refused("--quiet=yes", NULL, "tcpstorm: --quiet \"yes\": it is a switch and takes no value\n");
}

static void a_typo_is_answered_by_the_nearest_name(void **state)
{
    (void)state;
    assert_refused(
        "--conn", "5",
        "tcpstorm: unknown option --conn: did you mean --conns? (\"tcpstorm --help\" lists all)\n");
}

static void an_unlike_name_is_answered_by_help(void **state)
{
    (void)state;
    assert_refused("--zzzzzz", "5",
                   "tcpstorm: unknown option --zzzzzz: \"tcpstorm --help\" lists what is allowed\n");
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
    assert_contains(capture.text, "lists what is allowed");
    assert_ptr_equal(strchr(capture.text, '\n'), capture.text + strlen(capture.text) - 1);
}

static void a_bare_word_is_refused(void **state)
{
    (void)state;
    assert_refused("conns", "5",
                   "tcpstorm: \"conns\" is not an option: allowed are --name value pairs, see \"tcpstorm "
                   "--help\"\n");
}

static void two_dashes_alone_are_refused(void **state)
{
    (void)state;
    assert_refused("--", NULL,
                   "tcpstorm: \"--\" is not an option: allowed are --name value pairs, see \"tcpstorm "
                   "--help\"\n");
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

static void help_has_a_line_per_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    options_print_help(rows, out);
    fclose(out);
    assert_contains(text, "  --conns N            how many (default 1000)\n");
    assert_contains(text, "  --quiet              say less\n");
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, COUNT_OF(rows) - 1);
    free(text);
}

static void names_are_listed_for_completion(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    options_print_names(rows, out);
    fclose(out);
    assert_string_equal(text, "--conns\n--settle\n--file\n--mode\n--quiet\n--even\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_words_change_nothing),
        cmocka_unit_test(a_value_may_be_the_next_word),
        cmocka_unit_test(a_value_may_be_attached),
        cmocka_unit_test(an_attached_value_may_hold_an_equals_sign),
        cmocka_unit_test(the_last_of_two_values_counts),
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
        cmocka_unit_test(two_dashes_alone_are_refused),
        cmocka_unit_test(a_value_with_a_newline_is_answered_in_one_line),
        cmocka_unit_test(help_has_a_line_per_option),
        cmocka_unit_test(names_are_listed_for_completion),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
