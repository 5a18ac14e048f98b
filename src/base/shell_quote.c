#include "base/shell_quote.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(const char *word)
{
    for (const char *p = word; *p != '\0'; p++)
        if (!isascii((unsigned char)*p) || (!isalnum((unsigned char)*p) && strchr("-_=+,.:/%@", *p) == NULL))
            return false;
    return *word != '\0';
}

static bool is_printable(const char *word)
{
    for (; *word != '\0'; word++)
        if (!isascii((unsigned char)*word) || !isprint((unsigned char)*word))
            return false;
    return true;
}

/* 'it'\''s' */
static void put_quoted(FILE *out, const char *word)
{
    fputc('\'', out);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

/* $'\xc3\xa4': bytes that a terminal or a JSON text might not take. */
static void put_escaped(FILE *out, const char *word)
{
    fputs("$'", out);
    for (; *word != '\0'; word++) {
        unsigned char c = (unsigned char)*word;
        if (!isascii(c) || !isprint(c))
            fprintf(out, "\\x%02x", c);
        else
            fprintf(out, "%s%c", c == '\'' || c == '\\' ? "\\" : "", c);
    }
    fputc('\'', out);
}

static void put_for_person(FILE *out, const char *word)
{
    if (is_plain(word))
        fputs(word, out);
    else if (is_printable(word))
        put_quoted(out, word);
    else
        put_escaped(out, word);
}

static void put_for_shell(FILE *out, const char *word)
{
    if (is_plain(word))
        fputs(word, out);
    else
        put_quoted(out, word);
}

static char *join(const char *first, int argc, const char *const argv[],
                  void (*put)(FILE *out, const char *word))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fputs(first, out);
    for (int i = 0; i < argc; i++) {
        fputc(' ', out);
        put(out, argv[i]);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

char *shell_quoted(const char *first, int argc, char *const argv[])
{
    return join(first, argc, (const char *const *)argv, put_for_person);
}

char *shell_command(const char *first, int argc, const char *const argv[])
{
    return join(first, argc, argv, put_for_shell);
}
