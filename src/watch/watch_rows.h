/* watch_rows: one set of rows, found again by their keys from look to look; and which of them grows. */
#ifndef WATCH_WATCH_ROWS_H
#define WATCH_WATCH_ROWS_H

#include "watch/watch.h"

enum { WATCH_INDEX_SLOTS = 4 * WATCH_ROWS_MAX };

/* Zero-initialised: no rows. */
struct watch_table {
    struct watch_rows rows;
    size_t room;
    uint16_t slots[WATCH_INDEX_SLOTS]; /* of the look under way: row + 1, by key; 0: empty */
    uint16_t last;                     /* row + 1 that was asked for last; 0: none */
};

void watch_table_free(struct watch_table *table);

/* Before the sockets of a look: every row is empty. */
void watch_table_begin(struct watch_table *table);

/* The row of that key, made where there is none. NULL when there are too many rows, or with *error -ENOMEM.
 */
struct watch_row *watch_table_row(struct watch_table *table, const struct watch_key *key, int *error);

/* When a look was, t_s as struct watch_look has it. */
struct watch_moment {
    double t_s;
    double before_s, full_before_s, detailed_before_s; /* the last one, the last full one, the last detailed
                                                          one; below 0: there was none */
    bool full, detailed;
};

/* After them: growth goes on, of GROUPS_AT_REST in detailed looks only, of GROUPS_OF_FULL_LOOKS in full ones;
 * empty rows are forgotten, the most CLOSE_WAIT and ghosts come first. Returns 0 or -ENOMEM. */
int watch_table_end(struct watch_table *table, const struct watch_moment *moment);

#endif
