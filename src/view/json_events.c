#include "view/json_events.h"

#include "view/json_members.h"
#include "view/view.h"

struct event_row {
    const char *name; /* the value of "event" */
    const char *says; /* who writes it, and when */
    const struct member *members;
    const struct csv_column *columns; /* or the columns of a CSV are its members, and `order` */
};

static const struct event_row events[JSON_EVENTS] = {
    [JSON_START] = {"start", "Written by `--json` when an order begins.", json_start, NULL},
    [JSON_SAMPLE] = {"sample",
                     "Written by `--json` for each look and side, like a row of the CSV. Members that "
                     "concern the other side only are missing.",
                     NULL, look_columns},
    [JSON_STEP] = {"step", "Written by `--json` at the end of a step.", json_step, NULL},
    [JSON_TRANSITIONS] = {"transitions", "Written by `--json` with `--witness events`, before `end`.",
                          json_transitions, NULL},
    [JSON_END] = {"end", "Written by `--json` at the end of an order.", json_end, NULL},
    [JSON_LOOK] = {"look", "Written by `watch --json` and `watch --record` for each look.", json_look, NULL},
    [JSON_STACKS] = {"stacks", "Written by `watch --stacks --json` at the end.", json_stacks, NULL},
    [JSON_RECORDING] = {"recording", "The first line of `watch --record`.", json_recording, NULL},
    [JSON_FLOW] = {"flow",
                   "Written by `watch --record` after each look: which connections came and ended since the "
                   "previous one.",
                   json_flow, NULL},
    [JSON_EXPLANATION] = {"explanation", "Written by `explain --json`, and by `watch --record` at the end.",
                          json_explanation, NULL},
    [JSON_TRACE] = {"trace", "Written by `trace --json`.", json_trace, NULL},
    [JSON_AUDIT] = {"audit", "Written by `audit --json`, one line for each order.", json_audit, NULL},
    [JSON_AUDITS] = {"audits", "The last line of `audit --json` with several orders.", json_audits, NULL},
    [JSON_CLIENT_AUDIT] = {"client_audit", "Written by `audit --as-server --json`.", json_client_audit, NULL},
    [JSON_PROXY_AUDIT] = {"proxy_audit", "Written by `audit --through --json`.", json_proxy_audit, NULL},
};

/* Objects within them that have many members. */
static const struct {
    enum json_event in;
    const char *title;
    const struct member *members;
} objects[] = {
    {JSON_LOOK, "look: a row", json_row_of_look},
    {JSON_STACKS, "stacks: a stack", json_stack},
    {JSON_EXPLANATION, "explanation: a finding", json_finding},
    {JSON_EXPLANATION, "explanation: a step of first aid", json_aid_step},
    {JSON_TRACE, "trace: a call", json_trace_call},
    {JSON_TRACE, "trace: a branch", json_trace_branch},
    {JSON_AUDIT, "audit: what grew", json_growth},
};

void json_event_open(struct json_writer *w, enum json_event event)
{
    json_open(w, NULL, '{');
    json_string(w, "event", events[event].name);
}

/* ---- the manual ---- */

/* Those that share a meaning share an item. */
static void put_members(FILE *out, const struct member *members)
{
    for (const struct member *member = members; member->name != NULL;) {
        const struct member *first = member++;
        fprintf(out, "- `%s`", first->name);
        for (; member->name != NULL && member->meaning == NULL; member++)
            fprintf(out, ", `%s`", member->name);
        fprintf(out, ": %s.", first->meaning);
        if (first->when != NULL)
            fprintf(out, " Only %s.", first->when);
        fputc('\n', out);
    }
    fputc('\n', out);
}

static void put_columns(FILE *out, const struct csv_column *columns)
{
    fputs("- ", out);
    for (const struct csv_column *column = columns; column->name != NULL; column++)
        fprintf(out, "%s`%s`", column == columns ? "" : ", ", column->name);
    fputs(": the same as the columns of the CSV.\n\n", out);
}

void json_events_put_markdown(FILE *out)
{
    for (int event = 0; event < JSON_EVENTS; event++) {
        fprintf(out, "## %s\n\n%s\n\n", events[event].name, events[event].says);
        if (events[event].members != NULL)
            put_members(out, events[event].members);
        else
            put_columns(out, events[event].columns);
        for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
            if (objects[i].in == (enum json_event)event) {
                fprintf(out, "## %s\n\n", objects[i].title);
                put_members(out, objects[i].members);
            }
    }
}
