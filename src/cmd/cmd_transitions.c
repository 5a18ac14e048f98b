/* cmd_transitions: every transition of live traffic, counted by the kernel as it happens. */
#include "base/clock.h"
#include "base/diag.h"
#include "base/options.h"
#include "base/output.h"
#include "base/parse.h"
#include "base/stop_signals.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "model/transition.h"
#include "view/transition_table.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { DAY_MS = 24 * 3600 * 1000, NAP_US = 50000 };

struct port_list {
    int count;
    uint16_t each[EVENT_PORTS_MAX];
};

struct transitions_options {
    int64_t duration_ms;
    struct port_list ports;
    const char *csv, *json;
};

static bool has_port(const struct port_list *ports, int64_t port)
{
    for (int i = 0; i < ports->count; i++)
        if (ports->each[i] == port)
            return true;
    return false;
}

/* "8080", "80,443". */
static int parse_ports(const char *text, void *target, char *why, size_t why_size)
{
    struct port_list *ports = target;
    ports->count = 0;
    for (const char *at = text;; at++) {
        char number[8];
        int64_t port;
        size_t length = strcspn(at, ",");
        snprintf(number, sizeof number, "%.*s", (int)length, at);
        if (length >= sizeof number || parse_count(number, 1, 65535, &port) != 0 || has_port(ports, port) ||
            ports->count == EVENT_PORTS_MAX)
            break;
        ports->each[ports->count++] = (uint16_t)port;
        at += length;
        if (*at == '\0')
            return 0;
    }
    snprintf(why, why_size, "must be a port from 1 to 65535, or up to %d different ones, such as 80,443",
             EVENT_PORTS_MAX);
    return -EINVAL;
}

#define OPTION(member) offsetof(struct transitions_options, member)

static const struct option_row rows[] = {
    {.name = "duration",
     .value = "TIME",
     .help = "how long to count",
     .preset = "10s",
     .more = "How long to count.",
     .kind = OPTION_DURATION,
     .target = OPTION(duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "port",
     .value = "PORT,...",
     .help = "only these ports, each counted separately",
     .more = "Count only on these ports, each separately, with all its moves. The server's side is the end "
             "that has the port as its own. By default all sockets of the network namespace are counted "
             "together, and also separately for each port with a listener, up to 1,023 of them; those beyond "
             "that, and connections to ports on which nobody listens here, are in the row \"others\".",
     .kind = OPTION_CUSTOM,
     .target = OPTION(ports),
     .parse = parse_ports},
    {.name = "csv",
     .value = "FILE",
     .help = "write the rows as CSV; - is stdout",
     .more = "Write the rows as CSV to FILE, which is overwritten; - is standard output, instead of the "
             "table. The first column is the port, all or others.",
     .kind = OPTION_TEXT,
     .target = OPTION(csv)},
    {.name = "json",
     .value = "FILE",
     .help = "write all of it as JSON; - is stdout",
     .more = "Write all of it as one line of JSON to FILE; - is standard output.",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "transitions", .help = "tcpstorm transitions --help", .rows = rows, .rules = option_rules};

static volatile sig_atomic_t stopped_by;

static void on_stop(int number)
{
    stopped_by = number;
}

static void pause_ms(int64_t ms)
{
    for (int64_t until_us = monotonic_us() + ms * 1000; stopped_by == 0 && monotonic_us() < until_us;) {
        int64_t left_us = until_us - monotonic_us();
        usleep((useconds_t)(left_us > NAP_US ? NAP_US : left_us > 0 ? left_us : 0));
    }
}

static int print_csv(FILE *out, const void *watch)
{
    transition_table_csv(out, watch);
    return output_flush(out);
}

static int print_table(FILE *out, const void *watch)
{
    transition_table_print(out, watch);
    return output_flush(out);
}

/* To standard output, or to a file. */
static int write_to(const char *option, const char *path, int (*print)(FILE *out, const void *watch),
                    const struct transition_watch *watch)
{
    char name[160];
    if (path == NULL)
        return EXIT_AS_EXPECTED;
    if (output_is_stdout(path))
        return outputs_tell_written(stdout, print(stdout, watch), &stopped_by);
    snprintf(name, sizeof name, "--%s %s", option, path);
    FILE *out = output_open(path, name);
    if (out == NULL) {
        diag_error("--%s \"%s\": %s", option, path, strerror(errno));
        return EXIT_USAGE;
    }
    int code = outputs_tell_written(out, print(out, watch), &stopped_by), rc = outputs_let_go_and_close(out);
    if (code != EXIT_AS_EXPECTED || rc == 0)
        return code;
    return rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

static int tell(const struct transitions_options *options, const struct transition_watch *watch)
{
    bool data_on_stdout = output_is_stdout(options->csv) || output_is_stdout(options->json);
    int code = write_to("csv", options->csv, print_csv, watch);
    if (code == EXIT_AS_EXPECTED)
        code = write_to("json", options->json, transition_table_json, watch);
    if (code == EXIT_AS_EXPECTED && !data_on_stdout)
        code = write_to("", "-", print_table, watch);
    return code;
}

static int read_and_tell(struct transition_watch *watch, const struct transitions_options *options)
{
    if (transition_watch_read(watch) == 0)
        return tell(options, watch);
    diag_error("transitions: out of memory for the counts");
    return EXIT_MACHINE;
}

/* What no TCP does is a find; that a part was missed, none. */
static int judge(const struct transition_watch *watch)
{
    int64_t outside = 0;
    for (int i = 0; i < watch->count; i++)
        outside += transitions_of_kind(&watch->each[i].counts, TRANSITION_OUTSIDE, true);
    if (outside == 0)
        return stopped_by != 0 ? EXIT_INTERRUPTED : EXIT_AS_EXPECTED;
    diag_error("there are transitions outside of RFC 9293: see \"outside\"");
    return EXIT_DIFFERS;
}

static int begin(struct transition_watch *watch, const struct transitions_options *options)
{
    struct events_refusal why;
    int rc = transition_watch_begin(watch, options->ports.each, options->ports.count, &why);
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    if (stopped_by != 0)
        return EXIT_INTERRUPTED;
    if (rc == -EACCES)
        diag_error("transitions: %s; \"tcpstorm watch\" needs no special rights", why.text);
    else
        diag_error("transitions: the listeners could not be looked up: %s", strerror(-rc));
    return EXIT_MACHINE;
}

static int cmd_transitions(int argc, char *argv[])
{
    static struct transition_watch watch;
    struct transitions_options options = {.duration_ms = 10000};
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    const struct output_path paths[] = {{"csv", options.csv}, {"json", options.json}};
    if (outputs_check_paths(paths, sizeof paths / sizeof paths[0]) != 0)
        return EXIT_USAGE;
    stop_signals_catch(on_stop, NULL);
    int code = begin(&watch, &options);
    if (code == EXIT_AS_EXPECTED) {
        pause_ms(options.duration_ms);
        code = read_and_tell(&watch, &options);
    }
    if (code == EXIT_AS_EXPECTED)
        code = judge(&watch);
    transition_watch_free(&watch);
    return code;
}

const struct command transitions_command = {
    .name = "transitions",
    .summary = "count every move between TCP states of live traffic (as root)",
    .usage = "transitions [--option VALUE]...",
    .examples =
        {
            {"tcpstorm transitions --duration 10s", "how long does each service take to close?"},
            {"tcpstorm transitions --port 80,443 --csv -", "these two ports, a row for each move"},
        },
    .options = &table,
    .run = cmd_transitions,
};
