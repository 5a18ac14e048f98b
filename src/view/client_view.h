/* client_view: the audit of a client, for people and for scripts. */
#ifndef VIEW_CLIENT_VIEW_H
#define VIEW_CLIENT_VIEW_H

#include "audit/client_audit.h"

#include <stdio.h>

struct client_report {
    const struct client_settings *settings;
    const struct client_result *result;
    const struct program *program; /* that was started, if one was */
    enum audit_outcome outcome;
};

/* What it means: one sentence a line. */
struct client_verdict {
    char text[4096];
};
struct client_verdict client_verdict_of(const struct client_report *report);

/* Each writes to an open file, which it does not close. Returns 0 or a negative errno. */
int client_print_text(FILE *out, const struct client_report *report);
int client_print_json(FILE *out, const struct client_report *report);  /* one object on one line */
int client_print_csv(FILE *out, const struct client_report *report);   /* a row for each connection */
int client_print_junit(FILE *out, const struct client_report *report); /* one test case: the client closes */

#endif
