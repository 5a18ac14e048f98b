/* printable: text of others (names of processes, of hosts, arguments) where a terminal or a program reads it.
 * (As JSON, json_writer takes any; as a word of a shell, shell_quote does.) */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Bytes of the UTF-8 character that the text begins with (RFC 3629), 1 to 4; 0 when they are none, and at the
 * end of the text. */
size_t utf8_length(const char *text);

/* Replaces, in place, what could be an order to a terminal by question marks: control characters, those of
 * Unicode too, and bytes that are no UTF-8. Other characters stay as they are. */
void printable(char *text);

/* Writes so many bytes of a text in this way. */
void printable_put(FILE *out, const char *text, size_t size);

/* Visible ASCII, whatever the locale, and whether or not a char has a sign. */
static inline bool is_visible_ascii(char c)
{
    return c > ' ' && c <= '~';
}

/* Makes one word of it, in place: every byte but visible ASCII becomes an underscore. */
void printable_word(char *text);

/* Writes the text as one field of a CSV row (RFC 4180), without the comma around it. What would end the field
 * (comma, quote, line break) puts it in quotes; an apostrophe leads what a spreadsheet would take for a
 * formula (= + - @, a tab or a carriage return first). Not for numbers: -1 would get one. */
void printable_put_csv(FILE *out, const char *text);

#endif
