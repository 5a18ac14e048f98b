/* csv_field: text as one field of a CSV row (RFC 4180), whoever it comes from. */
#ifndef BASE_CSV_FIELD_H
#define BASE_CSV_FIELD_H

#include <stdio.h>

/* Writes the text as a field, without the comma around it. What would end the field (comma, quote, line
 * break) puts it in quotes; an apostrophe leads what a spreadsheet would take for a formula (= + - @, a tab
 * or a carriage return first). Not for numbers: -1 would get one. */
void csv_put_text(FILE *out, const char *text);

#endif
