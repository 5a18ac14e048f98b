/* parting_view: where held connections part from closed ones, for people and for scripts. */
#ifndef VIEW_PARTING_VIEW_H
#define VIEW_PARTING_VIEW_H

#include "audit/audit_trace.h"

#include <stdio.h>

struct json_writer;

enum { PARTING_FORKS_TOLD = 4, PARTING_BRANCHES_TOLD = 4 }; /* each; of further ones the number is told */

/* How the last call of a branch is to be read: "no close() follows"; "": nothing is to be said. */
struct branch_remark {
    char text[400];
};
struct branch_remark branch_remark(const struct parting_branch *branch);

/* "held", "closed". */
const char *parting_end_name(enum parting_end end);

/* Lines, each indented. */
void parting_print(FILE *out, const struct audit_trace *trace, int indent);

/* "trace": {...}. */
void parting_put_json(struct json_writer *json, const struct audit_trace *trace);

#endif
