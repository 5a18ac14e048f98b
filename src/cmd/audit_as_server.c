#include "cmd/audit_as_server.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "cmd/audit_listen.h"
#include "cmd/audit_request.h"
#include "cmd/audit_results.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "kernel/host_limits.h"
#include "view/client_view.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOUR_MS = 3600 * 1000,
    CONNS_MOST = 100000,
    REQUESTS_MOST = 1000,
    STATUS_LEAST = 200,
    STATUS_MOST = 599,
    RESERVE = 32, /* descriptors that are no connections */
};

struct as_server_options {
    const char *target; /* a server: there is none */
    struct client_settings settings;
    int manner;
    const char *reply;
    bool keep_alive;
    int64_t status;
    struct result_file results[RESULT_COUNT];
    bool allow_remote, quiet;
    char *made; /* owned: the reply */
};

#define SETTING(member) offsetof(struct as_server_options, settings.member)
#define OPTION(member)  offsetof(struct as_server_options, member)

/* cmd_audit.c tells what they are. */
static const struct option_row rows[] = {
    {.name = "as-server", .value = "PORT", .help = "", .kind = OPTION_TEXT, .target = SETTING(audit.target)},
    {.name = "order",
     .value = "HOW",
     .help = "",
     .kind = OPTION_CHOICE,
     .target = OPTION(manner),
     .choices = server_manner_names},
    {.name = "reply", .value = "FILE", .help = "", .kind = OPTION_TEXT, .target = OPTION(reply)},
    {.name = "http", .help = "", .kind = OPTION_FLAG, .target = SETTING(is_http)},
    {.name = "status",
     .value = "CODE",
     .help = "",
     .kind = OPTION_COUNT,
     .target = OPTION(status),
     .min = STATUS_LEAST,
     .max = STATUS_MOST},
    {.name = "keep-alive", .help = "", .kind = OPTION_FLAG, .target = OPTION(keep_alive)},
    {.name = "requests",
     .value = "N",
     .help = "",
     .kind = OPTION_COUNT,
     .target = SETTING(requests),
     .min = 1,
     .max = REQUESTS_MOST},
    {.name = "conns",
     .value = "N",
     .help = "",
     .kind = OPTION_COUNT,
     .target = SETTING(audit.conns),
     .min = 1,
     .max = CONNS_MOST},
    {.name = "grace",
     .value = "TIME",
     .help = "",
     .kind = OPTION_DURATION,
     .target = SETTING(audit.grace_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "until-ready",
     .value = "TIME",
     .help = "",
     .kind = OPTION_DURATION,
     .target = SETTING(until_ready_ms),
     .min = 10,
     .max = HOUR_MS},
    {.name = "allow-remote", .help = "", .kind = OPTION_FLAG, .target = OPTION(allow_remote)},
    {.name = "results", .kind = OPTION_GROUP, .target = OPTION(results), .group = audit_result_rows},
    {.name = "quiet", .help = "", .kind = OPTION_FLAG, .target = OPTION(quiet)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "audit --as-server",
    .help = "tcpstorm audit --help",
    .rows = rows,
    .rules = option_rules,
    .operand = "server",
    .operand_target = OPTION(target),
    .takes_program = true,
    .program_target = SETTING(command),
};

bool audit_as_server_is_meant(int argc, char *const argv[])
{
    return options_name(argc, argv, "as-server");
}

/* ---- the reply ---- */

static int read_reply(struct as_server_options *options)
{
    options->made = audit_read_file("reply", options->reply, &options->settings.reply_length);
    options->settings.reply = options->made;
    return options->made != NULL ? EXIT_AS_EXPECTED : EXIT_USAGE;
}

/* Whether this manner leaves the connection open behind a reply. */
static bool stays_open(enum server_manner manner)
{
    return manner == MANNER_CLOSES_IDLE || manner == MANNER_CLOSES_AFTER_REQUESTS;
}

static int make_http_reply(struct as_server_options *options)
{
    static const char body[] = "Hello, this is tcpstorm.\n";
    bool has_body = options->status != 204 && options->status != 304;
    bool keeps = options->keep_alive || stays_open(options->settings.manner);
    char length[48] = "";
    if (has_body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", sizeof body - 1);
    if (asprintf(&options->made,
                 "HTTP/1.1 %d tcpstorm\r\nContent-Type: text/plain\r\n%sConnection: %s\r\n\r\n%s",
                 (int)options->status, length, keeps ? "keep-alive" : "close", has_body ? body : "") < 0) {
        options->made = NULL;
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    options->settings.reply = options->made;
    options->settings.reply_length = strlen(options->made);
    return EXIT_AS_EXPECTED;
}

static int take_reply(struct as_server_options *options)
{
    const struct server_manner_row *manner = server_manner_row(options->settings.manner);
    if (options->reply != NULL)
        return read_reply(options);
    if (options->settings.is_http)
        return make_http_reply(options);
    if (manner->moment != WHEN_REPLIED)
        return EXIT_AS_EXPECTED;
    diag_error("--order %s needs --http or --reply FILE: %s", server_manner_names[options->settings.manner],
               manner->means);
    return EXIT_USAGE;
}

/* ---- what goes together ---- */

static int take_place(struct as_server_options *options)
{
    struct audit_settings *settings = &options->settings.audit;
    if (options->target != NULL) {
        diag_error("audit \"%s\": --as-server audits a client, so no server can be given", options->target);
        return EXIT_USAGE;
    }
    const struct audit_listen wish = {.option = "as-server",
                                      .text = settings->target,
                                      .family = AF_INET,
                                      .allow_remote = options->allow_remote};
    return audit_listen_take(&wish, &settings->address, &settings->port);
}

static int check_limits(struct client_settings *settings)
{
    struct host_limits limits;
    host_limits_read(&limits);
    settings->audit.fin_timeout_ms = limits.fin_timeout_ms;
    if (audit_order_row(settings->audit.order)->tables_tell &&
        settings->audit.grace_ms >= limits.fin_timeout_ms) {
        diag_error("--grace \"%s\": with --order %s it must be less than net.ipv4.tcp_fin_timeout, %s, after "
                   "which the kernel forgets our end",
                   duration_text(settings->audit.grace_ms).text, server_manner_names[settings->manner],
                   duration_text(limits.fin_timeout_ms).text);
        return EXIT_USAGE;
    }
    if (settings->audit.conns > limits.nofile_hard - RESERVE) {
        diag_error("--conns \"%s\": it needs as many descriptors, and this process may have %s: raise the "
                   "hard limit (ulimit -Hn) or lower --conns",
                   grouped(settings->audit.conns).text, grouped(limits.nofile_hard).text);
        return EXIT_MACHINE;
    }
    return EXIT_AS_EXPECTED;
}

/* ---- the audit ---- */

static void on_progress(void *context, const char *doing, int64_t done, int64_t total)
{
    (void)context;
    diag_progress("audit: %s of %s %s", grouped(done).text, grouped(total).text, doing);
}

/* Returns 0, or -1 after telling. */
static int write_results(struct as_server_options *options, const struct client_report *report)
{
    static int (*const print[RESULT_COUNT])(FILE *, const struct client_report *) = {
        [RESULT_CSV] = client_print_csv,
        [RESULT_JSON] = client_print_json,
        [RESULT_JUNIT] = client_print_junit};
    bool failed = false;
    FILE *text = audit_results_use_stdout(options->results) ? stderr : stdout;
    for (int i = 0; i < RESULT_COUNT; i++)
        if (options->results[i].out != NULL)
            failed |=
                audit_result_close(&options->results[i], print[i](options->results[i].out, report)) != 0;
    int rc = options->quiet ? 0 : client_print_text(text, report);
    return audit_result_told(text, rc) != 0 || failed ? -1 : 0;
}

static int refuse_run(const struct client_settings *settings, const struct program *program, int rc)
{
    const char *word = settings->command != NULL ? settings->command[0] : "";
    if (program->is_refused && rc == -ENOENT && strchr(word, '/') == NULL)
        diag_error("\"%s\": command not found", word);
    else if (program->is_refused)
        diag_error("\"%s\": cannot be executed: %s", word, strerror(-rc));
    else if (audit_listen_is_refusal(rc))
        audit_listen_tell("as-server", settings->audit.target, rc);
    else
        diag_error("the audit could not be made: %s", strerror(-rc));
    return EXIT_MACHINE;
}

static int audit_and_tell(struct as_server_options *options)
{
    static const enum exit_code code_of[] = {
        [AUDIT_CLOSES] = EXIT_AS_EXPECTED, [AUDIT_LEAKS] = EXIT_DIFFERS,
        [AUDIT_LOSES] = EXIT_DIFFERS,      [AUDIT_ENDED] = EXIT_DIFFERS,
        [AUDIT_NO_VERDICT] = EXIT_MACHINE, [AUDIT_INTERRUPTED] = EXIT_INTERRUPTED,
    };
    struct program program = {.keeper = 0};
    struct client_result result;
    struct client_report report = {.settings = &options->settings, .result = &result, .program = &program};
    int rc = client_audit_run(&options->settings, &program, diag_is_terminal() ? on_progress : NULL, NULL,
                              &result);
    diag_progress_clear();
    if (rc != 0) {
        client_audit_free(&result);
        return refuse_run(&options->settings, &program, rc);
    }
    report.outcome = audit_outcome_of(&result.audit, &options->settings.audit);
    int written = write_results(options, &report);
    if (report.outcome == AUDIT_NO_VERDICT) {
        struct client_verdict verdict = client_verdict_of(&report);
        diag_error("%.*s", (int)strcspn(verdict.text, "\n"), verdict.text);
    }
    client_audit_free(&result);
    return written != 0 && report.outcome != AUDIT_INTERRUPTED ? EXIT_MACHINE : code_of[report.outcome];
}

int audit_as_server(int argc, char *argv[])
{
    struct as_server_options options = {.status = 200,
                                        .settings = {.requests = 0,
                                                     .until_ready_ms = 30000,
                                                     .audit = {.conns = 100, .repeat = 1, .grace_ms = 5000}}};
    audit_results_init(options.results);
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.quiet);
    struct client_settings *settings = &options.settings;
    settings->manner = (enum server_manner)options.manner;
    settings->audit.order = server_manner_row(settings->manner)->as;
    if (settings->requests == 0)
        settings->requests = settings->manner == MANNER_CLOSES_AFTER_REQUESTS ? 2 : 1;
    int code = take_place(&options);
    if (code == EXIT_AS_EXPECTED)
        code = take_reply(&options);
    if (code == EXIT_AS_EXPECTED)
        code = check_limits(settings);
    if (code == EXIT_AS_EXPECTED)
        code = audit_results_open(options.results);
    if (code == EXIT_AS_EXPECTED) {
        host_raise_nofile();
        code = audit_and_tell(&options);
    }
    audit_results_close(options.results);
    free(options.made);
    return code;
}
