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
    const char *text;
    int choice;
    struct address address;
};

static const char *const choices[] = {"auto", "netlink", "procfs", NULL};

static const struct option_row rows[] = {
    {"flag", NULL, "", NULL, OPTION_FLAG, offsetof(struct chosen, flag), 0, 0, NULL, NULL},
    {"conns", "N", "", NULL, OPTION_COUNT, offsetof(struct chosen, count), 1, 2000000, NULL, NULL},
    {"hold", "TIME", "", NULL, OPTION_DURATION, offsetof(struct chosen, duration), 0, 86400000, NULL, NULL},
    {"csv", "FILE", "", NULL, OPTION_TEXT, offsetof(struct chosen, text), 0, 0, NULL, NULL},
    {"witness", "NAME", "", NULL, OPTION_CHOICE, offsetof(struct chosen, choice), 0, 0, choices, NULL},
    {"address", "IP", "", NULL, OPTION_CUSTOM, offsetof(struct chosen, address), 0, 0, NULL,
     address_parse_loopback},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size), *words[WORDS_MAX], *rest;
    int count = 0;
    struct chosen chosen = {.count = 1};
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, "\n", &rest))
        words[count++] = word;
    if (options_parse(rows, count, words, &chosen) == 0 &&
        (chosen.count < 1 || chosen.count > 2000000 || chosen.duration < 0 || chosen.choice < 0 ||
         chosen.choice > 2))
        abort();
    for (int i = 0; i < count; i++)
        sysctl_is_net_name(words[i]);
    free(text);
    return 0;
}
