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
};

void watch_table_free(struct watch_table *table);

/* Before the sockets of a look: every row is empty. */
void watch_table_begin(struct watch_table *table);

/* The row of that key, made where there is none. NULL when there are too many rows, or with *error -ENOMEM.
 */
struct watch_row *watch_table_row(struct watch_table *table, const struct watch_key *key, int *error);

/* After them: growth goes on, empty rows are forgotten, the most CLOSE_WAIT and ghosts come first. */
void watch_table_end(struct watch_table *table, double t_s);

#endif
