/* proxy_view: the audit of a proxy, for people and for scripts. */
#ifndef VIEW_PROXY_VIEW_H
#define VIEW_PROXY_VIEW_H

#include "audit/proxy.h"
#include "view/csv_columns.h"

#include <stdio.h>

struct proxy_report {
    const struct proxy_settings *settings;
    const struct proxy_result *result;
    enum proxy_outcome outcome;
};

/* What it means: one sentence a line. */
struct proxy_verdict {
    char text[4096];
};
struct proxy_verdict proxy_verdict_of(const struct proxy_report *report);

/* What is wrong in a cell, or could not be told: a clause; "": nothing. */
struct proxy_cell_text {
    char text[160];
};
struct proxy_cell_text proxy_cell_fault(const struct proxy_cell *cell);

/* Each writes to an open file, which it does not close. Returns 0 or a negative errno. */
int proxy_print_text(FILE *out, const struct proxy_report *report);  /* the matrix, and the verdict */
int proxy_print_json(FILE *out, const struct proxy_report *report);  /* one object on one line */
int proxy_print_csv(FILE *out, const struct proxy_report *report);   /* a row for each pair of connections */
int proxy_print_junit(FILE *out, const struct proxy_report *report); /* a test case for each cell */

extern const struct csv_column proxy_columns[];

#endif
