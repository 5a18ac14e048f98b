/* audit_view: the result of an audit, for people and for scripts. */
#ifndef VIEW_AUDIT_VIEW_H
#define VIEW_AUDIT_VIEW_H

#include "audit/audit.h"

#include <stdio.h>

struct audit_report {
    const struct audit_settings *settings;
    const struct audit_result *result;
    const char *causes[GROUP_COUNT]; /* names of causes that look like that; "" for none */
    const char *reset_causes;
    enum audit_outcome outcome;
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

#endif
