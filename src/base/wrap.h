/* wrap: prose in lines that fit a terminal. */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include <stdio.h>

/* Writes the text broken at words into lines of at most `width` bytes, each indented; a newline in the text
 * ends a line too. */
void wrap_print(FILE *out, const char *text, int indent, int width);

#endif
