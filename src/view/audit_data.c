/* audit_data: an audit for scripts: JSON, CSV. */
#include "base/json_writer.h"
#include "base/printable.h"
#include "base/version.h"
#include "view/audit_view.h"
#include "view/json_events.h"
#include "view/parting_view.h"
#include "view/view.h"

#include <inttypes.h>
#include <sys/wait.h>

static void put_times(struct json_writer *w, const struct audit_result *result)
{
    const struct {
        const char *name;
        int64_t us;
    } times[] = {
        {"p50", result->p50_us}, {"p90", result->p90_us}, {"p99", result->p99_us}, {"max", result->max_us}};
    json_open(w, "close_s", '{');
    for (size_t i = 0; result->max_us >= 0 && i < sizeof times / sizeof times[0]; i++)
        json_number(w, times[i].name, (double)times[i].us / 1e6);
    json_close(w, '}');
}

static void put_counts(struct json_writer *w, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    json_open(w, "classes", '{');
    for (int class = 0; class < CLASS_COUNT; class ++)
        json_integer(w, audit_class_name((enum audit_class) class), result->by_class[class]);
    json_close(w, '}');
    json_open(w, "groups", '{');
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++)
        json_integer(w, audit_group_name((enum audit_group)group), result->by_group[group]);
    json_close(w, '}');
    json_open(w, "rounds", '[');
    for (int round = 0; round < result->rounds; round++) {
        json_open(w, NULL, '{');
        json_integer(w, "held", result->held_after[round]);
        json_integer(w, "held_to_the_end", result->held_to_the_end[round]);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_status(struct json_writer *w, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        json_integer(w, "signal", WTERMSIG(wait_status));
    else
        json_integer(w, "status", WEXITSTATUS(wait_status));
}

static void put_ending(struct json_writer *w, const struct audit_ending *ending)
{
    json_open(w, "ended", '{');
    json_integer(w, "pid", ending->pid);
    if (ending->is_status_known)
        put_status(w, ending->status);
    json_close(w, '}');
}

static void put_server(struct json_writer *w, const struct audit_result *result)
{
    json_open(w, "server", '{');
    json_boolean(w, "is_here", result->server_is_here);
    if (result->listener > 0) {
        json_integer(w, "pid", result->listener);
        json_string(w, "command", result->listener_command);
    }
    if (result->ghost_sight == GHOSTS_SEEN)
        json_integer(w, "ghosts", result->ghosts);
    if (result->ghost_sight == GHOSTS_SEEN)
        json_integer(w, "unseen_processes", result->unseen_kin);
    if (result->fate == FATE_ENDED || result->fate == FATE_CRASHED)
        put_ending(w, &result->ending);
    json_close(w, '}');
}

/* Of --run. */
static void put_program(struct json_writer *w, const struct audit_program_end *program)
{
    if (!program->was_started)
        return;
    json_open(w, "program", '{');
    json_boolean(w, "ended", program->has_ended);
    if (program->has_ended)
        put_status(w, program->wait_status);
    json_close(w, '}');
}

/* Of orders that compare, or ask again. */
static void put_requests(struct json_writer *w, const struct audit_report *report)
{
    const struct audit_order_row *order = audit_order_row(report->settings->order);
    const struct audit_result *result = report->result;
    if (order->fin_with_request && result->reply_bytes >= 0)
        json_integer(w, "reply_bytes", result->reply_bytes);
    if (result->idle_us >= 0)
        json_number(w, "idle_timeout_s", (double)result->idle_us / 1e6);
    if (report->settings->expect_idle_ms > 0)
        json_number(w, "expected_idle_timeout_s", (double)report->settings->expect_idle_ms / 1e3);
    if (order->never_reads)
        json_integer(w, "orphans", result->orphans);
    if (!order->asks_again && !order->asks_late)
        return;
    json_open(w, "later_requests", '{');
    json_integer(w, "sent", result->later.sent);
    json_integer(w, "answered", result->later.answered);
    json_integer(w, "lost", result->later.lost);
    json_integer(w, "silent", result->later.silent);
    json_integer(w, "not_kept_alive", result->later.not_kept);
    json_close(w, '}');
}

int audit_print_json(FILE *out, const struct audit_report *report)
{
    struct json_writer w = {.out = out};
    const struct audit_settings *settings = report->settings;
    json_event_open(&w, JSON_AUDIT);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_string(&w, "target", settings->target);
    json_string(&w, "order", audit_order_names[settings->order]);
    json_boolean(&w, "tls", settings->tls != NULL);
    json_integer(&w, "conns", settings->conns);
    json_integer(&w, "repeat", settings->repeat);
    json_number(&w, "grace_s", (double)settings->grace_ms / 1e3);
    json_number(&w, "elapsed_s", report->result->elapsed_s);
    put_counts(&w, report);
    put_times(&w, report->result);
    put_server(&w, report->result);
    put_program(&w, &report->program);
    put_requests(&w, report);
    if (report->result->growth.rounds > 0)
        audit_put_stock(&w, &report->result->growth);
    json_integer(&w, "audited", report->result->audited);
    json_string(&w, "outcome", audit_outcome_name(report->outcome));
    if (report->outcome <= AUDIT_LOSES || report->outcome == AUDIT_OFF_TIME) /* else nothing is said of it */
        json_boolean(&w, "leaks", report->outcome == AUDIT_LEAKS);
    json_string(&w, "verdict", audit_verdict_of(report).text);
    json_boolean(&w, "traced", report->trace != NULL);
    if (report->trace != NULL)
        parting_put_json(&w, report->trace);
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}

const struct csv_column audit_columns[] = {
    {"order", "",
     "what the client did to the connection (`--order`); this column is there only with several orders"},
    {"round", "", "the round of `--repeat`, from 1 on"},
    {"port", "", "the port of the client's end; 0 if it never had one"},
    {"class", "", "the class of the connection, as in [tcpstorm-audit(1)](tcpstorm-audit.1.md)"},
    {"before_act", "", "1 if the connection ended before the client did anything to it, otherwise 0"},
    {"close_s", "s", "time from what the client did to the server's FIN or RST; empty if that was not seen"},
    {"bytes", "bytes", "bytes that the client received"},
    {"group", "", "the group of a connection that is held, as in the same page; otherwise `none`"},
    {"server_state", "", "the state of the server's end; empty if it was not seen, or is a Unix socket"},
    {"recv_q", "bytes",
     "bytes that the server's end has received and the server has not read; an end of file counts as one"},
    {"owner", "", "the process that holds the server's end; 0 if it is not known"},
    {"command", "", "the name of that process"},
    {"held_to_the_end", "", "1 if the connection was still held at the end of the last round, otherwise 0"},
    {NULL, NULL, NULL},
};

void audit_put_csv_row(FILE *out, const struct audit_connection *connection, bool has_states)
{
    fprintf(out, "%d,%u,%s,%d,", connection->round + 1, connection->port, audit_class_name(connection->class),
            connection->before_act);
    if (connection->close_us >= 0)
        fprintf(out, "%.6f", (double)connection->close_us / 1e6);
    fprintf(out, ",%" PRId64 ",%s,%s,%u,%d,", connection->bytes, audit_group_name(connection->group),
            connection->server_seen && has_states ? tcp_state_name(connection->server_state) : "",
            connection->unread, (int)connection->owner);
    printable_put_csv(out, connection->command);
    fprintf(out, ",%d\n", connection->held_to_the_end);
}

int audit_print_csv(FILE *out, const struct audit_report *report)
{
    csv_put_header(out, audit_columns + 1);
    for (int64_t i = 0; i < report->result->count; i++)
        audit_put_csv_row(out, &report->result->connections[i], !audit_is_unix(report->settings));
    return view_flush(out);
}
