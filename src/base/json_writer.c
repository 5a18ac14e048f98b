#include "base/json_writer.h"

#include "base/printable.h"

#include <inttypes.h>

/* JSON is UTF-8; names and arguments may be anything. */
static void put_character(FILE *out, const char *text, size_t length)
{
    if (length == 0)
        fputs("\xef\xbf\xbd", out); /* U+FFFD, the replacement character */
    else
        fwrite(text, 1, length, out);
}

static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (size_t length; *text != '\0'; text += length > 0 ? length : 1) {
        unsigned char c = (unsigned char)*text;
        length = utf8_length(text);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            put_character(out, text, length);
    }
    fputc('"', out);
}

static void put_key(struct json_writer *json, const char *key)
{
    if (json->needs_comma)
        fputc(',', json->out);
    json->needs_comma = true;
    if (key == NULL)
        return;
    put_text(json->out, key);
    fputc(':', json->out);
}

void json_open(struct json_writer *json, const char *key, char bracket)
{
    put_key(json, key);
    fputc(bracket, json->out);
    json->needs_comma = false;
}

void json_close(struct json_writer *json, char bracket)
{
    fputc(bracket, json->out);
    json->needs_comma = true;
}

void json_string(struct json_writer *json, const char *key, const char *value)
{
    put_key(json, key);
    put_text(json->out, value);
}

void json_integer(struct json_writer *json, const char *key, int64_t value)
{
    put_key(json, key);
    fprintf(json->out, "%" PRId64, value);
}

void json_number(struct json_writer *json, const char *key, double value)
{
    put_key(json, key);
    fprintf(json->out, "%.6f", value);
}

void json_boolean(struct json_writer *json, const char *key, bool value)
{
    put_key(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_end_line(struct json_writer *json)
{
    fputc('\n', json->out);
    json->needs_comma = false;
}
