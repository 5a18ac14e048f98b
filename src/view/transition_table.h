/* transition_table: the transitions of live traffic: a table for people, rows for CSV, an object for JSON. */
#ifndef VIEW_TRANSITION_TABLE_H
#define VIEW_TRANSITION_TABLE_H

#include "analysis/transition_report.h"
#include "watch/transition_watch.h"

#include <stdio.h>

void transition_table_print(FILE *out, const struct transition_watch *watch);

/* As --transitions of a storm has them; in the first column "all", "others" or the port. */
void transition_table_csv(FILE *out, const struct transition_watch *watch);

/* One line. Returns 0 or a negative errno. */
int transition_table_json(FILE *out, const void *watch);

#endif
