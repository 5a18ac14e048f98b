/* cmd_storm: the front door: N connections, one or more close orders, and what the kernel says of every
 * socket. */
#include "base/diag.h"
#include "base/number_text.h"
#include "base/parse.h"
#include "base/text.h"
#include "cause/cause.h"
#include "cmd/command.h"
#include "cmd/counting.h"
#include "cmd/isolation.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "cmd/play.h"
#include "cmd/remote.h"
#include "cmd/replay.h"
#include "cmd/storm_options.h"
#include "engine/plan.h"
#include "engine/run.h"
#include "kernel/host_limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* How many connections are to leak: a number of them, or a share. */
struct leak_option {
    bool is_given;
    int64_t count;
    int64_t millipercent;
    const char *text;
};

struct storm_options {
    struct run_settings settings;
    const struct fault_case *cause; /* NULL: orders are played */
    bool fixed;                     /* its twin without the bug */
    struct leak_option leak;
    struct replay_wish replay; /* recording NULL: nothing is replayed */
    struct isolation isolation;
    struct remote remote;
    struct output_options outputs;
    bool dry_run;
};

enum { MS_PER_S = 1000, RATE_MAX = 1000000, NOT_GIVEN = -1 };
enum { SERVER_NEEDS = 16 }; /* streams, epoll, listener, and a few connections */

static int add_order(struct run_settings *settings, const char *name, char *why, size_t why_size)
{
    const struct close_order *order = close_order_find(name);
    if (order == NULL) {
        const char *meant = close_order_nearest(name);
        if (meant != NULL)
            snprintf(why, why_size, "there is no order %.40s: did you mean %s?", name, meant);
        else
            snprintf(why, why_size,
                     "must be one of \"tcpstorm orders\", several separated by commas, or all");
        return -EINVAL;
    }
    if (settings->experiment_count == RUN_EXPERIMENTS_MAX) {
        snprintf(why, why_size, "at most %d orders can be played in one run", RUN_EXPERIMENTS_MAX);
        return -EINVAL;
    }
    settings->experiments[settings->experiment_count++] = experiment_of_order(order);
    return 0;
}

static int parse_orders(const char *text, void *target, char *why, size_t why_size)
{
    struct run_settings *settings = target;
    settings->experiment_count = 0;
    settings->all_orders = strcmp(text, "all") == 0;
    if (settings->all_orders)
        return 0;
    char name[64];
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        int rc = add_order(settings, name, why, why_size);
        if (rc != 0)
            return rc;
        at += length;
        if (*at++ == '\0')
            return 0;
    }
}

/* "20" connections, or "5%", "0.5%" of them. */
static int parse_leak(const char *text, void *target, char *why, size_t why_size)
{
    struct leak_option *leak = target;
    char *rest = NULL;
    *leak = (struct leak_option){.is_given = true, .text = text};
    bool is_plain = text[strspn(text, "0123456789.")] == '%' && text[0] != '.';
    double percent = is_plain ? strtod(text, &rest) : 0;
    if (is_plain && strcmp(rest, "%") == 0 && percent > 0 && percent <= 100) {
        leak->millipercent = (int64_t)(percent * 1000 + 0.5);
        return 0;
    }
    if (parse_count(text, 1, CONNS_MAX, &leak->count) == 0)
        return 0;
    snprintf(why, why_size,
             "must be a number of connections, such as 20, or a share above 0%% up to 100%%, such as 5%%");
    return -EINVAL;
}

static int parse_cause(const char *text, void *target, char *why, size_t why_size)
{
    const struct fault_case **cause = target;
    *cause = cause_find(text);
    if (*cause != NULL)
        return 0;
    const char *meant = cause_nearest(text);
    if (meant != NULL)
        snprintf(why, why_size, "there is no cause %.40s: did you mean %s?", text, meant);
    else
        snprintf(why, why_size, "must be one of \"tcpstorm causes\"");
    return -EINVAL;
}

#define SETTING(member) offsetof(struct storm_options, settings.member)
#define OPTION(member)  offsetof(struct storm_options, member)

static const struct option_row rows[] = {
    {.name = "storm", .kind = OPTION_GROUP, .target = OPTION(settings), .group = storm_setting_rows},
    {.name = "order",
     .value = "NAME",
     .help = "close order, several separated by commas, or all",
     .preset = "server-first",
     .more = "The close order: a name from ORDERS, several separated by commas, or all. \"all\" plays in "
             "turn every order that needs no special right; with --isolate every order; with --rate every "
             "order that connections can play one by one.",
     .kind = OPTION_CUSTOM,
     .target = OPTION(settings),
     .parse = parse_orders},
    {.name = "leak",
     .value = "N|P%",
     .help = "this many, or this share, never get their second close()",
     .more = "This many connections, or this share of them, never get their second close(2): a number, or a "
             "share above 0% up to 100%. The order must have a second close: leak and never-close have none. "
             "The leaked connections are spread evenly over all. The verdict expects exactly this number.",
     .kind = OPTION_CUSTOM,
     .target = OPTION(leak),
     .parse = parse_leak},
    {.name = "rate",
     .value = "N",
     .help = "open N connections a second, one by one",
     .preset = "100 with --cause",
     .more =
         "Open N connections a second, one by one, instead of all at once. It takes the place of --conns.",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.rate),
     .min = 1,
     .max = RATE_MAX},
    {.name = "duration",
     .value = "TIME",
     .help = "how long, with --rate, --cause or --replay",
     .preset = "10s",
     .kind = OPTION_DURATION,
     .target = SETTING(flow.duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "life",
     .value = "TIME",
     .help = "how long each of them lives before it is closed",
     .preset = "200ms",
     .more = "How long each of them lives before its first close.",
     .kind = OPTION_DURATION,
     .target = SETTING(flow.life_ms),
     .min = 0,
     .max = DAY_MS},
    {.name = "cause",
     .value = "NAME",
     .help = "play a bug of \"tcpstorm causes\" under such traffic, instead of an order",
     .more = "Play that bug of CAUSES under such traffic, instead of an order.",
     .kind = OPTION_CUSTOM,
     .target = OPTION(cause),
     .parse = parse_cause},
    {.name = "fixed",
     .help = "with --cause, --replay: the same without the bug",
     .more = "With --cause or --replay: play the same with the bug fixed.",
     .kind = OPTION_FLAG,
     .target = OPTION(fixed)},
    {.name = "replay",
     .value = "FILE",
     .help = "replay the connections that \"watch --record\" recorded: are they closed now?",
     .more = "Replay the connections in a recording of \"tcpstorm watch --record\": at the same rate, each "
             "open for as long, to the server that left most of them open. Then count the CLOSE_WAIT and "
             "ghosts of that server. The exit status is 1 when some are left, 0 when none is. Without "
             "--server the replay uses a server of its own, which leaves open what the recorded server left "
             "open; with --fixed it closes all. The exit status is 3 when none is left but that proves "
             "nothing: too few connections were played, or the server ended them before their clients did.",
     .kind = OPTION_TEXT,
     .target = OPTION(replay.recording)},
    {.name = "server",
     .value = "HOST:PORT",
     .help = "with --replay: the server under test, on this machine",
     .more = "With --replay: the server under test. It must listen in this network namespace, because its "
             "sockets are counted there.",
     .kind = OPTION_TEXT,
     .target = OPTION(replay.server)},
    {.name = "send",
     .value = "FILE",
     .help = "with --replay: each client sends this first",
     .kind = OPTION_TEXT,
     .target = OPTION(replay.send)},
    {.name = "server-nofile",
     .value = "N",
     .help = "descriptor limit of the server, with --rate or --cause: see what breaks",
     .more = "The number of descriptors that a server process may have. A leak then ends in an outage. The "
             "default is the hard limit; some causes set their own.",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.server_nofile),
     .min = SERVER_NEEDS,
     .max = CONNS_MAX},
    {.name = "backlog",
     .value = "N",
     .help = "length of the accept queue, with --rate or --cause",
     .preset = "4096",
     .more = "Length of the accept queue; net.core.somaxconn cuts it.",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.backlog),
     .min = 1,
     .max = 65535},
    {.name = "keepalive", .kind = OPTION_GROUP, .target = OPTION(settings), .group = keepalive_rows},
    {.name = "remote", .kind = OPTION_GROUP, .target = OPTION(remote), .group = remote_rows},
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    {.name = "outputs", .kind = OPTION_GROUP, .target = OPTION(outputs), .group = output_rows},
    DRY_RUN_OPTION(OPTION(dry_run)),
    {.name = NULL},
};

static const struct option_table table = {
    .command = "storm", .help = "tcpstorm --help", .rows = rows, .rules = option_rules};

static struct storm_options defaults(void)
{
    struct storm_options options = {
        .settings =
            {
                .conns = NOT_GIVEN,
                .flow = {.rate = NOT_GIVEN,
                         .duration_ms = NOT_GIVEN,
                         .life_ms = NOT_GIVEN,
                         .connect_timeout_ms = 5 * MS_PER_S},
                .port = 15000,
                .hold_ms = 1 * MS_PER_S,
                .settle_ms = SETTLE_BY_SIZE,
                .interval_ms = 100,
            },
    };
    address_parse("127.0.0.1", &options.remote.addresses[0]); /* unless one is given */
    return options;
}

/* ---- what goes together ---- */

static int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int refuse(const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    text[0] = '\0';
    text_vadd(text, sizeof text, format, arguments);
    va_end(arguments);
    diag_error("%s", text);
    return -EINVAL;
}

/* A cause is played under traffic, whether or not its rate is said. */
static bool is_asked_to_arrive(const struct storm_options *options)
{
    return options->cause != NULL || options->settings.flow.rate != NOT_GIVEN;
}

static int64_t given_or(int64_t value, int64_t otherwise)
{
    return value != NOT_GIVEN ? value : otherwise;
}

/* Those that this run can play: the others say by themselves what they need. */
static void take_all_orders(struct run_settings *settings, bool is_isolated)
{
    const struct close_order *order;
    for (size_t i = 0; (order = close_order_at(i)) != NULL; i++)
        if (run_is_arriving(settings) ? order_can_flow(order) : is_isolated || order_needs_nothing(order))
            settings->experiments[settings->experiment_count++] = experiment_of_order(order);
}

static void fill_in(struct storm_options *options)
{
    struct run_settings *settings = &options->settings;
    struct flow_settings *flow = &settings->flow;
    bool is_flow = is_asked_to_arrive(options);
    flow->rate = is_flow ? given_or(flow->rate, 100) : 0;
    flow->duration_ms = given_or(flow->duration_ms, 10 * MS_PER_S);
    flow->life_ms = given_or(flow->life_ms, 200);
    if (options->cause != NULL && options->cause->connect_timeout_ms > 0)
        flow->connect_timeout_ms = options->cause->connect_timeout_ms;
    settings->conns = is_flow ? flow->rate * flow->duration_ms / MS_PER_S : given_or(settings->conns, 1000);
    if (options->cause != NULL)
        settings->experiments[settings->experiment_count++] =
            experiment_of_cause(options->cause, options->fixed);
    else if (settings->all_orders)
        take_all_orders(settings, options->isolation.wanted);
    else if (settings->experiment_count == 0)
        settings->experiments[settings->experiment_count++] = experiment_of_order(close_order_at(0));
}

static int check_leak(struct storm_options *options)
{
    struct run_settings *settings = &options->settings;
    const struct leak_option *leak = &options->leak;
    if (!leak->is_given)
        return 0;
    settings->leak = leak->count > 0 ? leak->count : settings->conns * leak->millipercent / 100000;
    if (settings->leak == 0 || settings->leak > settings->conns)
        return refuse("--leak \"%s\": must be from 1 to %s of %s connections", leak->text,
                      grouped(settings->conns).text, grouped(settings->conns).text);
    for (int i = 0; i < settings->experiment_count; i++)
        if (experiment_leaves_all(&settings->experiments[i]))
            return refuse("--leak \"%s\": --order %s has no second close() to leave out: it leaks all",
                          leak->text, settings->experiments[i].name);
    return 0;
}

static int check_flow_orders(const struct run_settings *settings)
{
    for (int i = 0; i < settings->experiment_count && run_is_arriving(settings); i++)
        if (!order_can_flow(settings->experiments[i].order))
            return refuse("--rate cannot be used with --order %s, which acts on all connections at once",
                          settings->experiments[i].name);
    return 0;
}

/* With fewer its absence would prove nothing. */
static int check_cause(const struct storm_options *options)
{
    const struct run_settings *settings = &options->settings;
    const struct fault_case *cause = options->cause;
    if (cause == NULL || settings->conns >= cause->least_conns)
        return 0;
    return refuse("--rate %s for --duration %s opens %s: --cause %s needs at least %s to show",
                  grouped(settings->flow.rate).text, duration_text(settings->flow.duration_ms).text,
                  counted(settings->conns, "connection").text, cause->bug.name,
                  grouped(cause->least_conns).text);
}

/* Returns 0, or -EINVAL after telling why not. */
static int complete(struct storm_options *options)
{
    struct run_settings *settings = &options->settings;
    fill_in(options);
    if (settings->conns < 1 || settings->conns > CONNS_MAX)
        return refuse("--rate %s for --duration %s opens %s: must be from 1 to %s",
                      grouped(settings->flow.rate).text, duration_text(settings->flow.duration_ms).text,
                      counted(settings->conns, "connection").text, grouped(CONNS_MAX).text);
    return check_cause(options) != 0 || check_flow_orders(settings) != 0 ? -EINVAL : check_leak(options);
}

/* Where it is played: in a namespace, on hosts, or just here. Returns an exit_code. */
static int prepare_place(struct storm_options *options)
{
    struct run_settings *settings = &options->settings;
    int code = options->dry_run ? EXIT_AS_EXPECTED : outputs_listen(&options->outputs);
    options->isolation.client_ports = options->cause != NULL ? options->cause->client_ports : 0;
    if (code == EXIT_AS_EXPECTED)
        code = counting_open(settings);
    if (code == EXIT_AS_EXPECTED)
        code = isolation_enter(&options->isolation, settings->conns);
    if (code == EXIT_AS_EXPECTED)
        code = remote_open(&options->remote, settings->conns, options->dry_run);
    settings->address = options->remote.addresses[0];
    settings->hosts = &options->remote.hosts;
    settings->look_inside = options->isolation.wanted ? options->isolation.look_inside : NULL;
    settings->shared = options->isolation.shared;
    settings->sysctls = options->isolation.sysctls;
    settings->sysctl_count = options->isolation.sysctl_count;
    return code;
}

/* Without the controller and its views: one process plays it, and looks. */
static int play_recording(struct storm_options *options)
{
    struct replay_wish *wish = &options->replay;
    const struct run_settings *settings = &options->settings;
    int code = isolation_enter(&options->isolation, given_or(settings->conns, 1000));
    if (code != EXIT_AS_EXPECTED)
        return code;
    wish->fixed = options->fixed;
    wish->quiet = options->outputs.quiet;
    wish->duration_ms = settings->flow.duration_ms != NOT_GIVEN ? settings->flow.duration_ms : 0;
    wish->settle_ms = settings->settle_ms != SETTLE_BY_SIZE ? settings->settle_ms : 5 * MS_PER_S;
    wish->interval_ms = settings->interval_ms;
    wish->port = (uint16_t)settings->port;
    return replay_play(wish);
}

static int cmd_storm(int argc, char *argv[])
{
    struct storm_options options = defaults();
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.outputs.quiet);
    if (options.replay.recording != NULL)
        return play_recording(&options);
    if (complete(&options) != 0 || remote_check(&options.remote) != 0 || outputs_check(&options.outputs) != 0)
        return EXIT_USAGE;
    int code = prepare_place(&options);
    const struct play run = {
        .settings = {&options.settings}, .count = 1, .outputs = &options.outputs, .dry_run = options.dry_run};
    if (code == EXIT_AS_EXPECTED)
        code = play_storm(&run, "tcpstorm", argc, argv);
    remote_close(&options.remote);
    counting_close(&options.settings);
    return code;
}

const struct command storm_command = {
    .name = "storm",
    .usage = "[--option VALUE]...",
    .examples =
        {
            {"tcpstorm --order all", "every order that needs no special right"},
            {"tcpstorm --isolate --order all", "every order"},
            {"tcpstorm --order leak --hold forever", "keep the leak for ss; Ctrl-C ends it"},
            {"tcpstorm --conns 50k --order client-first --csv - > run.csv", NULL},
            {"tcpstorm --cause ignore-eof --server-nofile 512", "until the server is out of descriptors"},
            {"tcpstorm --replay leak.jsonl --server localhost:8080", "does it now close what it left open?"},
            {"tcpstorm --witness events --order all", "count every transition too (as root)"},
            {"tcpstorm --conns 1m --dry-run", "what it would need on this machine"},
            {"tcpstorm --isolate --sysctl net.ipv4.tcp_fin_timeout=5 --order leak --hold 10s", NULL},
        },
    .options = &table,
    .run = cmd_storm,
};
