/* printable: text of others (names of processes, of hosts, arguments) where a terminal or a program reads it.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

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

#endif
