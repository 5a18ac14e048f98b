/* cmd_watch: the same eyes on live traffic, without making any. */
#include "audit/watch.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/output.h"
#include "base/terminal.h"
#include "cmd/command.h"
#include "cmd/outputs.h"
#include "storm/clock.h"
#include "tcp/socket_owner.h"
#include "tcp/unlisted_sockets.h"
#include "view/view.h"
#include "view/watch_view.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DAY_MS = 24 * 3600 * 1000,
    LOOK_SHARE = 12,   /* a look takes at most this part of the time: with what is shown, a tenth */
    DETAIL_MS = 10000, /* between two looks that ask for ages */
    SURE_S = 10,       /* a slope over less is no reason to fail */
    FILE_ROWS = 200,
    BLOCK_SIZE = 65536,
    BLOCK_LINES = 60,
};

struct watch_options {
    struct watch_settings settings;
    int64_t port, pid, interval_ms, duration_ms;
    bool once, by_peer;
    int fail_on;
    const char *json;
};

static const char *const fail_on_choices[] = {"nothing", "growth", NULL};

#define OPTION(member) offsetof(struct watch_options, member)

static const struct option_row rows[] = {
    {.name = "port",
     .value = "PORT",
     .help = "only sockets with this port, here or there",
     .kind = OPTION_COUNT,
     .target = OPTION(port),
     .min = 1,
     .max = 65535},
    {.name = "pid",
     .value = "PID",
     .help = "only sockets of this process, its ghosts too",
     .kind = OPTION_COUNT,
     .target = OPTION(pid),
     .min = 1,
     .max = INT32_MAX},
    {.name = "interval",
     .value = "TIME",
     .help = "between two looks, or longer where they take long",
     .preset = "1s",
     .kind = OPTION_DURATION,
     .target = OPTION(interval_ms),
     .min = 50,
     .max = DAY_MS},
    {.name = "duration",
     .value = "TIME",
     .help = "for so long",
     .preset = "until Ctrl-C",
     .kind = OPTION_DURATION,
     .target = OPTION(duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "once", .help = "one look", .kind = OPTION_FLAG, .target = OPTION(once)},
    {.name = "by-peer",
     .help = "a row for each peer of a server",
     .kind = OPTION_FLAG,
     .target = OPTION(by_peer)},
    {.name = "fail-on",
     .value = "WHAT",
     .help = "growth: exit 1 when CLOSE_WAIT grow",
     .preset = "nothing",
     .kind = OPTION_CHOICE,
     .target = OPTION(fail_on),
     .choices = fail_on_choices},
    {.name = "json",
     .value = "FILE",
     .help = "every look as JSON Lines; - is stdout",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = NULL},
};

void watch_print_options(FILE *out)
{
    options_print_help(rows, out);
}

static volatile sig_atomic_t is_stopped;

static void on_stop(int number)
{
    (void)number;
    is_stopped = 1;
}

/* ---- one look, shown ---- */

struct showing {
    FILE *json;     /* NULL: none */
    bool redraws;   /* the table, on a terminal */
    bool has_table; /* the table goes to stdout */
};

static void draw_table(const struct watch_page *page)
{
    char text[BLOCK_SIZE];
    struct terminal_size size = terminal_size(STDERR_FILENO);
    FILE *out = fmemopen(text, sizeof text, "w");
    if (out == NULL)
        return;
    watch_print_table(out, page, size.rows > 6 ? size.rows - 6 : 1, size.columns - 1);
    fputc('\0', out);
    fclose(out);
    const char *lines[BLOCK_LINES];
    int count = 0;
    for (char *rest = text, *line; count < BLOCK_LINES && (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            lines[count++] = line;
    diag_progress_block(lines, count);
}

/* Returns 0, or a negative errno after telling. */
static int write_out(FILE *out)
{
    int rc = view_flush(out);
    if (rc != 0)
        diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    return rc;
}

static int show(const struct showing *showing, const struct watch_page *page, bool is_last)
{
    if (showing->json != NULL)
        watch_print_json(showing->json, page);
    if (showing->redraws && !is_last)
        draw_table(page);
    else if (showing->has_table) {
        diag_progress_clear();
        watch_print_table(stdout, page, FILE_ROWS, 0);
        if (!is_last)
            fputc('\n', stdout);
    }
    int rc = showing->json != NULL ? write_out(showing->json) : 0;
    return rc != 0 ? rc : write_out(stdout);
}

/* ---- looking ---- */

static void pause_ms(int64_t ms)
{
    for (int64_t until_us = monotonic_us() + ms * 1000; !is_stopped && monotonic_us() < until_us;) {
        int64_t left_us = until_us - monotonic_us();
        usleep((useconds_t)(left_us > 50000 ? 50000 : left_us > 0 ? left_us : 0));
    }
}

static int64_t pause_after(const struct watch_options *options, const struct watch_look *look)
{
    int64_t left_ms =
        options->duration_ms > 0 ? options->duration_ms - (int64_t)(look->t_s * 1e3) : INT64_MAX;
    int64_t took_ms = (int64_t)(look->took_s * 1e3), least_ms = (LOOK_SHARE - 1) * took_ms;
    int64_t wanted_ms = options->interval_ms - took_ms;
    int64_t pause = wanted_ms > least_ms ? wanted_ms : least_ms;
    return pause < left_ms ? pause : left_ms;
}

static int tell_growth(const struct watch_options *options, const struct watch_look *look)
{
    struct trend trend;
    const struct watch_row *row = watch_growing(look, &trend);
    if (options->fail_on == 0 || row == NULL || trend.span_s < SURE_S)
        return EXIT_AS_EXPECTED;
    diag_progress_clear();
    diag_error("CLOSE_WAIT on %s port %u (%s pid %d) %s", row->side == SIDE_SERVER ? "server" : "client of",
               row->port, row->pid > 0 ? row->command : "no process", (int)row->pid,
               growth_words(&trend).text);
    return EXIT_DIFFERS;
}

/* What is left to be said when the watch is over: the last table stays. */
static int look_on(const struct watch_options *options, const struct showing *showing, struct watch *watch)
{
    int64_t began_us = monotonic_us(), detailed_us = 0;
    for (;;) {
        struct watch_look look;
        int64_t now_us = monotonic_us();
        bool detailed = detailed_us == 0 || now_us - detailed_us > DETAIL_MS * 1000;
        int rc = watch_take(watch, detailed, &look);
        if (rc != 0) {
            diag_error("the kernel's sockets cannot be read: %s", strerror(-rc));
            return EXIT_MACHINE;
        }
        detailed_us = detailed ? now_us : detailed_us;
        struct watch_page page = {.look = &look,
                                  .ghosts = options->pid > 0 ? unlisted_sockets((pid_t)options->pid) : -1};
        int code = tell_growth(options, &look);
        bool is_over = options->duration_ms > 0 && now_us - began_us >= options->duration_ms * 1000;
        bool is_last = options->once || is_over || is_stopped || code != EXIT_AS_EXPECTED;
        if (show(showing, &page, is_last) != 0)
            return EXIT_MACHINE;
        if (is_last)
            return code;
        outputs_wait_while_clogged(stdout, &is_stopped);
        if (showing->json != NULL)
            outputs_wait_while_clogged(showing->json, &is_stopped);
        pause_ms(pause_after(options, &look));
    }
}

static int check(struct watch_options *options)
{
    if (options->once && options->fail_on != 0) {
        diag_error("--once and --fail-on growth: one look shows no growth, allowed is --duration");
        return EXIT_USAGE;
    }
    if (options->pid > 0 && process_command((pid_t)options->pid).text[0] == '\0') {
        diag_error("--pid \"%lld\": there is no such process", (long long)options->pid);
        return EXIT_USAGE;
    }
    options->settings = (struct watch_settings){
        .port = (uint16_t)options->port, .pid = (pid_t)options->pid, .by_peer = options->by_peer};
    return EXIT_AS_EXPECTED;
}

static int open_and_look(const struct watch_options *options)
{
    bool to_stdout = output_is_stdout(options->json);
    struct showing showing = {.has_table = !to_stdout};
    showing.redraws = diag_is_terminal() && isatty(STDOUT_FILENO) == 1 && !options->once && !to_stdout;
    const struct output_path path = {"json", options->json};
    if (outputs_check_paths(&path, 1) != 0)
        return EXIT_USAGE;
    char name[160];
    snprintf(name, sizeof name, "--json %s", to_stdout ? "-" : options->json);
    showing.json = to_stdout ? stdout : options->json != NULL ? output_open(options->json, name) : NULL;
    if (options->json != NULL && showing.json == NULL) {
        diag_error("--json \"%s\": %s", options->json, strerror(errno));
        return EXIT_USAGE;
    }
    struct watch *watch = watch_new(&options->settings);
    int code = watch != NULL ? look_on(options, &showing, watch) : EXIT_MACHINE;
    if (watch == NULL)
        diag_error("the kernel's sockets cannot be read here, or memory is short");
    watch_free(watch);
    if (is_stopped)
        outputs_hurry();
    if (showing.json == NULL || to_stdout)
        return code;
    return outputs_let_go_and_close(showing.json) != 0 ? EXIT_MACHINE : code;
}

int cmd_watch(int argc, char *argv[])
{
    struct watch_options options = {.interval_ms = 1000};
    if (options_parse(rows, argc, argv, &options) != 0 || check(&options) != 0)
        return EXIT_USAGE;
    const struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    return open_and_look(&options);
}
