/* proxy_data: the audit of a proxy for scripts: JSON, CSV, JUnit. */
#include "base/json_writer.h"
#include "base/printable.h"
#include "base/version.h"
#include "view/json_events.h"
#include "view/proxy_view.h"
#include "view/view.h"
#include "view/xml_text.h"

#include <inttypes.h>

/* ---- JSON ---- */

static void put_heard(struct json_writer *w, const char *key, const struct proxy_cell *cell,
                      enum proxy_side side)
{
    json_open(w, key, '{');
    for (int heard = 0; heard < HEARD_COUNT; heard++)
        json_integer(w, proxy_heard_name((enum proxy_heard)heard), cell->heard[side][heard]);
    json_integer(w, "early", cell->early[side]);
    json_close(w, '}');
}

static void put_cell(struct json_writer *w, const struct proxy_report *report, enum proxy_manner client,
                     enum proxy_manner backend)
{
    const struct proxy_cell *cell = proxy_cell_of(report->result, client, backend);
    json_open(w, NULL, '{');
    json_string(w, "client", proxy_manner_name(client));
    json_string(w, "backend", proxy_manner_name(backend));
    json_integer(w, "conns", cell->count);
    json_integer(w, "passed", cell->passed);
    put_heard(w, "backend_heard", cell, PROXY_BACK);
    put_heard(w, "client_heard", cell, PROXY_FRONT);
    json_integer(w, "answered", cell->answered);
    if (report->settings->http_path != NULL)
        json_integer(w, "replied", cell->replied);
    json_integer(w, "lost", cell->lost);
    json_integer(w, "held_front", cell->held[PROXY_FRONT]);
    json_integer(w, "held_back", cell->held[PROXY_BACK]);
    json_integer(w, "one_sided", cell->one_sided);
    json_close(w, '}');
}

static void put_sums(struct json_writer *w, const struct proxy_result *result)
{
    json_open(w, "classes", '{');
    for (int class = 0; class < PAIR_CLASS_COUNT; class ++)
        json_integer(w, proxy_pair_class_name((enum proxy_pair_class) class), result->by_class[class]);
    json_close(w, '}');
    json_open(w, "held", '{');
    for (int hold = HOLD_NONE + 1; hold < HOLD_COUNT; hold++)
        json_integer(w, proxy_hold_name((enum proxy_hold)hold), result->by_hold[hold]);
    json_close(w, '}');
    json_integer(w, "lost", result->lost);
    json_integer(w, "one_sided", result->one_sided);
    json_integer(w, "strangers", result->strangers);
    json_integer(w, "retried", result->retried);
    json_integer(w, "pooled", result->pooled);
    json_integer(w, "reused", result->reused);
}

static void put_proxy(struct json_writer *w, const struct proxy_result *result)
{
    json_open(w, "proxy", '{');
    json_boolean(w, "is_here", result->is_here);
    if (result->listener > 0) {
        json_integer(w, "pid", result->listener);
        json_string(w, "command", result->listener_command);
    }
    if (result->answer[0] != '\0')
        json_string(w, "answer", result->answer);
    json_close(w, '}');
}

int proxy_print_json(FILE *out, const struct proxy_report *report)
{
    struct json_writer w = {.out = out};
    const struct proxy_settings *settings = report->settings;
    json_event_open(&w, JSON_PROXY_AUDIT);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_string(&w, "through", settings->front_text);
    json_string(&w, "as_backend", settings->back_text);
    if (settings->http_path != NULL)
        json_string(&w, "http", settings->http_path);
    json_integer(&w, "conns", settings->conns);
    json_number(&w, "grace_s", (double)settings->grace_ms / 1e3);
    json_number(&w, "elapsed_s", report->result->elapsed_s);
    json_open(&w, "cells", '[');
    for (int client = 0; client < MANNER_COUNT; client++)
        for (int backend = 0; backend < MANNER_COUNT; backend++)
            put_cell(&w, report, (enum proxy_manner)client, (enum proxy_manner)backend);
    json_close(&w, ']');
    put_sums(&w, report->result);
    put_proxy(&w, report->result);
    json_string(&w, "outcome", proxy_outcome_name(report->outcome));
    json_string(&w, "verdict", proxy_verdict_of(report).text);
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}

/* ---- CSV ---- */

const struct csv_column proxy_columns[] = {
    {"client", "",
     "how tcpstorm's client ends the connection: `close`, `half_close`, `abort`, or `stays` if it does "
     "nothing"},
    {"backend", "", "how tcpstorm's backend ends it, with the same words"},
    {"class", "",
     "`passed` if the client reached the backend; otherwise what happened: `refused`, `unanswered`, "
     "`ended_early`, `no_backend`, `failed` or `unknown`"},
    {"front_heard", "",
     "what the client received when the backend ended, before it ended itself: `nothing`, `fin` or `rst`"},
    {"front_early", "",
     "1 if it received that before the backend had done anything: the proxy did it by itself"},
    {"front_sent", "bytes", "bytes that the client sent"},
    {"front_received", "bytes", "bytes that the client received"},
    {"front_state", "",
     "the state of the proxy's end while the client's was still open; empty if it was not seen"},
    {"front_held", "",
     "what the proxy holds after client and backend have gone: `none`, `socket`, `never_accepted`, `ghost`, "
     "or `from_afar` if the client's end still waits for the proxy's FIN"},
    {"front_held_state", "", "the state of a `socket`"},
    {"front_recv_q", "bytes",
     "bytes that the socket has received and the proxy has not read; an end of file counts as one"},
    {"front_owner", "", "the process that holds it; 0 if it is not known"},
    {"front_command", "", "the name of that process"},
    {"back_heard", "", "the same for the connection between the proxy and the backend"},
    {"back_early", "", NULL},
    {"back_sent", "", NULL},
    {"back_received", "", NULL},
    {"back_state", "", NULL},
    {"back_held", "", NULL},
    {"back_held_state", "", NULL},
    {"back_recv_q", "", NULL},
    {"back_owner", "", NULL},
    {"back_command", "", NULL},
    {"lost", "", "1 if data did not arrive although its sender ended with a FIN"},
    {"one_sided", "", "1 if one end has gone, and the proxy keeps the other end, which has not noticed"},
    {NULL, NULL, NULL},
};

static void put_leg(FILE *out, const struct proxy_leg *leg)
{
    fprintf(out, ",%s,%d,%" PRId64 ",%" PRId64 ",%s,%s,%s,%u,%d,", proxy_heard_name(leg->heard),
            leg->heard_early, leg->sent, leg->received, leg->was_seen ? tcp_state_name(leg->state) : "",
            proxy_hold_name(leg->hold), leg->hold == HOLD_SOCKET ? tcp_state_name(leg->held_state) : "",
            leg->unread, (int)leg->owner);
    printable_put_csv(out, leg->command);
}

int proxy_print_csv(FILE *out, const struct proxy_report *report)
{
    csv_put_header(out, proxy_columns);
    for (int64_t i = 0; i < report->result->count; i++) {
        const struct proxy_pair_result *pair = &report->result->pairs[i];
        fprintf(out, "%s,%s,%s", proxy_manner_name(pair->manner[PROXY_FRONT]),
                proxy_manner_name(pair->manner[PROXY_BACK]), proxy_pair_class_name(pair->class));
        for (int side = 0; side < PROXY_SIDES; side++)
            put_leg(out, &pair->leg[side]);
        fprintf(out, ",%d,%d\n", pair->is_lost[PROXY_FRONT] || pair->is_lost[PROXY_BACK], pair->is_one_sided);
    }
    return view_flush(out);
}

/* ---- JUnit ---- */

static bool is_void(const struct proxy_report *report, const struct proxy_cell *cell)
{
    return cell->passed == 0 || report->outcome == PROXY_NO_VERDICT || report->outcome == PROXY_INTERRUPTED ||
           report->outcome == PROXY_ENDED;
}

static void count_cells(const struct proxy_report *report, int *failures, int *errors)
{
    *failures = *errors = 0;
    for (int i = 0; i < PROXY_CELLS; i++) {
        const struct proxy_cell *cell = &report->result->cells[i / MANNER_COUNT][i % MANNER_COUNT];
        bool fails = proxy_cell_fault(cell).text[0] != '\0';
        *failures += fails;
        *errors += !fails && is_void(report, cell);
    }
}

static void put_case(FILE *out, const struct proxy_report *report, enum proxy_manner client,
                     enum proxy_manner backend)
{
    const struct proxy_cell *cell = proxy_cell_of(report->result, client, backend);
    struct proxy_cell_text fault = proxy_cell_fault(cell);
    fprintf(out, "  <testcase classname=\"");
    xml_put_text(out, report->settings->front_text);
    fprintf(out, "\" name=\"client %s, backend %s\" time=\"0\">\n", proxy_manner_name(client),
            proxy_manner_name(backend));
    if (fault.text[0] != '\0') {
        fputs("    <failure>", out);
        xml_put_text(out, fault.text);
        fputs("</failure>\n", out);
    } else if (is_void(report, cell)) {
        fputs("    <error>", out);
        xml_put_text(out, proxy_verdict_of(report).text);
        fputs("</error>\n", out);
    }
    fputs("  </testcase>\n", out);
}

int proxy_print_junit(FILE *out, const struct proxy_report *report)
{
    int failures, errors;
    count_cells(report, &failures, &errors);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tcpstorm audit --through\" "
            "tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n",
            PROXY_CELLS, failures, errors, report->result->elapsed_s);
    for (int client = 0; client < MANNER_COUNT; client++)
        for (int backend = 0; backend < MANNER_COUNT; backend++)
            put_case(out, report, (enum proxy_manner)client, (enum proxy_manner)backend);
    fputs("</testsuite>\n", out);
    return view_flush(out);
}
