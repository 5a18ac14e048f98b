/* cmd_causes: lists the causes of connections that do not close: the bug, the fix, and how each is known. */
#include "base/diag.h"
#include "base/wrap.h"
#include "cause/cause.h"
#include "cmd/command.h"

#include <string.h>

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

/* One tagged paragraph per cause, for the man page. */
static void print_man(const struct fault_case *cause, FILE *out)
{
    fprintf(out, ".TP\n.B %s\n%c%s.\n%s\n", cause->bug.name, cause->bug.summary[0] - 'a' + 'A',
            cause->bug.summary + 1, cause->bug.meaning);
    fprintf(out, ".br\n\\fIThe fix\\fR: %s.\n", cause->fixed.summary);
    fprintf(out, ".br\n\\fIKnown by\\fR: %s.\n", signature_text(&cause->signature).text);
    fprintf(out, ".br\n\\fIReported in\\fR: %s.\n", cause->reported);
}

struct format {
    const char *option; /* NULL: without one */
    void (*print)(const struct fault_case *cause, FILE *out);
};

static const struct format formats[] = {{NULL, print_whole}, {"--names", print_name}, {"--man", print_man}};

int cmd_causes(int argc, char *argv[])
{
    const struct format *format = argc == 0 ? &formats[0] : NULL;
    for (size_t i = 1; i < sizeof formats / sizeof formats[0]; i++)
        if (argc == 1 && strcmp(argv[0], formats[i].option) == 0)
            format = &formats[i];
    if (format == NULL) {
        diag_error("causes \"%s\": allowed is nothing, or --names for the bare names", argv[argc - 1]);
        return EXIT_USAGE;
    }
    for (size_t i = 0; cause_at(i) != NULL; i++)
        format->print(cause_at(i), stdout);
    return EXIT_AS_EXPECTED;
}
