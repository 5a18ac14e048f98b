#include "base/options.h"

#include "base/diag.h"
#include "base/nearest.h"
#include "base/number_text.h"
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *row_name(const void *rows, size_t i)
{
    return ((const struct option_row *)rows)[i].name;
}

static const struct option_row *find_row(const struct option_row *rows, const char *name, size_t length)
{
    for (; rows->name != NULL; rows++)
        if (strlen(rows->name) == length && memcmp(rows->name, name, length) == 0)
            return rows;
    return NULL;
}

static int refuse_unknown(const struct option_row *rows, const char *name, size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *meant = nearest_word(word, row_name, rows);
    if (meant != NULL)
        diag_error("unknown option --%s: did you mean --%s? (\"tcpstorm --help\" lists all)", word, meant);
    else
        diag_error("unknown option --%s: \"tcpstorm --help\" lists what is allowed", word);
    return -EINVAL;
}

static int take_count(const struct option_row *row, const char *text, int64_t *target)
{
    if (parse_count(text, row->min, row->max, target) == 0)
        return 0;
    diag_error("--%s \"%s\": allowed is a whole number from %s to %s (10k and 1m are understood)", row->name,
               text, grouped(row->min).text, grouped(row->max).text);
    return -EINVAL;
}

static int take_duration(const struct option_row *row, const char *text, int64_t *target)
{
    if (parse_duration(text, row->min, row->max, target) == 0)
        return 0;
    diag_error("--%s \"%s\": allowed is a duration from %s to %s, such as 500ms, 2s or 1m30s", row->name,
               text, duration_text(row->min).text, duration_text(row->max).text);
    return -EINVAL;
}

static int take_choice(const struct option_row *row, const char *text, int *target)
{
    char allowed[128] = "";
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *target = i;
            return 0;
        }
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    }
    diag_error("--%s \"%s\": allowed is one of %s", row->name, text, allowed);
    return -EINVAL;
}

static int take_custom(const struct option_row *row, const char *text, void *target)
{
    char why[256] = "";
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
            diag_error("--%s \"\": allowed is a %s that is not empty", row->name, row->value);
            return -EINVAL;
        }
        *(const char **)target = text;
        return 0;
    case OPTION_FLAG:
        break;
    }
    *(bool *)target = true;
    return 0;
}

int options_parse(const struct option_row *rows, int argc, char *const argv[], void *target)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == '\0') {
            diag_error("\"%s\" is not an option: allowed are --name value pairs, see \"tcpstorm --help\"",
                       argv[i]);
            return -EINVAL;
        }
        const char *name = argv[i] + 2;
        size_t length = strcspn(name, "=");
        const struct option_row *row = find_row(rows, name, length);
        if (row == NULL)
            return refuse_unknown(rows, name, length);
        bool attached = name[length] == '=';
        const char *text = attached ? name + length + 1 : NULL;
        if (row->kind == OPTION_FLAG && attached) {
            diag_error("--%s \"%s\": it is a switch and takes no value", row->name, text);
            return -EINVAL;
        }
        if (row->kind != OPTION_FLAG && text == NULL) {
            if (i + 1 == argc) {
                diag_error("--%s needs a value: --%s %s", row->name, row->name, row->value);
                return -EINVAL;
            }
            text = argv[++i];
        }
        int rc = take_value(row, text, (char *)target + row->target);
        if (rc != 0)
            return rc;
    }
    return 0;
}

void options_print_help(const struct option_row *rows, FILE *out)
{
    for (; rows->name != NULL; rows++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", rows->name, rows->value != NULL ? rows->value : "");
        fprintf(out, "  %-20s %s", left, rows->help);
        if (rows->preset != NULL)
            fprintf(out, " (default %s)", rows->preset);
        fputc('\n', out);
    }
}

void options_print_names(const struct option_row *rows, FILE *out)
{
    for (; rows->name != NULL; rows++)
        fprintf(out, "--%s\n", rows->name);
}
