/* cmd_storm: the front door: N connections, one or more close orders, and what the kernel says of every
 * socket. */
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/parse.h"
#include "cause/cause.h"
#include "cmd/address_options.h"
#include "cmd/command.h"
#include "cmd/isolation.h"
#include "cmd/outputs.h"
#include "cmd/play.h"
#include "cmd/remote.h"
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
    struct storm_settings settings;
    const struct fault_case *cause; /* NULL: orders are played */
    bool fixed;                     /* its twin without the bug */
    struct leak_option leak;
    struct isolation isolation;
    struct remote remote;
    struct output_options outputs;
    bool dry_run;
};

enum {
    MS_PER_S = 1000,
    DAY_MS = 24 * 3600 * 1000,
    CONNS_MAX = 100000000,
    RATE_MAX = 1000000,
    NOT_GIVEN = -1
};
enum { SERVER_NEEDS = 16 }; /* streams, epoll, listener, and a few connections */

static int add_order(struct storm_settings *settings, const char *name, char *why, size_t why_size)
{
    const struct close_order *order = close_order_find(name);
    if (order == NULL) {
        const char *meant = close_order_nearest(name);
        if (meant != NULL)
            snprintf(why, why_size, "there is no order %.40s: did you mean %s?", name, meant);
        else
            snprintf(why, why_size, "allowed is one of \"tcpstorm orders\", a comma list of them, or all");
        return -EINVAL;
    }
    if (settings->experiment_count == RUN_EXPERIMENTS_MAX) {
        snprintf(why, why_size, "allowed are at most %d orders in one run", RUN_EXPERIMENTS_MAX);
        return -EINVAL;
    }
    settings->experiments[settings->experiment_count++] = experiment_of_order(order);
    return 0;
}

static int parse_orders(const char *text, void *target, char *why, size_t why_size)
{
    struct storm_settings *settings = target;
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
             "allowed is a number of connections, such as 20, or a share above 0%% up to 100%%, such as 5%%");
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
        snprintf(why, why_size, "allowed is one of \"tcpstorm causes\"");
    return -EINVAL;
}

#define SETTING(member) offsetof(struct storm_options, settings.member)
#define OPTION(member)  offsetof(struct storm_options, member)

static const struct option_row rows[] = {
    {.name = "conns",
     .value = "N",
     .help = "connections to open",
     .preset = "1000",
     .kind = OPTION_COUNT,
     .target = SETTING(conns),
     .min = 1,
     .max = CONNS_MAX},
    {.name = "order",
     .value = "NAME",
     .help = "close order, a comma list of them, or all",
     .preset = "server-first",
     .kind = OPTION_CUSTOM,
     .target = OPTION(settings),
     .parse = parse_orders},
    {.name = "leak",
     .value = "N|P%",
     .help = "so many, or this share of them, never get their second close()",
     .kind = OPTION_CUSTOM,
     .target = OPTION(leak),
     .parse = parse_leak},
    {.name = "rate",
     .value = "N",
     .help = "open N connections a second, one by one",
     .preset = "100 with --cause",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.rate),
     .min = 1,
     .max = RATE_MAX},
    {.name = "duration",
     .value = "TIME",
     .help = "for so long, with --rate or --cause",
     .preset = "10s",
     .kind = OPTION_DURATION,
     .target = SETTING(flow.duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "life",
     .value = "TIME",
     .help = "how long each of them lives before it is closed",
     .preset = "200ms",
     .kind = OPTION_DURATION,
     .target = SETTING(flow.life_ms),
     .min = 0,
     .max = DAY_MS},
    {.name = "cause",
     .value = "NAME",
     .help = "play a bug of \"tcpstorm causes\" under such traffic, instead of an order",
     .kind = OPTION_CUSTOM,
     .target = OPTION(cause),
     .parse = parse_cause},
    {.name = "fixed",
     .help = "with --cause: the twin without the bug",
     .kind = OPTION_FLAG,
     .target = OPTION(fixed)},
    {.name = "server-nofile",
     .value = "N",
     .help = "descriptors of the server, with --rate or --cause: see what breaks",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.server_nofile),
     .min = SERVER_NEEDS,
     .max = CONNS_MAX},
    {.name = "backlog",
     .value = "N",
     .help = "accept queue of the server, with --rate or --cause",
     .kind = OPTION_COUNT,
     .target = SETTING(flow.backlog),
     .min = 1,
     .max = 65535},
    {.name = "hold",
     .value = "TIME",
     .help = "stay in each settled step; forever: in the last, until Ctrl-C",
     .preset = "1s",
     .kind = OPTION_CUSTOM,
     .target = SETTING(hold_ms),
     .parse = play_parse_hold},
    {.name = "settle",
     .value = "TIME",
     .help = "time for the kernel to show a step's states",
     .preset = "5s, above 100k 1m",
     .kind = OPTION_DURATION,
     .target = SETTING(settle_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "interval",
     .value = "TIME",
     .help = "time between two looks",
     .preset = "100ms",
     .kind = OPTION_DURATION,
     .target = SETTING(interval_ms),
     .min = 1,
     .max = DAY_MS},
    REMOTE_OPTIONS(OPTION(remote)),
    PORT_OPTION(SETTING(port), "first server port to try"),
    ISOLATION_OPTIONS(OPTION(isolation)),
    {.name = "witness",
     .value = "HOW",
     .help = "how to ask the kernel: auto, netlink, procfs",
     .preset = "auto",
     .kind = OPTION_CHOICE,
     .target = SETTING(witness),
     .choices = witness_choices},
    OUTPUT_OPTIONS(OPTION(outputs)),
    {.name = "dry-run",
     .help = "print the plan and open nothing",
     .kind = OPTION_FLAG,
     .target = OPTION(dry_run)},
    {.name = NULL},
};

void storm_print_options(FILE *out)
{
    options_print_help(rows, out);
}

int cmd_options(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    options_print_names(rows, stdout);
    return EXIT_AS_EXPECTED;
}

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
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    diag_error("%s", text);
    return -EINVAL;
}

/* A cause is played under traffic, whether or not its rate is said. */
static bool is_asked_to_arrive(const struct storm_options *options)
{
    return options->cause != NULL || options->settings.flow.rate != NOT_GIVEN;
}

static int check_combination(const struct storm_options *options)
{
    const struct storm_settings *settings = &options->settings;
    const struct flow_settings *flow = &settings->flow;
    bool is_cause = options->cause != NULL, is_flow = is_asked_to_arrive(options);
    const struct {
        bool is_wrong;
        const char *option, *why;
    } rules[] = {
        {options->fixed && !is_cause, "fixed", "needs --cause NAME: it plays that cause without its bug"},
        {is_cause && (settings->experiment_count > 0 || settings->all_orders), "order",
         "cannot be used with --cause, which plays its own"},
        {is_cause && options->leak.is_given, "leak", "cannot be used with --cause, which leaks by itself"},
        {is_flow && settings->conns != NOT_GIVEN, "conns",
         "cannot be used with --rate or --cause: they open --rate connections a second for --duration"},
        {!is_flow && flow->duration_ms != NOT_GIVEN, "duration", "needs --rate or --cause"},
        {!is_flow && flow->life_ms != NOT_GIVEN, "life", "needs --rate or --cause"},
        {!is_flow && flow->server_nofile != 0, "server-nofile", "needs --rate or --cause"},
        {!is_flow && flow->backlog != 0, "backlog", "needs --rate or --cause"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].is_wrong)
            return refuse("--%s %s", rules[i].option, rules[i].why);
    return 0;
}

static int64_t given_or(int64_t value, int64_t otherwise)
{
    return value != NOT_GIVEN ? value : otherwise;
}

/* Those that this run can play: the others say by themselves what they need. */
static void take_all_orders(struct storm_settings *settings, bool is_isolated)
{
    const struct close_order *order;
    for (size_t i = 0; (order = close_order_at(i)) != NULL; i++)
        if (run_is_arriving(settings) ? order_can_flow(order) : is_isolated || order_needs_nothing(order))
            settings->experiments[settings->experiment_count++] = experiment_of_order(order);
}

static void fill_in(struct storm_options *options)
{
    struct storm_settings *settings = &options->settings;
    struct flow_settings *flow = &settings->flow;
    bool is_flow = is_asked_to_arrive(options);
    flow->rate = is_flow ? given_or(flow->rate, 100) : 0;
    flow->duration_ms = given_or(flow->duration_ms, 10 * MS_PER_S);
    flow->life_ms = given_or(flow->life_ms, 200);
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
    struct storm_settings *settings = &options->settings;
    const struct leak_option *leak = &options->leak;
    if (!leak->is_given)
        return 0;
    settings->leak = leak->count > 0 ? leak->count : settings->conns * leak->millipercent / 100000;
    if (settings->leak == 0 || settings->leak > settings->conns)
        return refuse("--leak \"%s\": of %s connections allowed are 1 to %s", leak->text,
                      grouped(settings->conns).text, grouped(settings->conns).text);
    for (int i = 0; i < settings->experiment_count; i++)
        if (experiment_leaves_all(&settings->experiments[i]))
            return refuse("--leak \"%s\": --order %s has no second close() to leave out: it leaks all",
                          leak->text, settings->experiments[i].name);
    return 0;
}

static int check_flow_orders(const struct storm_settings *settings)
{
    for (int i = 0; i < settings->experiment_count && run_is_arriving(settings); i++)
        if (!order_can_flow(settings->experiments[i].order))
            return refuse("--rate cannot be used with --order %s, which is for all connections at once",
                          settings->experiments[i].name);
    return 0;
}

/* Returns 0, or -EINVAL after telling why not. */
static int complete(struct storm_options *options)
{
    struct storm_settings *settings = &options->settings;
    if (check_combination(options) != 0)
        return -EINVAL;
    fill_in(options);
    if (settings->conns < 1 || settings->conns > CONNS_MAX)
        return refuse("--rate %s for --duration %s makes %s connections: allowed are 1 to %s",
                      grouped(settings->flow.rate).text, duration_text(settings->flow.duration_ms).text,
                      grouped(settings->conns).text, grouped(CONNS_MAX).text);
    return check_flow_orders(settings) != 0 ? -EINVAL : check_leak(options);
}

/* Where it is played: in a namespace, on hosts, or just here. Returns an exit_code. */
static int prepare_place(struct storm_options *options)
{
    struct storm_settings *settings = &options->settings;
    int code = options->dry_run ? EXIT_AS_EXPECTED : outputs_listen(&options->outputs);
    if (code == EXIT_AS_EXPECTED)
        code = isolation_enter(&options->isolation, settings->conns);
    if (code == EXIT_AS_EXPECTED)
        code = remote_open(&options->remote, settings->conns, options->dry_run);
    settings->address = options->remote.addresses[0];
    settings->hosts = &options->remote.hosts;
    settings->look_inside = options->isolation.wanted ? options->isolation.look_inside : NULL;
    settings->sysctls = options->isolation.sysctls;
    settings->sysctl_count = options->isolation.sysctl_count;
    return code;
}

int cmd_storm(int argc, char *argv[])
{
    struct storm_options options = defaults();
    if (options_parse(rows, argc, argv, &options) != 0 || complete(&options) != 0 ||
        isolation_check(&options.isolation) != 0 ||
        remote_check(&options.remote, options.isolation.wanted) != 0 || outputs_check(&options.outputs) != 0)
        return EXIT_USAGE;
    diag_set_quiet(options.outputs.quiet);
    int code = prepare_place(&options);
    const struct play run = {
        .settings = {&options.settings}, .count = 1, .outputs = &options.outputs, .dry_run = options.dry_run};
    if (code == EXIT_AS_EXPECTED)
        code = play_storm(&run, "tcpstorm", argc, argv);
    remote_close(&options.remote);
    return code;
}
