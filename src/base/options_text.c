#include "base/options_text.h"

#include "base/number_text.h"

#include <ctype.h>
#include <string.h>

/* ---- help ---- */

void options_print_help(const struct option_table *table, FILE *out)
{
    struct option_list list;
    options_list(table, &list);
    for (int i = 0; i < list.count; i++) {
        const struct option_row *row = &list.rows[i];
        char left[64];
        if (row->help == NULL)
            continue;
        snprintf(left, sizeof left, "--%s %s", row->name, row->value != NULL ? row->value : "");
        fprintf(out, "  %-20s %s%s", left, row->help, row->is_list ? "; repeatable" : "");
        if (row->preset != NULL)
            fprintf(out, " (default %s)", row->preset);
        fputc('\n', out);
    }
    bool has_any = false;
    for (const struct option_rule *rule = table->rules; rule != NULL && rule->option != NULL; rule++) {
        char text[512];
        if (!option_rule_holds(rule, table, &list))
            continue;
        option_rule_text(rule, &list, text, sizeof text);
        fprintf(out, "%s  %s\n", has_any ? "" : "\nOptions that need or exclude each other:\n", text);
        has_any = true;
    }
}

/* ---- Markdown ---- */

/* "net.ipv4.tcp_fin_timeout" and "--order" as code; what Markdown takes for its own is escaped. */
static void put_word(const char *word, FILE *out)
{
    size_t name = 0, length = strlen(word);
    if (strncmp(word, "net.", 4) == 0 || strncmp(word, "--", 2) == 0)
        name = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    while (name > 0 && word[name - 1] == '.')
        name--; /* that of the sentence */
    if (name > 0)
        fprintf(out, "`%.*s`", (int)name, word);
    for (size_t i = name; i < length; i++)
        fprintf(out, "%s%c", strchr("*<\\`", word[i]) != NULL ? "\\" : "", word[i]);
}

/* Each sentence begins with a capital. */
static void put_text(const char *text, FILE *out)
{
    bool begins = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        char word[128];
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        if (begins)
            word[0] = (char)toupper((unsigned char)word[0]);
        fputc(' ', out);
        put_word(word, out);
        text += length + (text[length] == ' ');
        begins = length > 0 && word[strlen(word) - 1] == '.';
    }
}

static void put_sentence(const char *text, FILE *out)
{
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "%s.", text);
    put_text(sentence, out);
}

static void put_bounds(const struct option_row *row, FILE *out)
{
    char text[256];
    if (row->kind == OPTION_COUNT)
        snprintf(text, sizeof text, "A number from %s to %s", grouped(row->min).text, grouped(row->max).text);
    else if (row->kind == OPTION_DURATION)
        snprintf(text, sizeof text, "A time from %s to %s", duration_text(row->min).text,
                 duration_text(row->max).text);
    else
        return;
    put_sentence(text, out);
}

static void put_row(const struct option_table *table, const struct option_list *list,
                    const struct option_row *row, FILE *out)
{
    char text[512];
    fprintf(out, "- `--%s%s%s`:", row->name, row->value != NULL ? " " : "",
            row->value != NULL ? row->value : "");
    if (row->more != NULL)
        put_text(row->more, out);
    else
        put_sentence(row->help, out);
    put_bounds(row, out);
    if (row->preset != NULL) {
        snprintf(text, sizeof text, "The default is %s", row->preset);
        put_sentence(text, out);
    }
    if (row->is_list)
        put_sentence("It can be given several times", out);
    for (const struct option_rule *rule = table->rules; rule != NULL && rule->option != NULL; rule++) {
        if (strcmp(rule->option, row->name) != 0 || !option_rule_holds(rule, table, list))
            continue;
        option_rule_text(rule, list, text, sizeof text);
        char sentence[sizeof text + 8];
        snprintf(sentence, sizeof sentence, "It %s", text + strlen("--") + strlen(row->name) + 1);
        put_sentence(sentence, out);
    }
    fputc('\n', out);
}

/* The row that says the same, or NULL. A command may have its own words for the line in the help. */
static const struct option_row *same_row(const struct option_row *row, const struct option_list *base)
{
    for (int i = 0; i < base->count; i++) {
        const struct option_row *other = &base->rows[i];
        bool is_named_so = strcmp(other->name, row->name) == 0 && other->help != NULL && row->help != NULL;
        if (is_named_so &&
            (row->more != NULL ? row->more == other->more : strcmp(row->help, other->help) == 0))
            return other;
    }
    return NULL;
}

/* "As tcpstorm(1) has them: --conns, --hold (default 10s), --port." */
static void put_shared(const struct option_list *list, const struct option_list *base, FILE *out)
{
    char text[4096];
    size_t used = 0;
    for (int i = 0; i < list->count; i++) {
        const struct option_row *row = &list->rows[i], *other = same_row(row, base);
        if (other == NULL)
            continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s--%s", used == 0 ? "" : ", ", row->name);
        if (row->preset != NULL && (other->preset == NULL || strcmp(row->preset, other->preset) != 0))
            used += (size_t)snprintf(text + used, sizeof text - used, " (default %s)", row->preset);
    }
    if (used == 0)
        return;
    fputs("- As in tcpstorm(1):", out);
    put_text(text, out);
    fputs(".\n", out);
}

void options_print_markdown(const struct option_table *table, const struct option_table *base, FILE *out)
{
    struct option_list list, of_base = {.count = 0};
    options_list(table, &list);
    if (base != NULL)
        options_list(base, &of_base);
    put_shared(&list, &of_base, out);
    for (int i = 0; i < list.count; i++)
        if (list.rows[i].help != NULL && same_row(&list.rows[i], &of_base) == NULL)
            put_row(table, &list, &list.rows[i], out);
}

/* ---- completion ---- */

static bool is_said(const char *name, int argc, char *const argv[])
{
    size_t length = strlen(name);
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i] + 2, name, length) == 0 &&
            (argv[i][2 + length] == '\0' || argv[i][2 + length] == '='))
            return true;
    return false;
}

/* A rule that speaks of a value leaves it to the parser. */
static bool is_excluded(const struct option_table *table, const struct option_list *list, const char *name,
                        int argc, char *const argv[])
{
    for (const struct option_rule *rule = table->rules; rule != NULL && rule->option != NULL; rule++) {
        if (rule->relation != OPTION_EXCLUDES || !option_rule_holds(rule, table, list))
            continue;
        bool is_option = strcmp(rule->option, name) == 0, is_said_here = is_said(rule->option, argc, argv);
        for (int i = 0; i < RULE_OTHERS_MAX && rule->others[i] != NULL; i++)
            if ((is_option && is_said(rule->others[i], argc, argv)) ||
                (is_said_here && strcmp(rule->others[i], name) == 0))
                return true;
    }
    return false;
}

void options_print_names(const struct option_table *table, int argc, char *const argv[], FILE *out)
{
    struct option_list list;
    options_list(table, &list);
    for (int i = 0; i < list.count; i++) {
        const struct option_row *row = &list.rows[i];
        if (row->help != NULL && (row->is_list || !is_said(row->name, argc, argv)) &&
            !is_excluded(table, &list, row->name, argc, argv))
            fprintf(out, "--%s\n", row->name);
    }
}

void options_print_rows(const struct option_table *table, FILE *out)
{
    struct option_list list;
    options_list(table, &list);
    for (int i = 0; i < list.count; i++) {
        const struct option_row *row = &list.rows[i];
        if (row->help == NULL)
            continue;
        fprintf(out, "%s\t", row->name);
        for (int k = 0; row->choices != NULL && row->choices[k] != NULL; k++)
            fprintf(out, "%s%s", k > 0 ? "|" : "", row->choices[k]);
        if (row->choices == NULL)
            fputs(row->value != NULL ? row->value : "-", out);
        fprintf(out, "\t%s\t%s\n", row->is_list ? "list" : "once", row->help);
    }
}
