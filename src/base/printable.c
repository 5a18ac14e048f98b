#include "base/printable.h"

#include <stdint.h>
#include <string.h>

/* What the first byte says: how long it is, and the least that may be written so long. */
struct form {
    unsigned char mask, first;
    size_t length;
    uint32_t least;
};

static const struct form forms[] = {
    {0x80, 0x00, 1, 1}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

/* The character, and how long it is; length 0 when it is none. */
static uint32_t decode(const char *text, size_t *length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    *length = 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((bytes[0] & forms[i].mask) != forms[i].first)
            continue;
        uint32_t character = bytes[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((bytes[k] & 0xc0) != 0x80) /* the end of the text is none of these */
                return 0;
            character = character << 6 | (bytes[k] & 0x3f);
        }
        bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
        if (character >= forms[i].least && character <= 0x10ffff && !is_surrogate)
            *length = forms[i].length;
        return character;
    }
    return 0;
}

size_t utf8_length(const char *text)
{
    size_t length;
    decode(text, &length);
    return length;
}

/* The bytes of the next character that may be shown; 0: a question mark comes in its place. *length: how far
 * it goes in the text. */
static size_t shown_length(const char *text, size_t *length)
{
    uint32_t character = decode(text, length);
    bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    size_t shown = is_control ? 0 : *length;
    *length = *length > 0 ? *length : 1;
    return shown;
}

void printable(char *text)
{
    char *out = text;
    for (size_t length; *text != '\0'; text += length) {
        size_t shown = shown_length(text, &length);
        if (shown == 0)
            *out++ = '?';
        memmove(out, text, shown);
        out += shown;
    }
    *out = '\0';
}

void printable_put(FILE *out, const char *text, size_t size)
{
    size_t length;
    for (const char *end = text + size; text < end; text += length) {
        size_t shown = shown_length(text, &length);
        if (shown == 0)
            fputc('?', out);
        fwrite(text, 1, shown, out);
    }
}

void printable_word(char *text)
{
    for (; *text != '\0'; text++)
        if (!is_visible_ascii(*text))
            *text = '_';
}

void printable_put_csv(FILE *out, const char *text)
{
    bool is_formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    bool is_quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (is_quoted)
        fputc('"', out);
    if (is_formula)
        fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    if (is_quoted)
        fputc('"', out);
}
