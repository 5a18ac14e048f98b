/* audit_view: the result of an audit, for people and for scripts. */
#ifndef VIEW_AUDIT_VIEW_H
#define VIEW_AUDIT_VIEW_H

#include "audit/audit.h"
#include "audit/audit_trace.h"
#include "view/csv_columns.h"

#include <stdbool.h>
#include <stdio.h>

/* Of a program that --run has started. */
struct audit_program_end {
    bool was_started;
    bool has_ended;  /* by itself, when the order was over */
    int wait_status; /* as wait() has it */
    char text[64];   /* "exited with status 4" */
};

struct audit_report {
    const struct audit_settings *settings;
    const struct audit_result *result;
    const char *causes[GROUP_COUNT]; /* names of causes that look like that; "" for none */
    const char *growth_causes;       /* likewise of those that leave connections to another server only */
    const char *reset_causes, *loss_causes; /* likewise of those that lose replies, by RST or by FIN */
    enum audit_outcome outcome;
    const struct audit_trace *trace; /* NULL: it was not traced */
    struct audit_program_end program;
};

/* What it means: one sentence a line. */
struct audit_verdict {
    char text[4096];
};
struct audit_verdict audit_verdict_of(const struct audit_report *report);

/* What ends of Unix sockets in that group have in common; NULL: what those of TCP have. */
const char *audit_unix_group_text(enum audit_group group);
/* Puts a verdict into the words of Unix sockets. */
void audit_say_as_unix(char *text, size_t size);

struct json_writer;

/* Appends a sentence for each thing that grew. `holds_front`: the server holds connections of ours too. */
void audit_say_growth(char *text, size_t size, const struct audit_growth *growth, bool holds_front);
/* "stock": {...}. */
void audit_put_stock(struct json_writer *w, const struct audit_growth *growth);

/* Each writes to an open file, which it does not close. Returns 0 or a negative errno. */
int audit_print_text(FILE *out, const struct audit_report *report);
int audit_print_json(FILE *out, const struct audit_report *report);  /* one object on one line */
int audit_print_csv(FILE *out, const struct audit_report *report);   /* a row for each connection */
int audit_print_junit(FILE *out, const struct audit_report *report); /* one test case: the server closes */

int audit_print_sarif(FILE *out, const struct audit_report *report); /* of one that was traced: its lines */
/* The same as lines that GitHub Actions reads: "::error file=...". */
int audit_print_annotations(FILE *out, const struct audit_report *report);

/* An order that was asked for among others and not played. */
struct audit_untried {
    enum audit_order order;
    const char *why; /* "needs --http or --send" */
};

/* Several orders, played on one server one after the other. */
struct audit_series {
    const struct audit_report *reports;
    int count;
    const struct audit_untried *untried;
    int untried_count;
    enum audit_outcome outcome; /* the worst */
};

/* A table of the orders, and the verdicts of those that have more to say than that all is well. */
int audit_print_text_of_all(FILE *out, const struct audit_series *series);
/* A line for each order as audit_print_json(), and one for all. */
int audit_print_json_of_all(FILE *out, const struct audit_series *series);
int audit_print_csv_of_all(FILE *out, const struct audit_series *series);   /* with a column for the order */
int audit_print_junit_of_all(FILE *out, const struct audit_series *series); /* a test case for each */

int audit_print_sarif_of_all(FILE *out, const struct audit_series *series);

/* What the forms have in common. */
extern const struct csv_column audit_columns[]; /* the first one, the order, where there are several */
void audit_put_csv_row(FILE *out, const struct audit_connection *connection, bool has_states);
void audit_put_testcase(FILE *out, const struct audit_report *report);
/* Whether the outcome says that something is wrong with the server, or nothing at all. */
bool audit_is_failure(enum audit_outcome outcome);
bool audit_is_void(enum audit_outcome outcome);

#endif
