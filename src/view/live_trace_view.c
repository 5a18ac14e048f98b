#include "view/live_trace_view.h"

#include "base/json_writer.h"
#include "base/number_text.h"
#include "base/output.h"
#include "base/text.h"
#include "base/version.h"
#include "base/wrap.h"
#include "view/json_events.h"
#include "view/parting_view.h"

#include <string.h>

enum { TEXT_WIDTH = 78 };

/* As those of an audit are shown. The report stays ours. */
static struct audit_trace parting_of(const struct live_trace_report *report)
{
    return (struct audit_trace){
        .is_there = true, .report = report->result->report, .parting = *report->parting};
}

static void say_counts(FILE *out, const struct live_trace_report *report)
{
    const struct live_result *result = report->result;
    bool is_named = report->service.kind != CGROUP_NONE;
    char text[900] = "";
    TEXT_ADD(text, "%s %d%s%s%s, traced for %s: it accepted %s. ", report->command.text, (int)report->pid,
             is_named ? " (" : "", report->service.text, is_named ? ")" : "",
             duration_text(report->traced_ms).text, counted(result->report.count, "connection").text);
    if (result->report.count > 0)
        TEXT_ADD(text, "%s %s closed, %s %s open", grouped(result->closed).text,
                 one_or_many(result->closed, "was", "were"), grouped(result->open).text,
                 one_or_many(result->open, "is", "are"));
    if (result->report.count > 0 && result->lingering > 0)
        TEXT_ADD(text, ", and %s %s: %s, and the program has not touched %s for %s since",
                 grouped(result->lingering).text, one_or_many(result->lingering, "lingers", "linger"),
                 one_or_many(result->lingering, "its peer closed it", "their peers closed them"),
                 one_or_many(result->lingering, "it", "them"), duration_text(result->lingering_ms).text);
    if (result->report.count > 0)
        TEXT_ADD(text, ".");
    TEXT_ADD(text, "\n");
    wrap_print(out, text, 0, TEXT_WIDTH);
}

/* What the picture lacks. */
static void say_unseen(FILE *out, const struct live_result *result)
{
    char text[900] = "";
    if (result->earlier > 0)
        TEXT_ADD(text, "%s from before the trace %s too: where %s ended was not seen.\n",
                 counted(result->earlier, "connection").text,
                 one_or_many(result->earlier, "lingers", "linger"),
                 one_or_many(result->earlier, "that one", "those"));
    if (result->lost > 0)
        TEXT_ADD(text,
                 "%s came too fast to be read: connections and calls may be missing here. Trace it under "
                 "less load.\n",
                 counted(result->lost, "call").text);
    if (result->unknown > 0)
        TEXT_ADD(text, "What became of %s is not known.\n", counted(result->unknown, "connection").text);
    if (result->unplaced > 0)
        TEXT_ADD(text, "Where %s %s made is not known.\n", counted(result->unplaced, "call").text,
                 one_or_many(result->unplaced, "was", "were"));
    if (text[0] != '\0')
        wrap_print(out, text, 0, TEXT_WIDTH);
}

int live_trace_print(FILE *out, const struct live_trace_report *report)
{
    const struct audit_trace trace = parting_of(report);
    say_counts(out, report);
    if (report->result->report.count > 0)
        parting_print(out, &trace, 2);
    say_unseen(out, report->result);
    return output_flush(out);
}

int live_trace_print_json(FILE *out, const struct live_trace_report *report)
{
    const struct live_result *result = report->result;
    const struct audit_trace trace = parting_of(report);
    struct json_writer w = {.out = out};
    json_event_open(&w, JSON_TRACE);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_integer(&w, "pid", report->pid);
    json_string(&w, "command", report->command.text);
    if (report->service.kind != CGROUP_NONE)
        json_string(&w, "service", report->service.text);
    json_number(&w, "traced_s", (double)report->traced_ms / 1e3);
    json_integer(&w, "accepted", result->report.count);
    json_integer(&w, "closed", result->closed);
    json_integer(&w, "open", result->open);
    json_integer(&w, "lingering", result->lingering);
    json_number(&w, "lingering_s", (double)result->lingering_ms / 1e3);
    json_integer(&w, "lingering_earlier", result->earlier);
    json_integer(&w, "unknown", result->unknown);
    json_integer(&w, "lost_calls", result->lost);
    json_integer(&w, "calls_without_place", result->unplaced);
    parting_put_json(&w, &trace);
    json_close(&w, '}');
    json_end_line(&w);
    return output_flush(out);
}
