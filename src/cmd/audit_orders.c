#include "cmd/audit_orders.h"

#include "audit/audit.h"
#include "base/diag.h"
#include "base/nearest.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/stop_signals.h"
#include "cause/audit_causes.h"
#include "cmd/audit_program.h"
#include "cmd/audit_tracing.h"
#include "cmd/command.h"
#include "kernel/host_limits.h"
#include "kernel/packet_drop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEVER_MS = INT32_MAX };

/* ---- which ones ---- */

static int order_named(const char *name, size_t length)
{
    for (int i = 0; i < AUDIT_ORDER_COUNT; i++)
        if (strlen(audit_order_names[i]) == length && memcmp(audit_order_names[i], name, length) == 0)
            return i;
    return -1;
}

static bool has_order(const struct audit_order_list *list, enum audit_order order)
{
    for (int i = 0; i < list->count; i++)
        if (list->each[i] == order)
            return true;
    return false;
}

static const char *order_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

/* A sentence has no room for all of their names. */
static int refuse(const char *name, size_t length, char *why, size_t why_size)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *meant = nearest_word(word, order_at, audit_order_names);
    if (meant != NULL)
        snprintf(why, why_size, "there is no order \"%s\": did you mean %s? (separate several with commas)",
                 word, meant);
    else
        snprintf(why, why_size,
                 "there is no order \"%s\": must be half-close, idle or another from the man page, several "
                 "separated by commas, or all",
                 word);
    return -EINVAL;
}

int audit_orders_parse(const char *text, void *target, char *why, size_t why_size)
{
    struct audit_order_list *list = target;
    list->count = 0;
    list->is_all = strcmp(text, "all") == 0;
    for (int i = 0; list->is_all && i < AUDIT_ORDER_COUNT; i++)
        list->each[list->count++] = (enum audit_order)i;
    while (!list->is_all) {
        size_t length = strcspn(text, ",");
        int order = order_named(text, length);
        if (order < 0)
            return refuse(text, length, why, why_size);
        if (has_order(list, (enum audit_order)order)) {
            snprintf(why, why_size, "%s is in it twice", audit_order_names[order]);
            return -EINVAL;
        }
        list->each[list->count++] = (enum audit_order)order;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    return 0;
}

/* ---- what they need ---- */

/* What is made of segments has none to make on a Unix socket, and no window closes there. */
static bool suits(const struct audit_order_row *row, const struct audit_settings *settings)
{
    bool is_of_tcp = row->act == ACT_ABORT || row->act == ACT_DROP || row->never_reads;
    return !audit_is_unix(settings) || !is_of_tcp;
}

/* Returns why the order cannot be played, for a list of all; NULL: it can. */
static const char *lack_of(enum audit_order order, const struct audit_settings *settings,
                           bool has_every_right)
{
    const struct audit_order_row *row = audit_order_row(order);
    if (!suits(row, settings))
        return "is about TCP";
    if (row->needs_tls && settings->tls == NULL)
        return "needs --tls";
    if (row->stops_in_handshake && settings->request != NULL)
        return "stops in the handshake, before a request";
    if (row->needs_request != NULL && settings->request == NULL)
        return "needs --http or --send";
    if (row->sends_half && settings->request_length < 2)
        return "needs a request of two bytes or more";
    if (row->act == ACT_DROP && !has_every_right)
        return "needs the right to filter packets: --order vanish";
    if (row->act == ACT_CLOSE && settings->grace_ms >= settings->fin_timeout_ms)
        return "needs a --grace that is less than net.ipv4.tcp_fin_timeout";
    return NULL;
}

static void leave_out(struct audit_order_list *list, int at, const char *why)
{
    list->untried[list->untried_count++] = (struct audit_untried){list->each[at], why};
    memmove(&list->each[at], &list->each[at + 1], (size_t)(list->count - at - 1) * sizeof list->each[0]);
    list->count--;
}

static void leave_out_what_lacks(struct audit_order_list *list, const struct audit_settings *settings,
                                 bool has_every_right)
{
    for (int i = 0; i < list->count;)
        if (lack_of(list->each[i], settings, has_every_right) != NULL)
            leave_out(list, i, lack_of(list->each[i], settings, has_every_right));
        else
            i++;
}

/* Of an order that was named. */
static int check_order(enum audit_order order, const struct audit_settings *settings)
{
    const struct audit_order_row *row = audit_order_row(order);
    const char *name = audit_order_names[order];
    if (!suits(row, settings))
        diag_error("--order \"%s\": a Unix socket has no RST and no window, and loses nothing: must be "
                   "half-close, client-first, idle, never-close or eof-with-request",
                   name);
    else if (row->needs_tls && settings->tls == NULL)
        diag_error("--order \"%s\" needs --tls: it is about what TLS adds to a FIN", name);
    else if (row->stops_in_handshake && settings->request != NULL)
        diag_error("--order \"%s\": it stops in the handshake, and cannot be used with --send or --http",
                   name);
    else if (row->needs_request != NULL && settings->request == NULL)
        diag_error("--order %s needs --send FILE or --http PATH: %s", name, row->needs_request);
    else if (row->sends_half && settings->request_length < 2)
        diag_error("--order %s needs a request of two bytes or more: %s", name, row->needs_request);
    else if (row->act == ACT_CLOSE && settings->grace_ms >= settings->fin_timeout_ms)
        diag_error("--grace \"%s\": with %s it must be less than net.ipv4.tcp_fin_timeout, %s, after which "
                   "the kernel forgets the client's end: use --order half-close",
                   duration_text(settings->grace_ms).text, name,
                   duration_text(settings->fin_timeout_ms).text);
    else
        return EXIT_AS_EXPECTED;
    return EXIT_USAGE;
}

/* Whether the order comes to know when the server closes idle clients. */
static bool times_idle(enum audit_order order)
{
    return order == AUDIT_IDLE || audit_order_row(order)->asks_late;
}

static int check_idle_timeout(const struct audit_order_list *list, const struct audit_settings *settings)
{
    int timing = 0;
    for (int i = 0; i < list->count; i++)
        timing += times_idle(list->each[i]);
    if (settings->expect_idle_ms == 0)
        return EXIT_AS_EXPECTED;
    const struct number_text expected = duration_text(settings->expect_idle_ms);
    if (timing == 0)
        diag_error("--expect-idle-timeout \"%s\" needs --order idle or late-request: they measure when the "
                   "server closes idle clients",
                   expected.text);
    else if (settings->grace_ms <= settings->expect_idle_ms)
        diag_error("--expect-idle-timeout \"%s\": --grace must be longer than that, but is %s", expected.text,
                   duration_text(settings->grace_ms).text);
    else
        return EXIT_AS_EXPECTED;
    return EXIT_USAGE;
}

int audit_orders_check(struct audit_options *options)
{
    struct audit_order_list *list = &options->orders;
    struct host_limits limits;
    host_limits_read(&limits);
    options->settings.fin_timeout_ms = audit_is_unix(&options->settings) ? NEVER_MS : limits.fin_timeout_ms;
    if (list->is_all)
        leave_out_what_lacks(list, &options->settings, options->isolation.wanted);
    for (int i = 0; i < list->count; i++) {
        int code = check_order(list->each[i], &options->settings);
        if (code != EXIT_AS_EXPECTED)
            return code;
    }
    return check_idle_timeout(list, &options->settings);
}

/* In the network where the clients will be. */
static int check_rights(const struct audit_order_list *list)
{
    bool filters = false;
    for (int i = 0; i < list->count; i++)
        filters |= audit_order_row(list->each[i])->act == ACT_DROP;
    int rc = filters ? packet_drop_probe() : 0;
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    diag_error("--order vanish needs the right to filter packets (%s): run this as root, or start the server "
               "in a network namespace of its own with --isolate and --run",
               strerror(-rc));
    return EXIT_MACHINE;
}

/* ---- one of them ---- */

struct played {
    struct audit_settings settings;
    struct audit_result result;
    struct cause_names of_group[GROUP_COUNT], of_growth, of_resets, of_losses;
    struct audit_trace trace;
};

static void on_progress(void *context, const char *doing, int64_t done, int64_t total)
{
    (void)context;
    diag_progress("audit: %s of %s %s", grouped(done).text, grouped(total).text, doing);
}

static void tell_failure(const struct audit_settings *settings, int rc)
{
    if (rc == -ENOENT)
        diag_error("--order \"%s\": %s is not an address of this network namespace, and what a server does "
                   "after an RST shows on its own machine only: must be half-close, client-first or idle",
                   audit_order_names[settings->order], address_text(&settings->address).text);
    else
        diag_error("the audit could not be made: %s", strerror(-rc));
}

/* Of a server that is traced: what the tracer has seen. Returns 0 or -ENOMEM. */
static int compare(struct played *played, struct number_set *earlier, struct audit_report *report)
{
    report->trace = &played->trace;
    if (!played->trace.is_there)
        return 0;
    return audit_trace_compare(&played->trace, &played->result, &played->settings, earlier);
}

static void free_played(struct played *played)
{
    audit_free(&played->result);
    audit_trace_free(&played->trace);
}

/* Returns 0, or the negative errno of audit_run(). */
static int play(enum audit_order order, struct audit_options *options, struct number_set *earlier,
                struct played *played, struct audit_report *report)
{
    struct audit_tracing tracing = {.tracer = &options->tracer, .trace = &played->trace};
    played->settings = options->settings;
    if (options->traces) {
        played->settings.on_decided = audit_tracing_ask;
        played->settings.decided_context = &tracing;
        played->settings.is_slowed = true;
    }
    played->settings.order = order;
    if (!times_idle(order))
        played->settings.expect_idle_ms = 0;
    *report = (struct audit_report){.settings = &played->settings, .result = &played->result};
    int rc = audit_run(&played->settings, diag_is_terminal() ? on_progress : NULL, NULL, &played->result);
    diag_progress_clear();
    if (rc == 0 && audit_tracing_has_failed(options) && played->result.failure == NULL) {
        played->result.failure = "the tracer ended, and with it the server";
        played->result.failure_error = ESRCH;
    }
    if (rc == 0 && options->traces)
        rc = compare(played, earlier, report);
    played->settings.decided_context = NULL;
    if (rc != 0) {
        free_played(played);
        return rc;
    }
    for (int group = 0; group < GROUP_COUNT; group++) {
        played->of_group[group] = causes_of_group((enum audit_group)group, &played->result,
                                                  audit_order_row(order)->act == ACT_ABORT);
        report->causes[group] = played->of_group[group].text;
    }
    played->of_growth = causes_of_growth(&played->result);
    report->growth_causes = played->of_growth.text;
    played->of_resets = causes_of_losses(true);
    played->of_losses = causes_of_losses(false);
    report->reset_causes = played->of_resets.text;
    report->loss_causes = played->of_losses.text;
    report->outcome = audit_outcome_of(&played->result, &played->settings);
    return 0;
}

/* ---- all of them ---- */

static const enum exit_code code_of[] = {
    [AUDIT_CLOSES] = EXIT_AS_EXPECTED,      [AUDIT_LEAKS] = EXIT_DIFFERS,
    [AUDIT_LOSES] = EXIT_DIFFERS,           [AUDIT_ENDED] = EXIT_DIFFERS,
    [AUDIT_OFF_TIME] = EXIT_DIFFERS,        [AUDIT_NO_VERDICT] = EXIT_MACHINE,
    [AUDIT_INTERRUPTED] = EXIT_INTERRUPTED,
};

/* What is wrong with the server comes before what is not known of it. */
static int rank_of(enum audit_outcome outcome)
{
    const enum exit_code code = code_of[outcome];
    return code == EXIT_INTERRUPTED ? 3 : code == EXIT_DIFFERS ? 2 : code == EXIT_MACHINE ? 1 : 0;
}

/* Why no further order is played behind this one; NULL: on. */
static const char *end_behind(const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    bool is_refused = result->count > 0 && result->by_class[CLASS_REFUSED] == result->count;
    return report->outcome == AUDIT_INTERRUPTED ? "interrupted before"
           : report->outcome == AUDIT_ENDED     ? "the server had ended"
           : is_refused                         ? "nobody listens"
                                                : NULL;
}

/* The first sentence, for those who see no summary. */
static void tell_no_verdict(const struct audit_report *report, bool is_one_of_several)
{
    struct audit_verdict verdict = audit_verdict_of(report);
    if (report->outcome != AUDIT_NO_VERDICT)
        return;
    diag_error("%s%s%.*s", is_one_of_several ? audit_order_names[report->settings->order] : "",
               is_one_of_several ? ": " : "", (int)strcspn(verdict.text, "\n"), verdict.text);
}

/* Returns 0 or a negative errno: then one of several was not played, and why has been told. */
static int play_each(struct audit_options *options, struct program *program, struct played *played,
                     struct audit_report *reports, struct audit_series *series)
{
    struct audit_order_list *list = &options->orders;
    const char *over = NULL;
    struct number_set earlier = {.count = 0};
    int rc = 0;
    for (int at = 0; at < list->count;) {
        if (over == NULL)
            rc = play(list->each[at], options, &earlier, &played[at], &reports[at]);
        if (over == NULL && rc == -ENOENT && list->is_all) {
            leave_out(list, at, "what a server does after an RST shows on its own machine only");
            rc = 0;
        } else if (over != NULL) {
            leave_out(list, at, over);
        } else if (rc != 0) {
            tell_failure(&played[at].settings, rc);
            over = "an earlier order could not be played";
            leave_out(list, at, over);
        } else {
            bool has_gone = played[at].result.fate == FATE_ENDED || played[at].result.fate == FATE_CRASHED;
            audit_program_note_end(program, has_gone, &reports[at].program);
            over = end_behind(&reports[at]);
            series->outcome = rank_of(reports[at].outcome) > rank_of(series->outcome) ? reports[at].outcome
                                                                                      : series->outcome;
            at++;
        }
    }
    number_set_free(&earlier);
    series->count = list->count;
    series->untried = list->untried;
    series->untried_count = list->untried_count;
    return rc;
}

static int play_all(struct audit_options *options, struct program *program, struct played *played,
                    struct audit_report *reports)
{
    struct audit_series series = {.reports = reports, .outcome = AUDIT_CLOSES};
    bool is_series = options->orders.is_all || options->orders.count > 1;
    int rc = play_each(options, program, played, reports, &series);
    int written = 0;
    stop_signals_release(); /* a reader that does not read can be left */
    if (is_series)
        written = audit_results_write_all(options->results, options->quiet, &series);
    else if (series.count == 1)
        written = audit_results_write(options->results, options->quiet, reports);
    for (int i = 0; i < series.count; i++) {
        tell_no_verdict(&reports[i], is_series);
        free_played(&played[i]);
    }
    if (rc != 0 && series.outcome == AUDIT_CLOSES)
        return rc == -ENOENT ? EXIT_USAGE : EXIT_MACHINE;
    return written != 0 && series.outcome != AUDIT_INTERRUPTED ? EXIT_MACHINE : code_of[series.outcome];
}

int audit_orders_play(struct audit_options *options, struct program *program)
{
    int code = check_rights(&options->orders);
    if (code != EXIT_AS_EXPECTED)
        return code;
    struct played *played = calloc(AUDIT_ORDER_COUNT, sizeof *played);
    struct audit_report *reports = calloc(AUDIT_ORDER_COUNT, sizeof *reports);
    if (played != NULL && reports != NULL) {
        code = play_all(options, program, played, reports);
    } else {
        diag_error("out of memory");
        code = EXIT_MACHINE;
    }
    free(played);
    free(reports);
    return code;
}
