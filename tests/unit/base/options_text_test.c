#include "../unit.h"

#include "base/options_text.h"

#include <stdlib.h>

struct settings {
    int64_t count;
    const char *text;
    int choice;
    bool quiet, loud;
};

static const char *const choices[] = {"auto", "manual", NULL};

#define OPTION(member) offsetof(struct settings, member)

static const struct option_row group[] = {
    {.name = "conns",
     .value = "N",
     .help = "how many",
     .preset = "1000",
     .more = "How many, close(2) included.",
     .kind = OPTION_COUNT,
     .target = OPTION(count),
     .min = 1,
     .max = 20000},
    {.name = NULL},
};

static const struct option_row rows[] = {
    {.name = "group", .kind = OPTION_GROUP, .group = group},
    {.name = "file",
     .value = "FILE",
     .help = "where to",
     .is_list = true,
     .kind = OPTION_TEXT,
     .target = OPTION(text)},
    {.name = "mode",
     .value = "HOW",
     .help = "in which way",
     .kind = OPTION_CHOICE,
     .target = OPTION(choice),
     .choices = choices},
    {.name = "dry-run", .help = "say less", .kind = OPTION_FLAG, .target = OPTION(quiet)},
    {.name = "loud", .help = "say more", .kind = OPTION_FLAG, .target = OPTION(loud)},
    {.name = "hidden", .kind = OPTION_FLAG, .target = OPTION(loud)},
    {.name = NULL},
};

static const struct option_words words[] = {{.name = "conns", .help = "how many in each"}, {.name = NULL}};

static const struct option_rule rules[] = {
    {.option = "loud", .relation = OPTION_EXCLUDES, .others = {"dry-run"}, .why = "it is still"},
    {.command = "other", .option = "loud", .relation = OPTION_NEEDS, .others = {"file"}, .why = "no"},
    {.option = NULL},
};

static const struct option_table table = {.command = "play", .rows = rows, .rules = rules};
static const struct option_table worded = {.command = "play", .rows = group, .words = words};

static struct {
    char *text;
    size_t length;
    FILE *out;
} printed;

static FILE *print_begins(void)
{
    printed.out = open_memstream(&printed.text, &printed.length);
    return printed.out;
}

static void assert_printed(const char *expected)
{
    fclose(printed.out);
    assert_string_equal(printed.text, expected);
    free(printed.text);
}

static void help_has_a_line_per_option_and_per_rule(void **state)
{
    (void)state;
    options_print_help(&table, print_begins());
    assert_printed("  --conns N            how many (default 1000)\n"
                   "  --file FILE          where to; repeatable\n"
                   "  --mode HOW           in which way\n"
                   "  --dry-run            say less\n"
                   "  --loud               say more\n"
                   "\n"
                   "Options that need or exclude each other:\n"
                   "  --loud cannot be used with --dry-run: it is still\n");
}

static void a_command_has_words_of_its_own(void **state)
{
    (void)state;
    options_print_help(&worded, print_begins());
    assert_printed("  --conns N            how many in each (default 1000)\n");
}

static void markdown_has_an_item_per_option(void **state)
{
    (void)state;
    options_print_markdown(&table, NULL, print_begins());
    assert_printed(
        "- `--conns N`: How many, close(2) included. A number from 1 to 20,000. The default is 1000.\n"
        "- `--file FILE`: Where to. It can be given several times.\n"
        "- `--mode HOW`: In which way.\n"
        "- `--dry-run`: Say less.\n"
        "- `--loud`: Say more. It cannot be used with `--dry-run`: it is still.\n");
}

static void markdown_only_names_what_another_command_has_told(void **state)
{
    (void)state;
    options_print_markdown(&worded, &table, print_begins());
    assert_printed("- As in tcpstorm(1): `--conns`.\n");
}

static void names_are_listed_for_completion(void **state)
{
    (void)state;
    options_print_names(&table, 0, NULL, print_begins());
    assert_printed("--conns\n--file\n--mode\n--dry-run\n--loud\n");
}

static void what_cannot_follow_is_not_listed(void **state)
{
    (void)state;
    char *given[] = {(char *)"--conns", (char *)"5", (char *)"--file=a", (char *)"--loud"};
    options_print_names(&table, COUNT_OF(given), given, print_begins());
    assert_printed("--file\n--mode\n");
    char *other_way_round[] = {(char *)"--dry-run"};
    options_print_names(&table, 1, other_way_round, print_begins());
    assert_printed("--conns\n--file\n--mode\n");
}

static void rows_are_listed_with_value_and_list(void **state)
{
    (void)state;
    options_print_rows(&table, print_begins());
    assert_printed(
        "conns\tN\tonce\thow many\nfile\tFILE\tlist\twhere to\nmode\tauto|manual\tonce\tin which way\n"
        "dry-run\t-\tonce\tsay less\nloud\t-\tonce\tsay more\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_has_a_line_per_option_and_per_rule),
        cmocka_unit_test(a_command_has_words_of_its_own),
        cmocka_unit_test(markdown_has_an_item_per_option),
        cmocka_unit_test(markdown_only_names_what_another_command_has_told),
        cmocka_unit_test(names_are_listed_for_completion),
        cmocka_unit_test(what_cannot_follow_is_not_listed),
        cmocka_unit_test(rows_are_listed_with_value_and_list),
    };
    return cmocka_run_group_tests_name("options_text", tests, NULL, NULL);
}
