/* Names and arguments of others on their way to a terminal, into a CSV field and into JSON: whatever they
 * are, no order to a terminal, one field, UTF-8. */
#include "fuzz.h"

#include "base/json_writer.h"
#include "base/printable.h"

#include <stdbool.h>
#include <stdio.h>

static bool is_utf8(const char *text)
{
    for (size_t length; *text != '\0'; text += length)
        if ((length = utf8_length(text)) == 0)
            return false;
    return true;
}

static void check_field(const char *text)
{
    char *field = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&field, &size);
    if (out == NULL)
        return;
    printable_put_csv(out, text);
    fclose(out);
    bool is_quoted = field[0] == '"';
    if (!is_quoted && strpbrk(field, ",\"\r\n") != NULL)
        abort();
    int quotes = 0;
    for (const char *c = field; *c != '\0'; c++)
        quotes += *c == '"';
    if (quotes % 2 != 0 || (is_quoted && (size < 2 || field[size - 1] != '"')))
        abort();
    if (strchr("=+-@", field[is_quoted]) != NULL && field[is_quoted] != '\0')
        abort();
    free(field);
}

static void check_json(const char *text)
{
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (out == NULL)
        return;
    struct json_writer json = {.out = out};
    json_open(&json, NULL, '{');
    json_string(&json, "name", text);
    json_close(&json, '}');
    fclose(out);
    if (!is_utf8(line))
        abort();
    for (const char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' && *c != '\n')
            abort();
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    check_field(text);
    check_json(text);
    printable(text);
    if (!is_utf8(text))
        abort();
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == '\x7f')
            abort();
    printable_word(text);
    for (const char *c = text; *c != '\0'; c++)
        if (!is_visible_ascii(*c))
            abort();
    free(text);
    return 0;
}
