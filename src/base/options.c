#include "base/options.h"

#include "base/diag.h"
#include "base/nearest.h"
#include "base/number_text.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>

/* ---- the rows ---- */

static void add_rows(struct option_list *list, const struct option_row *rows, size_t target,
                     const struct option_words *words)
{
    for (; rows->name != NULL; rows++) {
        if (rows->kind == OPTION_GROUP) {
            add_rows(list, rows->group, target + rows->target, words);
            continue;
        }
        if (list->count == OPTIONS_MAX)
            return;
        struct option_row *row = &list->rows[list->count++];
        *row = *rows;
        row->target += target;
        for (const struct option_words *own = words; own != NULL && own->name != NULL; own++)
            if (strcmp(own->name, row->name) == 0) {
                row->help = own->help != NULL ? own->help : row->help;
                row->preset = own->preset != NULL ? own->preset : row->preset;
            }
    }
}

void options_list(const struct option_table *table, struct option_list *list)
{
    list->count = 0;
    add_rows(list, table->rows, 0, table->words);
}

/* Of those that are told; the others come last. */
static const char *name_at(const void *list, size_t i)
{
    const struct option_list *all = list;
    return i < (size_t)all->count && all->rows[i].help != NULL ? all->rows[i].name : NULL;
}

/* Its index, or -1. */
static int find_row(const struct option_list *list, const char *name, size_t length)
{
    for (int i = 0; i < list->count; i++)
        if (strlen(list->rows[i].name) == length && memcmp(list->rows[i].name, name, length) == 0)
            return i;
    return -1;
}

void options_join(const char *const *words, const char *last, char *text, size_t text_size)
{
    size_t used = 0;
    *text = '\0';
    for (int i = 0; words[i] != NULL && used < text_size; i++) {
        const char *between = i == 0 ? "" : words[i + 1] != NULL ? ", " : last;
        used += (size_t)snprintf(text + used, text_size - used, "%s%s", between, words[i]);
    }
}

/* ---- values ---- */

static int take_count(const struct option_row *row, const char *text, int64_t *target)
{
    if (parse_count(text, row->min, row->max, target) == 0)
        return 0;
    diag_error("--%s \"%s\": must be a whole number from %s to %s (10k and 1m are understood)", row->name,
               text, grouped(row->min).text, grouped(row->max).text);
    return -EINVAL;
}

static int take_duration(const struct option_row *row, const char *text, int64_t *target)
{
    if (parse_duration(text, row->min, row->max, target) == 0)
        return 0;
    diag_error("--%s \"%s\": must be a duration from %s to %s, such as 500ms, 2s or 1m30s", row->name, text,
               duration_text(row->min).text, duration_text(row->max).text);
    return -EINVAL;
}

static int take_choice(const struct option_row *row, const char *text, int *target)
{
    char allowed[128];
    for (int i = 0; row->choices[i] != NULL; i++)
        if (strcmp(row->choices[i], text) == 0) {
            *target = i;
            return 0;
        }
    options_join(row->choices, " or ", allowed, sizeof allowed);
    diag_error("--%s \"%s\": must be %s", row->name, text, allowed);
    return -EINVAL;
}

static int take_custom(const struct option_row *row, const char *text, void *target)
{
    char why[640] = "";
    int rc = row->parse(text, target, why, sizeof why);
    if (rc != 0)
        diag_error("--%s \"%s\": %s", row->name, text, why);
    return rc;
}

static int take_value(const struct option_row *row, const char *text, void *target)
{
    switch (row->kind) {
    case OPTION_COUNT:
        return take_count(row, text, target);
    case OPTION_DURATION:
        return take_duration(row, text, target);
    case OPTION_CHOICE:
        return take_choice(row, text, target);
    case OPTION_CUSTOM:
        return take_custom(row, text, target);
    case OPTION_TEXT:
        if (*text == '\0') {
            diag_error("--%s \"\": must be a %s that is not empty", row->name, row->value);
            return -EINVAL;
        }
        *(const char **)target = text;
        return 0;
    case OPTION_FLAG:
    case OPTION_GROUP:
        break;
    }
    *(bool *)target = true;
    return 0;
}

/* ---- what goes together ---- */

/* What was given so far; "" stands for the value of a flag. */
struct given {
    const struct option_list *list;
    const char *texts[OPTIONS_MAX]; /* NULL: not given */
};

/* "fail-on growth" is a name and, perhaps, a value. Returns the row's index or -1; *value: "" for any. */
static int find_other(const struct option_list *list, const char *other, const char **value)
{
    size_t length = strcspn(other, " ");
    *value = other[length] == ' ' ? other + length + 1 : "";
    return find_row(list, other, length);
}

static bool is_given(const struct given *given, const char *other)
{
    const char *value;
    int row = find_other(given->list, other, &value);
    return row >= 0 && given->texts[row] != NULL && (*value == '\0' || strcmp(value, given->texts[row]) == 0);
}

bool option_rule_holds(const struct option_rule *rule, const struct option_table *table,
                       const struct option_list *list)
{
    int known = 0, count = 0;
    const char *value;
    if (rule->command != NULL && strcmp(rule->command, table->command) != 0)
        return false;
    for (; count < RULE_OTHERS_MAX && rule->others[count] != NULL; count++)
        known += find_other(list, rule->others[count], &value) >= 0;
    return find_row(list, rule->option, strlen(rule->option)) >= 0 &&
           (rule->relation == OPTION_NEEDS ? known == count : known > 0);
}

/* `subject` is the option, perhaps with its value; `only` one of the others, or NULL for all. */
static void write_rule(const struct option_rule *rule, const struct option_list *list, const char *subject,
                       const char *only, char *text, size_t text_size)
{
    char dashed[RULE_OTHERS_MAX][64], others[RULE_OTHERS_MAX * 64];
    const char *words[RULE_OTHERS_MAX + 1] = {NULL};
    const char *value;
    for (int i = 0, count = 0; i < RULE_OTHERS_MAX && rule->others[i] != NULL; i++) {
        if (find_other(list, rule->others[i], &value) < 0 || (only != NULL && only != rule->others[i]))
            continue;
        snprintf(dashed[count], sizeof dashed[0], "--%s", rule->others[i]);
        words[count] = dashed[count];
        count++;
    }
    options_join(words, rule->relation == OPTION_NEEDS ? " and " : " or ", others, sizeof others);
    snprintf(text, text_size, "--%s %s %s: %s", subject,
             rule->relation == OPTION_EXCLUDES ? "cannot be used with" : "needs", others, rule->why);
}

void option_rule_text(const struct option_rule *rule, const struct option_list *list, char *text,
                      size_t text_size)
{
    write_rule(rule, list, rule->option, NULL, text, text_size);
}

/* Of the others the one that is there and must not be, or is not there and must; NULL: the rule is kept. */
static const char *broken_by(const struct option_rule *rule, const struct given *given)
{
    bool has_any = false;
    if (!is_given(given, rule->option))
        return NULL;
    for (int i = 0; i < RULE_OTHERS_MAX && rule->others[i] != NULL; i++) {
        bool is_there = is_given(given, rule->others[i]);
        has_any |= is_there;
        if (rule->relation != OPTION_NEEDS_ONE_OF && is_there == (rule->relation == OPTION_EXCLUDES))
            return rule->others[i];
    }
    return rule->relation == OPTION_NEEDS_ONE_OF && !has_any ? rule->others[0] : NULL;
}

static int check_rules(const struct option_table *table, const struct given *given)
{
    for (const struct option_rule *rule = table->rules; rule != NULL && rule->option != NULL; rule++) {
        const char *other = option_rule_holds(rule, table, given->list) ? broken_by(rule, given) : NULL;
        if (other == NULL)
            continue;
        char subject[512], text[1024];
        const char *value = given->texts[find_row(given->list, rule->option, strlen(rule->option))];
        if (*value != '\0')
            snprintf(subject, sizeof subject, "%s \"%s\"", rule->option, value);
        else
            snprintf(subject, sizeof subject, "%s", rule->option);
        write_rule(rule, given->list, subject, rule->relation == OPTION_NEEDS_ONE_OF ? NULL : other, text,
                   sizeof text);
        diag_error("%s", text);
        return -EINVAL;
    }
    return 0;
}

/* ---- the words ---- */

static int refuse_unknown(const struct option_table *table, const struct option_list *list, const char *name,
                          size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *meant = nearest_word(word, name_at, list);
    if (meant != NULL)
        diag_error("unknown option --%s: did you mean --%s? (\"%s\" lists all options)", word, meant,
                   table->help);
    else
        diag_error("unknown option --%s: \"%s\" lists all options", word, table->help);
    return -EINVAL;
}

static int refuse_word(const struct option_table *table, const char *word, bool has_operand)
{
    if (has_operand)
        diag_error("unexpected argument \"%s\": after the %s there must be options only, --name value or "
                   "--name=value",
                   word, table->operand);
    else
        diag_error("unexpected argument \"%s\": options are written --name value or --name=value, and \"%s\" "
                   "lists them",
                   word, table->help);
    return -EINVAL;
}

static int refuse_second(const struct option_row *row, const char *first, const char *second)
{
    if (row->kind == OPTION_FLAG)
        diag_error("--%s is given twice: it must be given once", row->name);
    else
        diag_error("--%s is given twice, as \"%s\" and as \"%s\": it takes only one value", row->name, first,
                   second);
    return -EINVAL;
}

/* What follows an option that wants a value is no value where it is an option itself. */
static bool is_option(const struct option_list *list, const char *word)
{
    return strncmp(word, "--", 2) == 0 && find_row(list, word + 2, strcspn(word + 2, "=")) >= 0;
}

static int refuse_missing(const struct option_row *row, const char *next)
{
    if (next == NULL)
        diag_error("--%s needs a value: --%s %s", row->name, row->name, row->value);
    else
        diag_error("--%s needs a value: --%s %s (to use \"%s\" as the value, write --%s=%s)", row->name,
                   row->name, row->value, next, row->name, next);
    return -EINVAL;
}

/* Takes the option at argv[*at] and its value, and leaves *at on the last word of it. */
static int take_option(const struct option_table *table, int argc, char *const argv[], int *at,
                       struct given *given, void *target)
{
    const char *name = argv[*at] + 2, *text = "";
    size_t length = strcspn(name, "=");
    bool is_attached = name[length] == '=';
    int index = find_row(given->list, name, length);
    if (index < 0)
        return refuse_unknown(table, given->list, name, length);
    const struct option_row *row = &given->list->rows[index];
    if (row->kind == OPTION_FLAG && is_attached) {
        diag_error("--%s \"%s\": must be given without a value", row->name, name + length + 1);
        return -EINVAL;
    }
    if (is_attached)
        text = name + length + 1;
    else if (row->kind != OPTION_FLAG) {
        const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
        if (next == NULL || is_option(given->list, next))
            return refuse_missing(row, next);
        text = argv[++*at];
    }
    if (given->texts[index] != NULL && !row->is_list)
        return refuse_second(row, given->texts[index], text);
    given->texts[index] = text;
    return take_value(row, text, (char *)target + row->target);
}

bool options_name(int argc, char *const argv[], const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i] + 2, name, length) == 0 &&
            (argv[i][2 + length] == '\0' || argv[i][2 + length] == '='))
            return true;
    return false;
}

/* The words behind "--". */
static int take_program(const struct option_table *table, char *const words[], void *target)
{
    if (words[0] == NULL) {
        diag_error("-- must be followed by the program to start and its arguments");
        return -EINVAL;
    }
    *(char *const **)((char *)target + table->program_target) = words;
    return 0;
}

int options_parse(const struct option_table *table, int argc, char *const argv[], void *target)
{
    struct option_list list;
    options_list(table, &list);
    struct given given = {.list = &list};
    const char *operand = NULL;
    bool is_behind = false; /* "--" */
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!is_behind && strcmp(word, "--") == 0) {
            if (table->takes_program && take_program(table, argv + i + 1, target) != 0)
                return -EINVAL;
            if (table->takes_program)
                break;
            is_behind = true;
        } else if (!is_behind && strncmp(word, "--", 2) == 0) {
            int rc = take_option(table, argc, argv, &i, &given, target);
            if (rc != 0)
                return rc;
        } else if (table->operand == NULL || operand != NULL || (!is_behind && *word == '-')) {
            return refuse_word(table, word, operand != NULL);
        } else {
            operand = word;
        }
    }
    if (table->operand_missing != NULL && operand == NULL) {
        diag_error("%s", table->operand_missing);
        return -EINVAL;
    }
    if (operand != NULL)
        *(const char **)((char *)target + table->operand_target) = operand;
    return check_rules(table, &given);
}
