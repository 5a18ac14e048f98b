/* cmd_audit: does somebody's own server close when its clients do? */
#include "audit/audit.h"
#include "audit/server_side.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/output.h"
#include "cause/audit_causes.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "kernel/host_limits.h"
#include "view/audit_view.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNS_MOST = 1000000,
    REMOTE_CONNS = 1000,
    REMOTE_RATE = 200,
    NOT_GIVEN = -1,
    RESERVE = 32, /* descriptors that are no connections */
    REQUEST_MAX = 1 << 20,
    HOUR_MS = 3600 * 1000,
};

enum { RESULT_CSV, RESULT_JSON, RESULT_JUNIT, RESULT_COUNT };

/* A form in which the result may be asked for. */
struct result_file {
    const char *option;
    int (*print)(FILE *out, const struct audit_report *report);
    const char *path; /* NULL: not asked for */
    FILE *out;        /* NULL: not open */
    char name[160];   /* of the output, for people */
};

struct audit_options {
    const char *target; /* as typed: "127.0.0.1:8080" */
    struct audit_settings settings;
    int order;
    const char *send, *http;
    struct result_file results[RESULT_COUNT];
    bool allow_remote, quiet;
    char *request; /* owned */
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

static const struct option_table table = {
    .command = "audit",
    .help = "tcpstorm audit --help",
    .rows = rows,
    .rules = option_rules,
    .operand = "server",
    .operand_target = OPTION(target),
    .operand_missing = "audit needs a server: \"tcpstorm audit 127.0.0.1:8080\"",
};

/* ---- the target ---- */

static int refuse_target(const char *text, const char *why)
{
    diag_error("audit \"%s\": %s", text, why);
    return EXIT_USAGE;
}

/* A name may stand for several addresses, as localhost does for ::1 and 127.0.0.1: the first that somebody
 * listens on here, or else the first. Returns 0 or a negative errno. */
static int choose_address(const struct addrinfo *found, struct audit_settings *settings)
{
    int error = 0, rc = -EAFNOSUPPORT, listens = 0;
    const struct witness_backend *witness = found->ai_next != NULL ? witness_choose(0, &error) : NULL;
    for (const struct addrinfo *one = found; one != NULL && listens == 0; one = one->ai_next) {
        struct sockaddr_storage where;
        struct address address;
        memcpy(&where, one->ai_addr, one->ai_addrlen);
        if (address_from_sockaddr(&where, &address, &settings->port) != 0)
            continue;
        address = address_unmapped(&address);
        if (witness != NULL && address_is_loopback(&address))
            listens = server_side_listens(witness, &address, settings->port);
        if (rc != 0 || listens > 0)
            settings->address = address;
        rc = 0;
    }
    return listens < 0 ? listens : rc;
}

static int resolve(const char *text, struct audit_settings *settings)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    size_t length = strlen(host);
    if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc != 0) {
        diag_error("audit \"%s\": the name does not resolve: %s", text, gai_strerror(rc));
        return EXIT_USAGE;
    }
    rc = choose_address(found, settings);
    freeaddrinfo(found);
    if (rc == -EAFNOSUPPORT)
        return refuse_target(text, "must be an IPv4 or IPv6 server");
    if (rc != 0) {
        diag_error("audit \"%s\": who listens there cannot be read: %s", text, strerror(-rc));
        return EXIT_MACHINE;
    }
    return address_is_wildcard(&settings->address)
               ? refuse_target(text, "must be one address of the server, not all of them")
               : EXIT_AS_EXPECTED;
}

static int take_target(const char *text, struct audit_settings *settings)
{
    static const char allowed[] = "must be HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080";
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    settings->target = text;
    if (strncmp(text, "unix:", 5) == 0 || text[0] == '/' || strncmp(text, "https:", 6) == 0)
        return refuse_target(
            text, "Unix sockets and TLS are not audited yet: must be HOST:PORT of a plain TCP port");
    if (strstr(text, "://") != NULL || colon == NULL || colon == text || colon[1] == '\0')
        return refuse_target(text, allowed);
    long port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port < 1 || port > 65535)
        return refuse_target(text, "the port must be from 1 to 65535");
    if (memchr(text, ':', (size_t)(colon - text)) != NULL && text[0] != '[')
        return refuse_target(text, allowed);
    return resolve(text, settings);
}

/* ---- the request ---- */

static int read_request(struct audit_options *options)
{
    FILE *file = fopen(options->send, "re");
    size_t length = 0;
    options->request = malloc(REQUEST_MAX + 1);
    if (file != NULL && options->request != NULL)
        length = fread(options->request, 1, REQUEST_MAX + 1, file);
    bool failed = file == NULL || options->request == NULL || ferror(file);
    int error = errno;
    if (file != NULL)
        fclose(file);
    if (failed)
        diag_error("--send \"%s\": %s", options->send, strerror(error));
    else if (length == 0 || length > REQUEST_MAX)
        diag_error("--send \"%s\": it has %s: must be a file of 1 to %s bytes", options->send,
                   length == 0 ? "nothing in it" : "too much in it", grouped(REQUEST_MAX).text);
    else {
        options->settings.request = options->request;
        options->settings.request_length = length;
        return EXIT_AS_EXPECTED;
    }
    return EXIT_USAGE;
}

static int make_http_request(struct audit_options *options)
{
    if (options->http[0] != '/' || strpbrk(options->http, " \r\n") != NULL) {
        diag_error("--http \"%s\": must be a path that begins with / and has no spaces", options->http);
        return EXIT_USAGE;
    }
    if (asprintf(&options->request,
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tcpstorm\r\nAccept: */*\r\n\r\n", options->http,
                 options->settings.target) < 0) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    options->settings.request = options->request;
    options->settings.request_length = strlen(options->request);
    return EXIT_AS_EXPECTED;
}

static int take_request(struct audit_options *options)
{
    if (options->send != NULL)
        return read_request(options);
    if (options->http == NULL && options->order == AUDIT_EOF_WITH_REQUEST) {
        diag_error(
            "--order eof-with-request needs --send FILE or --http PATH: its FIN leaves with the last byte of "
            "a request");
        return EXIT_USAGE;
    }
    return options->http != NULL ? make_http_request(options) : EXIT_AS_EXPECTED;
}

/* ---- what goes together ---- */

static int check_remote(struct audit_options *options)
{
    struct audit_settings *settings = &options->settings;
    if (address_is_loopback(&settings->address)) {
        settings->rate = settings->rate == NOT_GIVEN ? 0 : settings->rate;
        return EXIT_AS_EXPECTED;
    }
    if (!options->allow_remote)
        return refuse_target(settings->target,
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
    settings->fin_timeout_ms = limits.fin_timeout_ms;
    if (settings->order == AUDIT_CLIENT_FIRST && settings->grace_ms >= limits.fin_timeout_ms) {
        diag_error(
            "--grace \"%s\": with client-first it must be less than net.ipv4.tcp_fin_timeout, %s, when the "
            "kernel forgets the client's end: take --order half-close",
            duration_text(settings->grace_ms).text, duration_text(limits.fin_timeout_ms).text);
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

/* ---- the result ---- */

static int count_on_stdout(const struct audit_options *options)
{
    int count = 0;
    for (int i = 0; i < RESULT_COUNT; i++)
        count += output_is_stdout(options->results[i].path);
    return count;
}

/* Before a connection is opened: an audit whose result cannot be kept is not begun. */
static int open_results(struct audit_options *options)
{
    struct output_path paths[RESULT_COUNT];
    for (int i = 0; i < RESULT_COUNT; i++)
        paths[i] = (struct output_path){options->results[i].option, options->results[i].path};
    if (outputs_check_paths(paths, RESULT_COUNT) != 0)
        return EXIT_USAGE;
    for (int i = 0; i < RESULT_COUNT; i++) {
        struct result_file *result = &options->results[i];
        if (result->path == NULL)
            continue;
        snprintf(result->name, sizeof result->name, "--%s %s", result->option, result->path);
        result->out = output_is_stdout(result->path) ? stdout : output_open(result->path, result->name);
        if (result->out == NULL) {
            diag_error("--%s \"%s\": %s", result->option, result->path, strerror(errno));
            return EXIT_USAGE;
        }
    }
    return EXIT_AS_EXPECTED;
}

/* Of an audit that was not made. */
static void close_results(struct audit_options *options)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        if (options->results[i].out != NULL && options->results[i].out != stdout)
            output_close(options->results[i].out);
}

/* Returns 0, or a negative errno after telling. */
static int write_result(struct result_file *result, const struct audit_report *report)
{
    if (result->out == NULL)
        return 0;
    FILE *out = result->out;
    int rc = result->print(out, report);
    if (rc != 0)
        diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    if (rc != 0 || out == stdout)
        return rc;
    result->out = NULL;
    return outputs_let_go_and_close(out);
}

/* Returns 0, or -1 after telling. */
static int write_results(struct audit_options *options, const struct audit_report *report)
{
    bool failed = false;
    FILE *text = count_on_stdout(options) > 0 ? stderr : stdout;
    for (int i = 0; i < RESULT_COUNT; i++)
        failed |= write_result(&options->results[i], report) != 0;
    int rc = options->quiet ? 0 : audit_print_text(text, report);
    if (rc != 0)
        diag_error("cannot write %s: %s", output_name(text), strerror(-rc));
    return failed || rc != 0 ? -1 : 0;
}

static void on_progress(void *context, const char *doing, int64_t done, int64_t total)
{
    (void)context;
    diag_progress("audit: %s of %s %s", grouped(done).text, grouped(total).text, doing);
}

static int audit_and_tell(struct audit_options *options)
{
    static const enum exit_code code_of[] = {
        [AUDIT_CLOSES] = EXIT_AS_EXPECTED, [AUDIT_LEAKS] = EXIT_DIFFERS,
        [AUDIT_LOSES] = EXIT_DIFFERS,      [AUDIT_ENDED] = EXIT_DIFFERS,
        [AUDIT_NO_VERDICT] = EXIT_MACHINE, [AUDIT_INTERRUPTED] = EXIT_INTERRUPTED,
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
        names[group] = causes_of_group((enum audit_group)group);
        report.causes[group] = names[group].text;
    }
    report.reset_causes = resets.text;
    report.outcome = audit_outcome_of(&result, &options->settings);
    int written = write_results(options, &report);
    if (report.outcome == AUDIT_NO_VERDICT) {
        struct audit_verdict verdict = audit_verdict_of(&report);
        diag_error("%.*s", (int)strcspn(verdict.text, "\n"), verdict.text);
    }
    audit_free(&result);
    return written != 0 && report.outcome != AUDIT_INTERRUPTED ? EXIT_MACHINE : code_of[report.outcome];
}

static int cmd_audit(int argc, char *argv[])
{
    struct audit_options options = {
        .results = {{.option = "csv", .print = audit_print_csv},
                    {.option = "json", .print = audit_print_json},
                    {.option = "junit", .print = audit_print_junit}},
        .settings = {
            .conns = 100, .repeat = 1, .rate = NOT_GIVEN, .grace_ms = 5000, .connect_timeout_ms = 5000}};
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.quiet);
    options.settings.order = (enum audit_order)options.order;
    int code = take_target(options.target, &options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = check_remote(&options);
    if (code == EXIT_AS_EXPECTED)
        code = take_request(&options);
    if (code == EXIT_AS_EXPECTED)
        code = check_limits(&options.settings);
    if (code == EXIT_AS_EXPECTED)
        code = open_results(&options);
    if (code == EXIT_AS_EXPECTED) {
        host_raise_nofile();
        code = audit_and_tell(&options);
    }
    close_results(&options);
    free(options.request);
    return code;
}

const struct command audit_command = {
    .name = "audit",
    .summary = "tell whether a server of your own closes when its clients do: HOST:PORT",
    .usage = "audit HOST:PORT [--option value ...]",
    .examples =
        {
            {"tcpstorm audit 127.0.0.1:8080", "does it close after a FIN?"},
            {"tcpstorm audit localhost:8080 --http / --repeat 5", "after a request, and does it add up?"},
            {"tcpstorm audit 127.0.0.1:8080 --junit audit.xml --quiet", "as a test case"},
        },
    .options = &table,
    .run = cmd_audit,
};
