#include "cmd/watch_options.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/watch_verdict.h"

#include <stddef.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static const char *const by_choices[] = {"process", "peer", "service", NULL};

#define OPTION(member) offsetof(struct watch_options, member)

static const struct option_row rows[] = {
    {.name = "port",
     .value = "PORT",
     .help = "only sockets with this port, local or remote",
     .kind = OPTION_COUNT,
     .target = OPTION(port),
     .min = 1,
     .max = 65535},
    {.name = "pid",
     .value = "PID",
     .help = "only sockets of this process, and its ghosts",
     .more = "Only the sockets of this process, and its descriptors whose socket is in no table (ghosts). "
             "The exit status is 3 when the process does not exist, or ends. If it is in another network "
             "namespace, its sockets there are shown.",
     .kind = OPTION_COUNT,
     .target = OPTION(pid),
     .min = 1,
     .max = INT32_MAX},
    {.name = "interval",
     .value = "TIME",
     .help = "time between two looks, longer if they take long",
     .more = "The time between two looks; longer if looks take more than a tenth of a core.",
     .preset = "1s",
     .kind = OPTION_DURATION,
     .target = OPTION(interval_ms),
     .min = 50,
     .max = DAY_MS},
    {.name = "duration",
     .value = "TIME",
     .help = "how long to watch",
     .preset = "until Ctrl-C",
     .kind = OPTION_DURATION,
     .target = OPTION(duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "once", .help = "take one look", .kind = OPTION_FLAG, .target = OPTION(once)},
    {.name = "by",
     .value = "process|peer|service",
     .help = "what each row shows",
     .preset = "process",
     .more = "What each row shows: a process, a peer, or a service. A service is a systemd unit, a container "
             "or a pod, known by its control group: that of the process that holds the socket or, if this "
             "user may not inspect that process, that of the process that created the socket, which the "
             "kernel shows to everybody. An accepted socket counts as created by the process that created "
             "its listener: with socket activation that is init.scope.",
     .kind = OPTION_CHOICE,
     .target = OPTION(by),
     .choices = by_choices},
    {.name = "by-peer", .help = "as --by peer", .kind = OPTION_FLAG, .target = OPTION(by_peer)},
    {.name = "all-namespaces",
     .help = "every network namespace of this machine: containers, pods",
     .more = "Look into every network namespace that has a process or a name, including those of containers "
             "and pods, while tcpstorm stays in its own. Root may enter all of them, another user those of "
             "their own user namespaces; for the others that user sees what /proc shows, without ages, "
             "backlogs and owners. A namespace is shown by its name (man ip-netns), its container or pod, or "
             "its first process. It is reported when one appears or goes away.",
     .kind = OPTION_FLAG,
     .target = OPTION(all_namespaces)},
    {.name = "stacks",
     .help = "at the end, show where in its source each thread of --pid waits",
     .more = "When the watch ends, show where in its source each thread of the process waits, without "
             "stopping it, as \"tcpstorm explain --stacks\" does.",
     .kind = OPTION_FLAG,
     .target = OPTION(stacks)},
    {.name = "idle",
     .value = "TIME",
     .help = "how long no data must move for a connection to count as at rest",
     .more = "How long no data must have moved on an ESTABLISHED connection for it to be shown, and judged, "
             "as at rest: idle, with unread data, or with unsent data.",
     .preset = "1m",
     .kind = OPTION_DURATION,
     .target = OPTION(idle_ms),
     .min = 100,
     .max = DAY_MS},
    {.name = "fail-on",
     .value = "WHAT",
     .help = "exit 1 on growth, age:10m, count:500, eta:1h",
     .more =
         "The exit status is 1 when this is the case; several can be given, separated by commas. growth: "
         "something that a program should release has grown significantly for 10 s, in a process, on a port "
         "or in all processes of one name; growth:fin_wait2,ghosts judges only these groups. age:10m: a "
         "CLOSE_WAIT is that old. count:500: one row has that many CLOSE_WAIT and ghosts. eta:1h: a process "
         "will have no descriptor left, or an accept queue no place, within that time, by the end of the "
         "forecast's interval. If something has grown for less than 10 s when --duration ends, the watch "
         "continues until the 10 s are over. The exit status is 3 when there were too few looks to tell, or "
         "when ghosts would have to be counted in a process that this user may not inspect.",
     .preset = "nothing",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .target = OPTION(fail_on),
     .parse = fail_on_parse},
    {.name = "json",
     .value = "FILE",
     .help = "every look as JSON Lines; - is stdout",
     .more = "Every look as a line of JSON; - is standard output, instead of the table.",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = "closings",
     .help = "time how long connections wait for close(); slows every close() on the host",
     .more = "Measure how long connections that their peers have closed wait for their programs' close(), by "
             "port: from the peer's FIN to the end of the socket. Each close() on the host takes some 20% "
             "longer while this runs. See CLOSINGS.",
     .kind = OPTION_FLAG,
     .target = OPTION(closings)},
    {.name = "metrics",
     .value = "ADDR:PORT",
     .help = "serve the last look to Prometheus at /metrics",
     .more = "Serve the last look to a monitor, at http://ADDR:PORT/metrics, as OpenMetrics or Prometheus "
             "text; an IPv6 address must be in brackets. Everybody who can reach that address can read it, "
             "including the names of programs and services. The table is then shown on a terminal only. See "
             "METRICS in tcpstorm-output(5).",
     .kind = OPTION_CUSTOM,
     .target = OPTION(metrics),
     .parse = metrics_listener_parse},
    {.name = "record",
     .value = "FILE",
     .help = "record which connections come, end and stay, for --replay and scripts/report",
     .more = "Record each look and, by port, which connections came and ended since the previous one, with "
             "how long they were open. \"tcpstorm --replay FILE\" plays it again, \"scripts/report FILE\" "
             "draws it. The file grows ever more slowly: after each 1,024 lines twice as many looks share "
             "one line. At the end the file gets what \"tcpstorm explain\" says about the server with the "
             "most CLOSE_WAIT and ghosts.",
     .kind = OPTION_TEXT,
     .target = OPTION(record)},
    {.name = NULL},
};

const struct option_table watch_option_table = {
    .command = "watch", .help = "tcpstorm watch --help", .rows = rows, .rules = option_rules};

/* How long it takes to judge connections at rest, of which these groups have some. */
static int64_t least_duration_ms(const struct watch_options *options)
{
    int64_t least_ms = WATCH_SURE_S * 1000;
    if (options->fail_on.is_chosen && (options->fail_on.growth & GROUPS_AT_REST) != 0)
        least_ms = options->idle_ms + watch_rest_sure_ms(options);
    return least_ms;
}

static int check_time(const struct watch_options *options)
{
    const char *what = fail_on_takes_time(&options->fail_on);
    int64_t least_ms = least_duration_ms(options);
    if (what == NULL)
        return EXIT_AS_EXPECTED;
    if (options->once)
        diag_error("--once cannot be used with --fail-on %s: take one look shows no growth", what);
    else if (options->duration_ms > 0 && options->duration_ms < least_ms)
        diag_error("--fail-on %s: --duration must be %s or more", what, duration_text(least_ms).text);
    else if (options->duration_ms > 0 && options->interval_ms > options->duration_ms / WATCH_SURE_LOOKS)
        diag_error("--fail-on %s: it needs %d looks, so --interval must be at most an eighth of --duration",
                   what, WATCH_SURE_LOOKS);
    else
        return EXIT_AS_EXPECTED;
    return EXIT_USAGE;
}

int watch_options_read(int argc, char *const argv[], struct watch_options *options)
{
    *options = (struct watch_options){.interval_ms = 1000, .idle_ms = 60000};
    if (options_parse(&watch_option_table, argc, argv, options) != 0)
        return EXIT_USAGE;
    options->by = options->by_peer ? BY_PEER : options->by;
    options->by_peer = options->by == BY_PEER;
    return check_time(options);
}
