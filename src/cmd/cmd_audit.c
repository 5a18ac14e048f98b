/* cmd_audit: does somebody's own server close when its clients do? */
#include "audit/audit.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "cause/audit_causes.h"
#include "cmd/audit_options.h"
#include "cmd/audit_program.h"
#include "cmd/audit_request.h"
#include "cmd/audit_target.h"
#include "cmd/audit_through.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "kernel/host_limits.h"
#include "kernel/packet_drop.h"
#include "view/audit_view.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNS_MOST = 1000000,
    REQUESTS_MOST = 1000,
    REMOTE_CONNS = 1000,
    REMOTE_RATE = 200,
    NOT_GIVEN = -1,
    RESERVE = 32, /* descriptors that are no connections */
    HOUR_MS = 3600 * 1000,
    NEVER_MS = INT32_MAX,
};

#define SETTING(member) offsetof(struct audit_options, settings.member)
#define OPTION(member)  offsetof(struct audit_options, member)

static const struct option_row rows[] = {
    {.name = "conns",
     .value = "N",
     .help = "connections to open, in each round",
     .preset = "100",
     .kind = OPTION_COUNT,
     .target = SETTING(conns),
     .min = 1,
     .max = CONNS_MOST},
    {.name = "order",
     .value = "HOW",
     .help = "what the client does, in six ways: see the man page",
     .preset = "half-close",
     .more = "What the client does: half-close is shutdown(2), client-first close(2), abort an RST, idle "
             "nothing until the server closes, never-close nothing even then: it shows whether the server "
             "keeps a descriptor after its own FIN. eof-with-request sends its FIN with the last byte of the "
             "request, as nc and many health checks do, and compares the reply with that of a client that "
             "waits.",
     .kind = OPTION_CHOICE,
     .target = OPTION(order),
     .choices = audit_order_names},
    {.name = "send",
     .value = "FILE",
     .help = "send this first, and read what comes",
     .kind = OPTION_TEXT,
     .target = OPTION(send)},
    {.name = "http",
     .value = "PATH",
     .help = "likewise a GET request for this path",
     .kind = OPTION_TEXT,
     .target = OPTION(http)},
    {.name = "requests",
     .value = "N",
     .help = "on each connection, with --order second-request",
     .preset = "2",
     .kind = OPTION_COUNT,
     .target = SETTING(requests),
     .min = 2,
     .max = REQUESTS_MOST},
    {.name = "grace",
     .value = "TIME",
     .help = "for the server to close",
     .preset = "5s",
     .more = "For the server to close. Above net.ipv4.tcp_fin_timeout only half-close can tell.",
     .kind = OPTION_DURATION,
     .target = SETTING(grace_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "repeat",
     .value = "K",
     .help = "so many rounds: a slow closer closes in time, a leak does not",
     .more = "Rounds: what leaks is still held at the end, what a slow closer holds is not.",
     .preset = "1",
     .kind = OPTION_COUNT,
     .target = SETTING(repeat),
     .min = 1,
     .max = AUDIT_ROUNDS_MAX},
    {.name = "rate",
     .value = "N",
     .help = "connections a second",
     .preset = "as the server accepts, outside loopback 200",
     .more = "Connections a second: without it as many at a time as the server's accept queue has room for.",
     .kind = OPTION_COUNT,
     .target = SETTING(rate),
     .min = 1,
     .max = CONNS_MOST},
    {.name = "allow-remote",
     .help = "a server outside loopback",
     .more = "A server outside loopback, with at most 1,000 connections a round unless --rate is given.",
     .kind = OPTION_FLAG,
     .target = OPTION(allow_remote)},
    {.name = "through",
     .value = "HOST:PORT",
     .help = "audit a proxy instead: what does it pass on, and keep?",
     .more = "Audit a proxy that listens there and forwards to --as-backend: each way in which a client may "
             "end meets each way in which a backend may end (close, half-close, RST, and staying open), with "
             "data in flight. It takes --http, --conns (5 for each of the 16), --grace, --allow-remote, "
             "--json, --csv, --junit and --quiet.",
     .kind = OPTION_TEXT,
     .target = OPTION(through)},
    {.name = "as-backend",
     .value = "PORT",
     .help = "with --through: listen here, where the proxy forwards to",
     .more = "With --through: listen there, on loopback or on ADDRESS:PORT, as the backend of the proxy.",
     .kind = OPTION_TEXT,
     .target = OPTION(as_backend)},
    {.name = "run",
     .help = "start the server: the program and its words behind --",
     .more =
         "Start the server, audit it and stop it: the program and its words are behind --, without a "
         "shell. "
         "The audit begins when the program listens, as the kernel's table of listeners tells: nothing "
         "connects before. What it writes goes to standard error. In the end it is sent SIGTERM, with all "
         "that it has started, and SIGKILL when some of it is there 5 seconds later; it is killed too when "
         "tcpstorm is.",
     .kind = OPTION_FLAG,
     .target = OPTION(runs)},
    {.name = "until-ready",
     .value = "TIME",
     .help = "with --run: for the program to listen",
     .preset = "30s",
     .kind = OPTION_DURATION,
     .target = OPTION(until_ready_ms),
     .min = 10,
     .max = HOUR_MS},
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    {.name = "json",
     .value = "FILE",
     .help = "the result as JSON; - is stdout",
     .kind = OPTION_TEXT,
     .target = OPTION(results[RESULT_JSON].path)},
    {.name = "csv",
     .value = "FILE",
     .help = "a row for each connection; - is stdout",
     .kind = OPTION_TEXT,
     .target = OPTION(results[RESULT_CSV].path)},
    {.name = "junit",
     .value = "FILE",
     .help = "the verdict as a JUnit test case",
     .kind = OPTION_TEXT,
     .target = OPTION(results[RESULT_JUNIT].path)},
    {.name = "quiet",
     .help = "no summary or progress; errors and exit code still speak",
     .kind = OPTION_FLAG,
     .target = OPTION(quiet)},
    {.name = NULL},
};

static const struct option_words words[] = {
    {.name = "isolate", .help = "with --run: in a network namespace of its own, where nothing else is"},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "audit",
    .help = "tcpstorm audit --help",
    .rows = rows,
    .words = words,
    .rules = option_rules,
    .takes_program = true,
    .program_target = OPTION(program),
    .operand = "server",
    .operand_target = OPTION(target),
    .operand_missing = "audit needs a server: \"tcpstorm audit 127.0.0.1:8080\"",
};

/* ---- what goes together ---- */

/* An order that is made of segments has none to make on a Unix socket. */
static int check_unix(const struct audit_settings *settings)
{
    enum act act = audit_order_row(settings->order)->act;
    if (!audit_is_unix(settings) || act == ACT_NONE || act == ACT_SHUTDOWN || act == ACT_CLOSE)
        return EXIT_AS_EXPECTED;
    diag_error(
        "--order \"%s\": a Unix socket knows no RST, and drops nothing: must be half-close, client-first, "
        "idle, never-close or eof-with-request",
        audit_order_names[settings->order]);
    return EXIT_USAGE;
}

static int check_remote(struct audit_options *options)
{
    struct audit_settings *settings = &options->settings;
    if (address_is_loopback(&settings->address) || options->runs || audit_is_unix(settings)) {
        settings->rate = settings->rate == NOT_GIVEN ? 0 : settings->rate;
        return EXIT_AS_EXPECTED;
    }
    if (!options->allow_remote)
        return audit_target_refuse(
            settings->target,
            "it is outside loopback: add --allow-remote where that server is yours to load");
    if (settings->conns > REMOTE_CONNS && settings->rate == NOT_GIVEN) {
        diag_error(
            "--conns \"%lld\": outside loopback it can be at most %s, or more with a --rate that you choose",
            (long long)settings->conns, grouped(REMOTE_CONNS).text);
        return EXIT_USAGE;
    }
    settings->rate = settings->rate == NOT_GIVEN ? REMOTE_RATE : settings->rate;
    diag_note("about to open %s connections, %s a second, to %s",
              grouped(settings->conns * settings->repeat).text, grouped(settings->rate).text,
              settings->target);
    return EXIT_AS_EXPECTED;
}

static int check_limits(struct audit_settings *settings)
{
    struct host_limits limits;
    host_limits_read(&limits);
    settings->fin_timeout_ms = audit_is_unix(settings) ? NEVER_MS : limits.fin_timeout_ms;
    if (audit_order_row(settings->order)->act == ACT_CLOSE &&
        settings->grace_ms >= settings->fin_timeout_ms) {
        diag_error("--grace \"%s\": with %s it must be less than net.ipv4.tcp_fin_timeout, %s, when the "
                   "kernel forgets the client's end: take --order half-close",
                   duration_text(settings->grace_ms).text, audit_order_names[settings->order],
                   duration_text(limits.fin_timeout_ms).text);
        return EXIT_USAGE;
    }
    int64_t wanted = settings->conns * settings->repeat;
    if (wanted > limits.nofile_hard - RESERVE) {
        diag_error(
            "%s connections need as many descriptors and this process may have %s: raise the hard limit "
            "(ulimit -Hn) or lower --conns or --repeat",
            grouped(wanted).text, grouped(limits.nofile_hard).text);
        return EXIT_MACHINE;
    }
    return EXIT_AS_EXPECTED;
}

static void on_progress(void *context, const char *doing, int64_t done, int64_t total)
{
    (void)context;
    diag_progress("audit: %s of %s %s", grouped(done).text, grouped(total).text, doing);
}

/* What an order needs of this machine. */
static int check_rights(const struct audit_settings *settings)
{
    int rc = audit_order_row(settings->order)->act == ACT_DROP ? packet_drop_probe() : 0;
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    diag_error(
        "--order %s needs the right to filter packets (%s): run this as root, or let it start the server "
        "in a network of its own, with --isolate and --run",
        audit_order_names[settings->order], strerror(-rc));
    return EXIT_MACHINE;
}

static int audit_and_tell(struct audit_options *options)
{
    static const enum exit_code code_of[] = {
        [AUDIT_CLOSES] = EXIT_AS_EXPECTED,      [AUDIT_LEAKS] = EXIT_DIFFERS,
        [AUDIT_LOSES] = EXIT_DIFFERS,           [AUDIT_ENDED] = EXIT_DIFFERS,
        [AUDIT_OFF_TIME] = EXIT_DIFFERS,        [AUDIT_NO_VERDICT] = EXIT_MACHINE,
        [AUDIT_INTERRUPTED] = EXIT_INTERRUPTED,
    };
    struct audit_result result;
    struct audit_report report = {.settings = &options->settings, .result = &result};
    struct cause_names names[GROUP_COUNT], resets = causes_of_resets();
    int rc = audit_run(&options->settings, diag_is_terminal() ? on_progress : NULL, NULL, &result);
    diag_progress_clear();
    if (rc == -ENOENT) {
        diag_error("--order \"abort\": nobody listens on port %u in this network namespace, and what a "
                   "server does after an "
                   "RST only its own machine can tell: must be half-close, client-first or idle",
                   options->settings.port);
        audit_free(&result);
        return EXIT_USAGE;
    }
    if (rc != 0) {
        diag_error("the audit could not be made: %s", strerror(-rc));
        audit_free(&result);
        return EXIT_MACHINE;
    }
    for (int group = 0; group < GROUP_COUNT; group++) {
        names[group] = causes_of_group((enum audit_group)group, &result);
        report.causes[group] = names[group].text;
    }
    report.reset_causes = resets.text;
    report.outcome = audit_outcome_of(&result, &options->settings);
    int written = audit_results_write(options->results, options->quiet, &report);
    if (report.outcome == AUDIT_NO_VERDICT) {
        struct audit_verdict verdict = audit_verdict_of(&report);
        diag_error("%.*s", (int)strcspn(verdict.text, "\n"), verdict.text);
    }
    audit_free(&result);
    return written != 0 && report.outcome != AUDIT_INTERRUPTED ? EXIT_MACHINE : code_of[report.outcome];
}

static int cmd_audit(int argc, char *argv[])
{
    if (audit_through_is_meant(argc, argv))
        return audit_through(argc, argv);
    struct program program = {.keeper = 0};
    struct audit_options options = {.until_ready_ms = 30000,
                                    .isolation = {.keeps_settings = true},
                                    .settings = {.conns = 100,
                                                 .repeat = 1,
                                                 .rate = NOT_GIVEN,
                                                 .requests = 2,
                                                 .grace_ms = 5000,
                                                 .connect_timeout_ms = 5000}};
    audit_results_init(options.results);
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.quiet);
    options.settings.order = (enum audit_order)options.order;
    int code = audit_target_take(options.target, &options.settings, &options.addresses);
    if (code == EXIT_AS_EXPECTED)
        code = check_unix(&options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = check_remote(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_request_take(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_program_check(&options);
    if (code == EXIT_AS_EXPECTED)
        code = isolation_enter(&options.isolation, 1);
    if (code == EXIT_AS_EXPECTED)
        code = check_limits(&options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = audit_results_open(options.results);
    if (code == EXIT_AS_EXPECTED)
        code = audit_program_start(&options, &program);
    if (code == EXIT_AS_EXPECTED) {
        host_raise_nofile();
        code = check_rights(&options.settings);
    }
    if (code == EXIT_AS_EXPECTED)
        code = audit_and_tell(&options);
    audit_program_stop(&program);
    audit_results_close(options.results);
    free(options.request);
    return code;
}

const struct command audit_command = {
    .name = "audit",
    .summary = "tell whether a server of your own closes when its clients do: HOST:PORT",
    .usage = "audit HOST:PORT [--option value ...] [--run -- COMMAND ...]",
    .examples =
        {
            {"tcpstorm audit 127.0.0.1:8080", "does it close after a FIN?"},
            {"tcpstorm audit localhost:8080 --http / --repeat 5", "after a request, and does it add up?"},
            {"tcpstorm audit 127.0.0.1:8080 --junit audit.xml --quiet", "as a test case"},
            {"tcpstorm audit 127.0.0.1:8080 --run -- ./server --port 8080",
             "a server that it starts and stops"},
        },
    .options = &table,
    .run = cmd_audit,
};
