/* json_members: what stands in each kind of line that --json and the like write: a table of members each,
 * which a row without a name ends. All text is Markdown. */
#ifndef VIEW_JSON_MEMBERS_H
#define VIEW_JSON_MEMBERS_H

struct member {
    const char *name;
    const char *meaning; /* NULL: that of the member before it */
    const char *when;    /* where it is not in every line: "with `--rate`"; NULL: it is */
};

/* Of lines. */
extern const struct member json_start[], json_step[], json_transitions[], json_end[], json_look[],
    json_stacks[], json_recording[], json_flow[], json_explanation[], json_trace[], json_audit[],
    json_audits[], json_client_audit[], json_proxy_audit[];

/* Of objects in them. */
extern const struct member json_row_of_look[], json_stack[], json_finding[], json_aid_step[],
    json_trace_call[], json_trace_branch[], json_growth[];

#endif
