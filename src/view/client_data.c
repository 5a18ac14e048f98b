/* client_data: the audit of a client for scripts: JSON, CSV. */
#include "base/json_writer.h"
#include "base/version.h"
#include "view/audit_view.h"
#include "view/client_view.h"
#include "view/json_events.h"
#include "view/view.h"

#include <sys/wait.h>

static void put_counts(struct json_writer *w, const struct audit_result *result)
{
    json_open(w, "classes", '{');
    for (int class = 0; class < CLASS_COUNT; class ++)
        json_integer(w, audit_class_name((enum audit_class) class), result->by_class[class]);
    json_close(w, '}');
    json_open(w, "groups", '{');
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++)
        json_integer(w, audit_group_name((enum audit_group)group), result->by_group[group]);
    json_close(w, '}');
}

static void put_times(struct json_writer *w, const struct audit_result *result)
{
    json_open(w, "close_s", '{');
    if (result->max_us >= 0) {
        json_number(w, "p50", (double)result->p50_us / 1e6);
        json_number(w, "p90", (double)result->p90_us / 1e6);
        json_number(w, "p99", (double)result->p99_us / 1e6);
        json_number(w, "max", (double)result->max_us / 1e6);
    }
    json_close(w, '}');
}

static void put_client(struct json_writer *w, const struct client_report *report)
{
    const struct client_result *result = report->result;
    json_open(w, "client", '{');
    json_boolean(w, "is_here", result->audit.server_is_here);
    if (result->client > 0) {
        json_integer(w, "pid", result->client);
        json_string(w, "command", result->client_command);
    }
    if (result->has_ended && WIFEXITED(report->program->wait_status))
        json_integer(w, "status", WEXITSTATUS(report->program->wait_status));
    else if (result->has_ended && WIFSIGNALED(report->program->wait_status))
        json_integer(w, "signal", WTERMSIG(report->program->wait_status));
    json_close(w, '}');
}

int client_print_json(FILE *out, const struct client_report *report)
{
    struct json_writer w = {.out = out};
    const struct audit_settings *settings = &report->settings->audit;
    const struct client_result *result = report->result;
    json_event_open(&w, JSON_CLIENT_AUDIT);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_string(&w, "as_server", settings->target);
    json_string(&w, "order", server_manner_names[report->settings->manner]);
    json_integer(&w, "conns", result->audit.count);
    json_number(&w, "grace_s", (double)settings->grace_ms / 1e3);
    json_number(&w, "elapsed_s", result->audit.elapsed_s);
    put_counts(&w, &result->audit);
    put_times(&w, &result->audit);
    json_integer(&w, "at_exit", result->at_exit);
    json_integer(&w, "unplayed", result->unplayed);
    json_integer(&w, "before_act", result->audit.before_act);
    json_integer(&w, "audited", result->audit.audited);
    put_client(&w, report);
    json_string(&w, "outcome", audit_outcome_name(report->outcome));
    if (report->outcome == AUDIT_LEAKS || report->outcome == AUDIT_CLOSES) /* else nothing is said of it */
        json_boolean(&w, "leaks", report->outcome == AUDIT_LEAKS);
    json_string(&w, "verdict", client_verdict_of(report).text);
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}

int client_print_csv(FILE *out, const struct client_report *report)
{
    const struct audit_report same = {.settings = &report->settings->audit, .result = &report->result->audit};
    return audit_print_csv(out, &same);
}
