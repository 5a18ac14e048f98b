/* parting_data: where held connections part from closed ones, for scripts. */
#include "base/json_writer.h"
#include "code/place_text.h"
#include "trace/call_text.h"
#include "view/parting_view.h"

#include <string.h>

static void put_site(struct json_writer *w, const char *key, const struct site *site)
{
    if (site != NULL)
        site_put_json(w, key, site);
}

static void put_note(struct json_writer *w, const char *key, const struct traced_note *note)
{
    static const char *const results[] = {[RESULT_UNKNOWN] = "unknown",
                                          [RESULT_ZERO] = "zero",
                                          [RESULT_SOME] = "some",
                                          [RESULT_ERROR] = "error"};
    const char *detail = call_detail(note);
    json_open(w, key, '{');
    json_string(w, "text", call_text(note).text);
    json_string(w, "call", note->call->name);
    if (detail != NULL)
        json_string(w, "detail", detail);
    json_string(w, "result", results[note->result]);
    if (note->result == RESULT_ERROR)
        json_string(w, "error", strerror(note->error));
    json_integer(w, "pid", note->pid);
    json_integer(w, "times", note->times);
    put_site(w, "site", note->site);
    json_close(w, '}');
}

static void put_holders(struct json_writer *w, const struct traced_connection *connection)
{
    json_open(w, "holders", '[');
    for (int i = 0; i < connection->holder_count; i++) {
        json_open(w, NULL, '{');
        json_integer(w, "pid", connection->holders[i].pid);
        put_site(w, "forked_at", connection->holders[i].forked_at);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_branch(struct json_writer *w, const struct parting_branch *branch)
{
    struct branch_remark remark = branch_remark(branch);
    json_open(w, NULL, '{');
    json_string(w, "end", parting_end_name(branch->end));
    json_integer(w, "count", branch->count);
    json_open(w, "steps", '[');
    for (int i = 0; i < branch->step_count; i++)
        put_note(w, NULL, branch->steps[i]);
    json_close(w, ']');
    if (branch->last != NULL)
        put_note(w, "last", branch->last);
    if (branch->close != NULL)
        put_note(w, "close", branch->close);
    if (branch->end == PARTING_HELD)
        put_holders(w, branch->example);
    if (remark.text[0] != '\0')
        json_string(w, "remark", remark.text);
    json_close(w, '}');
}

static void put_forks(struct json_writer *w, const struct parting *parting)
{
    json_open(w, "partings", '[');
    for (int i = 0; i < parting->count; i++) {
        const struct parting_fork *fork = &parting->forks[i];
        json_open(w, NULL, '{');
        if (fork->after != NULL)
            put_note(w, "after", fork->after);
        if (fork->own_before != NULL)
            put_note(w, "own_before", fork->own_before);
        json_open(w, "branches", '[');
        for (int k = 0; k < fork->count; k++)
            put_branch(w, &fork->branches[k]);
        json_close(w, ']');
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_counts(struct json_writer *w, const char *key, const int64_t *counts)
{
    json_open(w, key, '{');
    for (int end = 0; end < PARTING_END_COUNT; end++)
        json_integer(w, parting_end_name((enum parting_end)end), counts[end]);
    json_close(w, '}');
}

void parting_put_json(struct json_writer *w, const struct audit_trace *trace)
{
    json_open(w, "trace", '{');
    json_boolean(w, "names_lines", code_names_lines());
    if (!trace->is_there) {
        json_string(w, "error", strerror(trace->error));
    } else {
        json_integer(w, "calls", trace->report.calls);
        json_integer(w, "io_urings", trace->report.rings);
        json_integer(w, "foreign_processes", trace->report.foreign);
        json_integer(w, "set_user_programs", trace->report.set_user);
        json_integer(w, "attaches", trace->report.attaches);
        json_integer(w, "hidden_processes", trace->report.hidden);
        json_integer(w, "unknown_sockets", trace->report.unknown_sockets);
        put_counts(w, "connections", trace->parting.by_end);
        put_counts(w, "unseen", trace->parting.unseen);
        if (trace->parting.accepted != NULL)
            put_note(w, "accepted", trace->parting.accepted);
        put_forks(w, &trace->parting);
    }
    json_close(w, '}');
}
