/* csv_columns: the columns of a CSV, a row each. Its header line comes from them, and its table in the manual
 * too. */
#ifndef VIEW_CSV_COLUMNS_H
#define VIEW_CSV_COLUMNS_H

#include <stdio.h>

/* In arrays that a row without a name ends. */
struct csv_column {
    const char *name;
    const char *unit;    /* "s", "sockets"; "": a word, or a number without one */
    const char *meaning; /* in Markdown; NULL: that of the column before it */
};

/* The names with commas between them, and the end of the line. */
void csv_put_header(FILE *out, const struct csv_column *columns);

/* A table in Markdown; columns that share a meaning share a row. */
void csv_put_markdown(FILE *out, const struct csv_column *columns);

#endif
