/* options: a command's options as a table of rows, and as a table of rules what goes together. The parser,
 * the help text, the man page and the shell completion read both; bad input is answered by one sentence that
 * names the option, the value and what is allowed.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
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
    OPTION_GROUP,    /* the rows of `group` stand here; `target` is where their struct is */
};

struct option_row {
    const char *name;   /* without the dashes */
    const char *value;  /* what stands for the value in help, NULL for a flag */
    const char *help;   /* one line; NULL: taken, and told to nobody */
    const char *preset; /* the default as help shows it, NULL for none */
    const char *more;   /* what the man page says instead of `help`, in sentences; NULL: help says all */
    bool is_list;       /* it may be given several times */
    enum option_kind kind;
    size_t target;              /* offset of the member in the command's option struct */
    int64_t min, max;           /* OPTION_COUNT, OPTION_DURATION: bounds, inclusive */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
    /* OPTION_CUSTOM: stores the value in *target. On refusal writes the rest of a sentence that follows
     * `--name "value": ` into why and returns -EINVAL. */
    int (*parse)(const char *text, void *target, char *why, size_t why_size);
    const struct option_row *group; /* OPTION_GROUP */
};

/* A command's own words for a row of a group. */
struct option_words {
    const char *name, *help, *preset;
};

enum option_relation {
    OPTION_NEEDS,        /* all of the others */
    OPTION_NEEDS_ONE_OF, /* the others */
    OPTION_EXCLUDES,     /* each of the others */
};

enum { RULE_OTHERS_MAX = 4 };

/* It holds in each command that takes the option and, of the others, those that the relation speaks of. */
struct option_rule {
    const char *command; /* NULL: of every command; otherwise of this one */
    const char *option;
    enum option_relation relation;
    const char *others[RULE_OTHERS_MAX]; /* "live"; "fail-on growth": only with that value */
    const char *why;                     /* half a sentence */
};

/* What a command takes. A NULL name ends rows and words, a NULL option rules; words and rules may be NULL. */
struct option_table {
    const char *command; /* "audit" */
    const char *help;    /* where its options are listed: "tcpstorm audit --help" */
    const struct option_row *rows;
    const struct option_words *words;
    const struct option_rule *rules;
    const char *operand;         /* the one word that is no option, in messages; NULL: there is none */
    size_t operand_target;       /* offset of a const char *: borrowed from argv */
    const char *operand_missing; /* the sentence when it is not given; NULL: it need not be */
    bool takes_program;          /* behind "--" come the words of a program to start, and no operand */
    size_t program_target; /* offset of a char *const *: those words, ended by NULL, borrowed from argv */
};

enum { OPTIONS_MAX = 64 };

/* All rows of a table in their order, without groups and in the command's own words. */
struct option_list {
    struct option_row rows[OPTIONS_MAX];
    int count;
};

void options_list(const struct option_table *table, struct option_list *list);

/* Whether the rule holds in a command with these options. */
bool option_rule_holds(const struct option_rule *rule, const struct option_table *table,
                       const struct option_list *list);

/* "--fixed needs --cause: it plays that cause without its bug" */
void option_rule_text(const struct option_rule *rule, const struct option_list *list, char *text,
                      size_t text_size);

/* The words joined as in "a, b or c". */
void options_join(const char *const *words, const char *last, char *text, size_t text_size);

/* Whether --NAME or --NAME=value is among the words before "--": for a command whose modes have tables of
 * their own. */
bool options_name(int argc, char *const argv[], const char *name);

/* Fills `target` from argv[0..argc): "--name value" or "--name=value"; behind "--" no word is an option.
 * Where the table takes a program argv[argc] must be NULL.
 * Returns 0, or -EINVAL after telling why. */
int options_parse(const struct option_table *table, int argc, char *const argv[], void *target);

#endif
