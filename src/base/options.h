/* options: a command's options as a table of rows. The rows are the parser, the help text and the shell
 * completion; a bad value is answered by one sentence that names the option, the value and what is allowed.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,     /* bool: set to true */
    OPTION_COUNT,    /* int64_t: see parse_count */
    OPTION_DURATION, /* int64_t, milliseconds: see parse_duration */
    OPTION_TEXT,     /* const char *: borrowed from argv */
    OPTION_CHOICE,   /* int: index into `choices` */
    OPTION_CUSTOM,   /* `parse` decides */
};

struct option_row {
    const char *name;   /* without the dashes */
    const char *value;  /* what stands for the value in help, NULL for a flag */
    const char *help;   /* one line */
    const char *preset; /* the default as help shows it, NULL for none */
    enum option_kind kind;
    size_t target;              /* offset of the member in the command's option struct */
    int64_t min, max;           /* OPTION_COUNT, OPTION_DURATION: bounds, inclusive */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
    /* OPTION_CUSTOM: stores the value in *target. On refusal writes the rest of a sentence that follows
     * `--name "value"` into why and returns -EINVAL. */
    int (*parse)(const char *text, void *target, char *why, size_t why_size);
};

/* Fills `target` from argv[0..argc). A NULL name ends the rows. Returns 0, or -EINVAL after telling why. */
int options_parse(const struct option_row *rows, int argc, char *const argv[], void *target);

/* One line per option, aligned. */
void options_print_help(const struct option_row *rows, FILE *out);

/* "--name" a line, for shell completion. */
void options_print_names(const struct option_row *rows, FILE *out);

#endif
