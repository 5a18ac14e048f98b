/* audit_results: the files in which the result of an audit is asked for. */
#ifndef CMD_AUDIT_RESULTS_H
#define CMD_AUDIT_RESULTS_H

#include "base/options.h"
#include "view/audit_view.h"

#include <stdbool.h>
#include <stdio.h>

enum { RESULT_CSV, RESULT_JSON, RESULT_JUNIT, RESULT_SARIF, RESULT_COUNT };

/* A form in which the result may be asked for. */
struct result_file {
    const char *option;
    int (*print)(FILE *out, const struct audit_report *report);
    int (*print_all)(FILE *out, const struct audit_series *series);
    const char *path; /* NULL: not asked for */
    FILE *out;        /* NULL: not open */
    char name[160];   /* of the output, for people */
};

/* Their options, for an array of RESULT_COUNT; those of a server that is traced. */
extern const struct option_row audit_result_rows[], audit_trace_result_rows[];

/* RESULT_COUNT of them, with their option and print(). */
void audit_results_init(struct result_file *results);

/* Opens what is asked for, before a connection is: an audit whose result cannot be kept is not begun. Returns
 * an exit code, not EXIT_AS_EXPECTED after telling. */
int audit_results_open(struct result_file *results);

/* Of an audit that was not made. */
void audit_results_close(struct result_file *results);

/* Writes all of them, and unless `quiet` the summary: on stderr where a result is on stdout. Returns 0, or -1
 * after telling. */
int audit_results_write(struct result_file *results, bool quiet, const struct audit_report *report);

/* The same of several orders. */
int audit_results_write_all(struct result_file *results, bool quiet, const struct audit_series *series);

/* What audit_results_write() is made of, for a report of another kind. Whether a result is on stdout: */
bool audit_results_use_stdout(const struct result_file *results);

/* Something was printed, with that result. Returns 0, or -1 after telling. */
int audit_result_told(FILE *out, int rc);

/* The same of a result that is open, and closes it unless it is stdout. */
int audit_result_close(struct result_file *result, int rc);

#endif
