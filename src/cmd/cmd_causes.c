/* cmd_causes: lists the causes of connections that do not close: the bug, the fix, and how each is known. */
#include "base/wrap.h"
#include "cause/cause.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"

#include <stdbool.h>
#include <stddef.h>

static void print_whole(const struct fault_case *cause, FILE *out)
{
    fprintf(out, "%s: %s\n", cause->bug.name, cause->bug.summary);
    fprintf(out, "    the fix   %s\n", cause->fixed.summary);
    fprintf(out, "    known by  %s\n", signature_text(&cause->signature).text);
    fprintf(out, "    at fault  the %s\n", side_name(cause->signature.at_fault));
    fprintf(out, "    reported  %s\n", cause->reported);
    wrap_print(out, cause->bug.meaning, 4, 92);
    fputc('\n', out);
}

static void print_name(const struct fault_case *cause, FILE *out)
{
    fprintf(out, "%s\n", cause->bug.name);
}

/* For the guide: a table of what each cause is known by, then an item of a list for each. */
static void print_markdown_table(FILE *out)
{
    fputs("| cause | at fault | known by |\n| --- | --- | --- |\n", out);
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        const struct fault_case *cause = cause_at(i);
        fprintf(out, "| `%s` | %s | %s |\n", cause->bug.name, side_name(cause->signature.at_fault),
                signature_text(&cause->signature).text);
    }
    fputc('\n', out);
}

static void print_markdown(const struct fault_case *cause, FILE *out)
{
    fprintf(out, "- `%s`: %c%s. %s\n\n", cause->bug.name, cause->bug.summary[0] - 'a' + 'A',
            cause->bug.summary + 1, cause->bug.meaning);
    fprintf(out, "  *The fix*: %s. *Reported in*: %s.\n\n", cause->fixed.summary, cause->reported);
}

struct list_options {
    bool names, markdown;
};

#define OPTION(member) offsetof(struct list_options, member)

static const struct option_row rows[] = {
    {.name = "names", .help = "only the names, one a line", .kind = OPTION_FLAG, .target = OPTION(names)},
    {.name = "markdown", .kind = OPTION_FLAG, .target = OPTION(markdown)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "causes", .help = "tcpstorm causes --help", .rows = rows, .rules = option_rules};

static int cmd_causes(int argc, char *argv[])
{
    struct list_options options = {.names = false};
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    void (*print)(const struct fault_case *cause, FILE *out) = options.markdown ? print_markdown
                                                               : options.names  ? print_name
                                                                                : print_whole;
    if (options.markdown)
        print_markdown_table(stdout);
    for (size_t i = 0; cause_at(i) != NULL; i++)
        print(cause_at(i), stdout);
    return EXIT_AS_EXPECTED;
}

const struct command causes_command = {
    .name = "causes",
    .summary = "list the bugs that --cause plays, their fixes and their symptoms",
    .usage = "causes [--names]",
    .examples = {{"tcpstorm causes", "with all that is known about them"},
                 {"tcpstorm causes --names", "one a line"}},
    .options = &table,
    .run = cmd_causes,
};
