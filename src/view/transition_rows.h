/* transition_rows: transitions as data: the CSV of --transitions, and what JSON tells of them. */
#ifndef VIEW_TRANSITION_ROWS_H
#define VIEW_TRANSITION_ROWS_H

#include "analysis/transition_report.h"
#include "base/json_writer.h"

#include <stdio.h>

/* A row for each move between two states of a side, under the header
 * order,side,from,to,count,dwell_p50_s,dwell_p90_s, dwell_p99_s,dwell_max_s. Times are of the state that is
 * left, and empty where none is known. */
void transition_rows_put_header(FILE *out);
void transition_rows_put(FILE *out, const char *order, const struct transition_counts *counts);

/* The members of an object that is open. */
void transition_json_put(struct json_writer *w, const struct transition_report *report);

#endif
