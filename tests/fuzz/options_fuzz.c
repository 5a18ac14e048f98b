/* A command line, a word a line, against a table with a row of each kind. */
#include "fuzz.h"

#include "base/options.h"
#include "kernel/address.h"
#include "kernel/sysctl.h"

#include <stdbool.h>

enum { WORDS_MAX = 16 };

struct chosen {
    bool flag;
    int64_t count, duration;
    const char *text, *operand;
    int choice;
    struct address address;
};

static const char *const choices[] = {"auto", "netlink", "procfs", NULL};

#define OPTION(member) offsetof(struct chosen, member)

static const struct option_row group[] = {
    {.name = "flag", .help = "", .kind = OPTION_FLAG, .target = OPTION(flag)},
    {.name = "conns",
     .value = "N",
     .help = "",
     .kind = OPTION_COUNT,
     .target = OPTION(count),
     .min = 1,
     .max = 2000000},
    {.name = NULL},
};

static const struct option_row rows[] = {
    {.name = "group", .kind = OPTION_GROUP, .group = group},
    {.name = "hold",
     .value = "TIME",
     .help = "",
     .kind = OPTION_DURATION,
     .target = OPTION(duration),
     .max = 86400000},
    {.name = "csv",
     .value = "FILE",
     .help = "",
     .is_list = true,
     .kind = OPTION_TEXT,
     .target = OPTION(text)},
    {.name = "witness",
     .value = "NAME",
     .help = "",
     .kind = OPTION_CHOICE,
     .target = OPTION(choice),
     .choices = choices},
    {.name = "address",
     .value = "IP",
     .help = "",
     .kind = OPTION_CUSTOM,
     .target = OPTION(address),
     .parse = address_parse_loopback},
    {.name = NULL},
};

static const struct option_rule rules[] = {
    {.option = "flag", .relation = OPTION_EXCLUDES, .others = {"witness auto", "csv"}, .why = ""},
    {.option = "hold", .relation = OPTION_NEEDS, .others = {"conns"}, .why = ""},
    {.option = "address", .relation = OPTION_NEEDS_ONE_OF, .others = {"conns", "csv"}, .why = ""},
    {.option = NULL},
};

static const struct option_table table = {.command = "fuzz",
                                          .help = "tcpstorm --help",
                                          .rows = rows,
                                          .rules = rules,
                                          .operand = "word",
                                          .operand_target = OPTION(operand)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size), *words[WORDS_MAX], *rest;
    int count = 0;
    struct chosen chosen = {.count = 1};
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, "\n", &rest))
        words[count++] = word;
    if (options_parse(&table, count, words, &chosen) == 0 &&
        (chosen.count < 1 || chosen.count > 2000000 || chosen.duration < 0 || chosen.choice < 0 ||
         chosen.choice > 2))
        abort();
    for (int i = 0; i < count; i++)
        sysctl_is_net_name(words[i]);
    free(text);
    return 0;
}
