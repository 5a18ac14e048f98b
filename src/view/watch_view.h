/* watch_view: one look of a watch, as a table and as JSON. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

#include "audit/watch.h"

#include <stdio.h>

struct watch_page {
    const struct watch_look *look;
    int64_t ghosts; /* of the one process that is watched; negative: not known, or not asked for */
};

/* A table of at most `rows` lines, no wider than `columns` (0: as wide as it gets). */
void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns);

/* One object on one line. */
void watch_print_json(FILE *out, const struct watch_page *page);

#endif
