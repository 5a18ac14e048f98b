/* transition_rows: transitions as data: the CSV of --transitions, and what JSON tells of them. */
#ifndef VIEW_TRANSITION_ROWS_H
#define VIEW_TRANSITION_ROWS_H

#include "analysis/transition_report.h"
#include "base/json_writer.h"
#include "view/csv_columns.h"

#include <stdio.h>

extern const struct csv_column transition_columns[];

/* A row for each move between two states of a side, without the header. */
void transition_rows_put(FILE *out, const char *order, const struct transition_counts *counts);

/* The members of an object that is open. */
void transition_json_put(struct json_writer *w, const struct transition_report *report);

#endif
