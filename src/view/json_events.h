/* json_events: the kinds of lines that --json and the like write, a row each, with the members of each. Its
 * chapter in the manual comes from them. */
#ifndef VIEW_JSON_EVENTS_H
#define VIEW_JSON_EVENTS_H

#include "base/json_writer.h"

enum json_event {
    JSON_START,
    JSON_SAMPLE,
    JSON_STEP,
    JSON_TRANSITIONS,
    JSON_END,
    JSON_LOOK,
    JSON_STACKS,
    JSON_RECORDING,
    JSON_FLOW,
    JSON_EXPLANATION,
    JSON_TRACE,
    JSON_AUDIT,
    JSON_AUDITS,
    JSON_CLIENT_AUDIT,
    JSON_PROXY_AUDIT,
    JSON_EVENTS,
};

/* Opens the line's object, with its member "event". */
void json_event_open(struct json_writer *w, enum json_event event);

/* In Markdown: a section for each event, and for the objects in it that have a table, with a list of members.
 */
void json_events_put_markdown(FILE *out);

#endif
