#include "cmd/audit_through.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "cmd/audit_listen.h"
#include "cmd/audit_results.h"
#include "cmd/audit_target.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "kernel/host_limits.h"
#include "view/proxy_view.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    HOUR_MS = 3600 * 1000,
    CONNECT_LEAST_MS = 1500, /* a SYN that was dropped comes again after a second */
    RESERVE = 32,            /* descriptors that are no connections */
};

struct through_options {
    const char *target; /* a server: there is none */
    struct proxy_settings settings;
    struct result_file results[RESULT_COUNT];
    bool allow_remote, quiet;
};

#define SETTING(member) offsetof(struct through_options, settings.member)
#define OPTION(member)  offsetof(struct through_options, member)

/* cmd_audit.c tells what they are. */
static const struct option_row rows[] = {
    {.name = "through", .value = "HOST:PORT", .help = "", .kind = OPTION_TEXT, .target = SETTING(front_text)},
    {.name = "as-backend", .value = "PORT", .help = "", .kind = OPTION_TEXT, .target = SETTING(back_text)},
    {.name = "http", .value = "PATH", .help = "", .kind = OPTION_TEXT, .target = SETTING(http_path)},
    {.name = "conns",
     .value = "N",
     .help = "",
     .kind = OPTION_COUNT,
     .target = SETTING(conns),
     .min = 1,
     .max = PROXY_CONNS_MAX},
    {.name = "grace",
     .value = "TIME",
     .help = "",
     .kind = OPTION_DURATION,
     .target = SETTING(grace_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "allow-remote", .help = "", .kind = OPTION_FLAG, .target = OPTION(allow_remote)},
    {.name = "results", .kind = OPTION_GROUP, .target = OPTION(results), .group = audit_result_rows},
    {.name = "quiet", .help = "", .kind = OPTION_FLAG, .target = OPTION(quiet)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "audit --through",
    .help = "tcpstorm audit --help",
    .rows = rows,
    .rules = option_rules,
    .operand = "server",
    .operand_target = OPTION(target),
};

bool audit_through_is_meant(int argc, char *const argv[])
{
    return options_name(argc, argv, "through");
}

/* ---- what goes together ---- */

static int take_front(struct through_options *options)
{
    struct audit_settings target = {.target = NULL};
    struct target_addresses addresses;
    struct proxy_settings *settings = &options->settings;
    int code = audit_target_take(settings->front_text, &target, &addresses);
    if (code == EXIT_AS_EXPECTED && target.address.family != AF_INET && target.address.family != AF_INET6)
        return audit_target_refuse(settings->front_text, "must be HOST:PORT of a proxy");
    settings->front = target.address;
    settings->front_port = target.port;
    if (code == EXIT_AS_EXPECTED && !address_is_loopback(&settings->front) && !options->allow_remote)
        return audit_target_refuse(
            settings->front_text,
            "it is outside loopback: add --allow-remote if you may put load on that proxy");
    return code;
}

static int take_back(struct through_options *options)
{
    struct proxy_settings *settings = &options->settings;
    if (settings->back_text == NULL) {
        diag_error("--through \"%s\" needs --as-backend PORT: the proxy forwards to that port, where "
                   "tcpstorm listens",
                   settings->front_text);
        return EXIT_USAGE;
    }
    const struct audit_listen wish = {.option = "as-backend",
                                      .text = settings->back_text,
                                      .family = settings->front.family,
                                      .allow_remote = options->allow_remote};
    return audit_listen_take(&wish, &settings->back, &settings->back_port);
}

static int check(struct through_options *options)
{
    const struct proxy_settings *settings = &options->settings;
    if (options->target != NULL) {
        diag_error("audit \"%s\": --through \"%s\" audits a proxy, so no server can be given",
                   options->target, settings->front_text);
        return EXIT_USAGE;
    }
    if (settings->http_path != NULL &&
        (settings->http_path[0] != '/' || strpbrk(settings->http_path, " \r\n") != NULL ||
         strlen(settings->http_path) > PROXY_PATH_MAX)) {
        diag_error("--http \"%s\": must be a path that begins with / and has no spaces, of at most %d bytes",
                   settings->http_path, PROXY_PATH_MAX);
        return EXIT_USAGE;
    }
    int code = take_front(options);
    return code == EXIT_AS_EXPECTED ? take_back(options) : code;
}

static int check_limits(const struct proxy_settings *settings)
{
    struct host_limits limits;
    host_limits_read(&limits);
    int64_t wanted = settings->conns * (PROXY_CELLS + 1) * PROXY_SIDES;
    if (settings->grace_ms >= limits.fin_timeout_ms) {
        diag_error("--grace \"%s\": it must be less than net.ipv4.tcp_fin_timeout, %s, after which the "
                   "kernel forgets closed connections",
                   duration_text(settings->grace_ms).text, duration_text(limits.fin_timeout_ms).text);
        return EXIT_USAGE;
    }
    if (wanted > limits.nofile_hard - RESERVE) {
        diag_error("--conns \"%s\": %s connections need as many descriptors, and this process may have %s: "
                   "raise the hard limit (ulimit -Hn) or lower --conns",
                   grouped(settings->conns).text, grouped(wanted).text, grouped(limits.nofile_hard).text);
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
static int write_results(struct through_options *options, const struct proxy_report *report)
{
    static int (*const print[RESULT_COUNT])(FILE *, const struct proxy_report *) = {
        [RESULT_CSV] = proxy_print_csv, [RESULT_JSON] = proxy_print_json, [RESULT_JUNIT] = proxy_print_junit};
    bool failed = false;
    FILE *text = audit_results_use_stdout(options->results) ? stderr : stdout;
    for (int i = 0; i < RESULT_COUNT; i++)
        if (options->results[i].out != NULL)
            failed |=
                audit_result_close(&options->results[i], print[i](options->results[i].out, report)) != 0;
    int rc = options->quiet ? 0 : proxy_print_text(text, report);
    return audit_result_told(text, rc) != 0 || failed ? -1 : 0;
}

static int refuse_run(const struct proxy_settings *settings, int rc)
{
    if (audit_listen_is_refusal(rc))
        audit_listen_tell("as-backend", settings->back_text, rc);
    else
        diag_error("the audit could not be made: %s", strerror(-rc));
    return EXIT_MACHINE;
}

static int audit_and_tell(struct through_options *options)
{
    static const enum exit_code code_of[] = {
        [PROXY_LETS_GO] = EXIT_AS_EXPECTED, [PROXY_LEAKS] = EXIT_DIFFERS,
        [PROXY_LOSES] = EXIT_DIFFERS,       [PROXY_ENDED] = EXIT_DIFFERS,
        [PROXY_NO_VERDICT] = EXIT_MACHINE,  [PROXY_INTERRUPTED] = EXIT_INTERRUPTED,
    };
    struct proxy_result result;
    struct proxy_report report = {.settings = &options->settings, .result = &result};
    int rc = proxy_run(&options->settings, diag_is_terminal() ? on_progress : NULL, NULL, &result);
    diag_progress_clear();
    if (rc != 0) {
        proxy_free(&result);
        return refuse_run(&options->settings, rc);
    }
    report.outcome = proxy_outcome_of(&result);
    int written = write_results(options, &report);
    if (report.outcome == PROXY_NO_VERDICT) {
        struct proxy_verdict verdict = proxy_verdict_of(&report);
        diag_error("%.*s", (int)strcspn(verdict.text, "\n"), verdict.text);
    }
    proxy_free(&result);
    return written != 0 && report.outcome != PROXY_INTERRUPTED ? EXIT_MACHINE : code_of[report.outcome];
}

int audit_through(int argc, char *argv[])
{
    struct through_options options = {.settings = {.conns = 5, .grace_ms = 5000, .connect_timeout_ms = 5000}};
    audit_results_init(options.results);
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.quiet);
    options.settings.connect_timeout_ms =
        options.settings.grace_ms > CONNECT_LEAST_MS ? options.settings.grace_ms : CONNECT_LEAST_MS;
    int code = check(&options);
    if (code == EXIT_AS_EXPECTED)
        code = check_limits(&options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = audit_results_open(options.results);
    if (code == EXIT_AS_EXPECTED) {
        host_raise_nofile();
        code = audit_and_tell(&options);
    }
    audit_results_close(options.results);
    return code;
}
