/* explain_view: an explanation, for people and for scripts. */
#ifndef VIEW_EXPLAIN_VIEW_H
#define VIEW_EXPLAIN_VIEW_H

#include "base/json_writer.h"
#include "explain/explanation.h"
#include "explain/first_aid.h"

#include <stdio.h>

struct explain_report {
    const struct explanation *explanation;
    const char *target; /* as it was typed: "27175", ":8080" */
    int64_t grace_ms;
    const struct stacks *stacks; /* NULL: not asked for */
    const struct first_aid *aid; /* what was done, or would be; NULL: it was not asked for */
};

/* Each writes to an open file, which it does not close. Returns 0 or a negative errno. */
int explain_print_text(FILE *out, const struct explain_report *report);
int explain_print_json(FILE *out, const struct explain_report *report); /* one object on one line */

/* The first aid alone: as text, and as a member of the explanation's object. */
int explain_print_aid(FILE *out, const struct explain_report *report);
void explain_put_aid(struct json_writer *w, const struct first_aid *aid);

#endif
