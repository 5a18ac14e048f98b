/* cmd_audit: does somebody's own server close when its clients do? */
#include "audit/audit.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/stop_signals.h"
#include "cmd/audit_as_server.h"
#include "cmd/audit_options.h"
#include "cmd/audit_orders.h"
#include "cmd/audit_program.h"
#include "cmd/audit_request.h"
#include "cmd/audit_target.h"
#include "cmd/audit_through.h"
#include "cmd/audit_tls.h"
#include "cmd/audit_tracing.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "kernel/host_limits.h"
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
     .help = "what the client does: see the man page",
     .preset = "half-close",
     .more =
         "What the client does to each connection: a name, several with commas between them, or all, which "
         "leaves out what needs a right that --isolate would give, or a request where none is given. Several "
         "are played one after the "
         "other on the same server; the summary is a table, and the exit status that of the worst. See WHAT "
         "THE CLIENT DOES, and TLS.",
     .kind = OPTION_CUSTOM,
     .target = OPTION(orders),
     .choices = audit_order_names,
     .parse = audit_orders_parse},
    {.name = "request", .kind = OPTION_GROUP, .target = 0, .group = audit_request_rows},
    {.name = "requests",
     .value = "N",
     .help = "requests on each connection, with --order second-request",
     .preset = "2",
     .kind = OPTION_COUNT,
     .target = SETTING(requests),
     .min = 2,
     .max = REQUESTS_MOST},
    {.name = "tls", .kind = OPTION_GROUP, .target = 0, .group = audit_tls_rows},
    {.name = "grace",
     .value = "TIME",
     .help = "the time that the server has to close",
     .preset = "5s",
     .more = "The time that the server has to close. Above net.ipv4.tcp_fin_timeout only half-close can give "
             "a verdict.",
     .kind = OPTION_DURATION,
     .target = SETTING(grace_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "expect-idle-timeout",
     .value = "TIME",
     .help = "with --order idle or late-request: when the server should close",
     .more =
         "When the server should close idle clients, with --order idle or late-request: the median is "
         "compared, and the exit status is 1 if it is off by more than a tenth, or by 200ms if that is more.",
     .kind = OPTION_DURATION,
     .target = SETTING(expect_idle_ms),
     .min = 500,
     .max = HOUR_MS},
    {.name = "repeat",
     .value = "K",
     .help = "number of rounds: they tell a slow closer from a leak",
     .more = "The number of rounds: connections that leak are still held at the end, those of a slow closer "
             "are not.",
     .preset = "1",
     .kind = OPTION_COUNT,
     .target = SETTING(repeat),
     .min = 1,
     .max = AUDIT_ROUNDS_MAX},
    {.name = "rate",
     .value = "N",
     .help = "connections a second",
     .preset = "as the server accepts, 200 outside loopback",
     .more = "Connections to open a second. By default as many at a time as the server's accept queue has "
             "room for.",
     .kind = OPTION_COUNT,
     .target = SETTING(rate),
     .min = 1,
     .max = CONNS_MOST},
    {.name = "allow-remote",
     .help = "allow a server outside loopback",
     .more =
         "Allow a server outside loopback, with at most 1,000 connections a round unless --rate is given.",
     .kind = OPTION_FLAG,
     .target = OPTION(allow_remote)},
    {.name = "through",
     .value = "HOST:PORT",
     .help = "audit a proxy instead: what does it pass on, and what does it keep?",
     .more = "Audit a proxy that listens there and forwards to --as-backend: each way in which a client can "
             "end is combined with each way in which a backend can end (close, half-close, RST, and staying "
             "open), with data in flight. It can be used with --http, --conns (5 for each of the 16), "
             "--grace, --allow-remote, --json, --csv, --junit and --quiet.",
     .kind = OPTION_TEXT,
     .target = OPTION(through)},
    {.name = "as-backend",
     .value = "PORT",
     .help = "with --through: the port that the proxy forwards to, where tcpstorm listens",
     .more =
         "With --through: listen on that port, on loopback or on ADDRESS:PORT, as the backend of the proxy.",
     .kind = OPTION_TEXT,
     .target = OPTION(as_backend)},
    {.name = "as-server",
     .value = "PORT",
     .help = "audit a client instead, the command behind --: does it close?",
     .more =
         "Audit a client: listen there, on loopback or on ADDRESS:PORT, as its server, and tell whether the "
         "client "
         "closes when the server does. The command behind -- is started for it; without one it is whoever "
         "comes, "
         "until --conns have come, or Ctrl-C. --order is then what the server does: see A CLIENT. It takes "
         "--http without a path, "
         "--reply, --status, --keep-alive, --conns, --grace, --until-ready, --allow-remote, --json, --csv, "
         "--junit and --quiet.",
     .kind = OPTION_TEXT,
     .target = OPTION(as_server)},
    {.name = "reply",
     .value = "FILE",
     .help = "with --as-server: the reply to each request",
     .kind = OPTION_TEXT,
     .target = OPTION(reply)},
    {.name = "status",
     .value = "CODE",
     .help = "with --as-server --http: the status of the reply",
     .preset = "200",
     .kind = OPTION_COUNT,
     .target = OPTION(status),
     .min = 200,
     .max = 599},
    {.name = "keep-alive",
     .help = "with --as-server --http: the reply promises to keep the connection",
     .kind = OPTION_FLAG,
     .target = OPTION(keep_alive)},
    {.name = "run",
     .help = "start the server: the program and its arguments after --",
     .more = "Start the server, audit it and stop it: the program and its arguments follow --, without a "
             "shell. The audit begins when the kernel shows that the program listens: nothing connects "
             "before. Its output goes to standard error. At the end the program and all processes that it "
             "has started are sent SIGTERM, and SIGKILL if some are still running 5 seconds later; they are "
             "also killed when tcpstorm is killed.",
     .kind = OPTION_FLAG,
     .target = OPTION(runs)},
    {.name = "trace",
     .help = "with --run: show the line of code where held and closed connections part",
     .more = "With --run: the server runs under a tracer, and the report shows where in its source held "
             "connections part from closed ones: see THE LINE OF CODE. No root rights are needed. The times "
             "to close are those of a traced server, which is slower. Programs of node load a script, "
             "through NODE_OPTIONS, that reports their lines.",
     .kind = OPTION_FLAG,
     .target = OPTION(traces)},
    {.name = "until-ready",
     .value = "TIME",
     .help = "with --run: the time that the program has to listen",
     .preset = "30s",
     .kind = OPTION_DURATION,
     .target = OPTION(until_ready_ms),
     .min = 10,
     .max = HOUR_MS},
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    {.name = "results", .kind = OPTION_GROUP, .target = OPTION(results), .group = audit_result_rows},
    {.name = "lines", .kind = OPTION_GROUP, .target = OPTION(results), .group = audit_trace_result_rows},
    {.name = "quiet",
     .help = "no summary or progress, only errors and the exit code",
     .kind = OPTION_FLAG,
     .target = OPTION(quiet)},
    {.name = NULL},
};

static const struct option_words words[] = {
    {.name = "isolate", .help = "with --run: in a network namespace of its own, with nothing else in it"},
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
            "it is outside loopback: add --allow-remote if you may put load on that server");
    if (settings->conns > REMOTE_CONNS && settings->rate == NOT_GIVEN) {
        diag_error("--conns \"%lld\": outside loopback it must be at most %s, unless you choose a --rate",
                   (long long)settings->conns, grouped(REMOTE_CONNS).text);
        return EXIT_USAGE;
    }
    settings->rate = settings->rate == NOT_GIVEN ? REMOTE_RATE : settings->rate;
    diag_note("about to open %s, %s a second, to %s",
              counted(settings->conns * settings->repeat, "connection").text, grouped(settings->rate).text,
              settings->target);
    return EXIT_AS_EXPECTED;
}

static int check_limits(const struct audit_settings *settings)
{
    struct host_limits limits;
    host_limits_read(&limits);
    int64_t wanted = settings->conns * settings->repeat;
    if (wanted > limits.nofile_hard - RESERVE) {
        diag_error("%s connections need as many descriptors, and this process may have %s: raise the hard "
                   "limit (ulimit -Hn) or lower --conns or --repeat",
                   grouped(wanted).text, grouped(limits.nofile_hard).text);
        return EXIT_MACHINE;
    }
    return EXIT_AS_EXPECTED;
}

static int cmd_audit(int argc, char *argv[])
{
    if (audit_as_server_is_meant(argc, argv))
        return audit_as_server(argc, argv);
    if (audit_through_is_meant(argc, argv))
        return audit_through(argc, argv);
    struct program program = {.keeper = 0};
    struct audit_options options = {.until_ready_ms = 30000,
                                    .isolation = {.keeps_settings = true},
                                    .orders = {.each = {AUDIT_HALF_CLOSE}, .count = 1},
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
    int code = audit_target_take(options.target, &options.settings, &options.addresses);
    if (code == EXIT_AS_EXPECTED)
        code = check_remote(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_request_take(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_tls_take(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_program_check(&options);
    if (code == EXIT_AS_EXPECTED)
        code = audit_tracing_check(&options);
    if (code == EXIT_AS_EXPECTED)
        code = isolation_enter(&options.isolation, 1);
    if (code == EXIT_AS_EXPECTED)
        code = audit_orders_check(&options);
    if (code == EXIT_AS_EXPECTED)
        code = check_limits(&options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = audit_results_open(options.results);
    if (code == EXIT_AS_EXPECTED) {
        stop_signals_hold();
        code = audit_program_start(&options, &program);
    }
    if (code == EXIT_AS_EXPECTED) {
        host_raise_nofile();
        code = audit_orders_play(&options, &program);
    }
    stop_signals_release();
    audit_program_stop(&program);
    audit_tracing_stop(&options);
    audit_results_close(options.results);
    tls_context_free(options.settings.tls);
    free(options.request);
    return code;
}

const struct command audit_command = {
    .name = "audit",
    .summary = "test whether your own server closes when its clients do: HOST:PORT",
    .usage = "audit HOST:PORT|unix:PATH [--option VALUE]...\n"
             "audit HOST:PORT [--option VALUE]... --run -- COMMAND\n"
             "audit --through HOST:PORT --as-backend PORT [--option VALUE]...\n"
             "audit --as-server PORT [--option VALUE]... [-- COMMAND]",
    .examples =
        {
            {"tcpstorm audit 127.0.0.1:8080", "does it close after a FIN?"},
            {"tcpstorm audit localhost:8080 --http / --repeat 5",
             "after a request, and does the number held grow?"},
            {"tcpstorm audit 127.0.0.1:8080 --junit audit.xml --quiet", "as a test case"},
            {"tcpstorm audit --through 127.0.0.1:8080 --as-backend 9000", "a proxy that forwards to 9000"},
            {"tcpstorm audit --as-server 9000 --http -- ./client", "a client: does it close?"},
            {"tcpstorm audit 127.0.0.1:8080 --run -- ./server --port 8080",
             "a server that it starts and stops"},
            {"tcpstorm audit 127.0.0.1:8080 --trace --run -- ./server", "and the line of code that leaks"},
        },
    .options = &table,
    .run = cmd_audit,
};
