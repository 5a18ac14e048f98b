/* cmd_watch: the same eyes on live traffic, without making any. */
#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/output.h"
#include "base/stop_signals.h"
#include "base/terminal.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "cmd/watch_stacks.h"
#include "view/view.h"
#include "view/watch_view.h"
#include "watch/watch.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DAY_MS = 24 * 3600 * 1000,
    LOOK_SHARE = 12,   /* looks take at most this part of a core: with what is shown, a tenth */
    DETAIL_MS = 10000, /* between two looks that ask for ages */
    SURE_S = 10,       /* a slope over less is no reason to fail */
    SURE_LOOKS = 8,    /* nor is one over fewer looks: growth.h */
    LOST_LOOKS = 5,    /* in a row, after which it gives up */
    SETTLE_MS = 50,    /* between the two looks of --once, where the first was unsure */
    FILE_ROWS = 200,
    NOTE_ROWS = 8, /* what the terminal needs besides the rows of the table */
    BLOCK_SIZE = 65536,
    BLOCK_LINES = 60,
};

struct watch_options {
    struct watch_settings settings;
    int64_t port, pid, interval_ms, duration_ms;
    bool once, by_peer, stacks;
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
     .more = "Only the sockets of this process, and its descriptors that are in no table (ghosts). The exit "
             "status is 3 when the process is not there, ends, or is in another network namespace.",
     .kind = OPTION_COUNT,
     .target = OPTION(pid),
     .min = 1,
     .max = INT32_MAX},
    {.name = "interval",
     .value = "TIME",
     .help = "between two looks, or longer where they take long",
     .more = "Between two looks; longer where a look takes more than a tenth of a core.",
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
    {.name = "by-peer", .help = "a row for each peer", .kind = OPTION_FLAG, .target = OPTION(by_peer)},
    {.name = "stacks",
     .help = "at the end, where in its source each thread of --pid waits",
     .more =
         "When the watch ends, show where in its source each thread of the process waits, without stopping "
         "any, as \"tcpstorm explain --stacks\" does.",
     .kind = OPTION_FLAG,
     .target = OPTION(stacks)},
    {.name = "fail-on",
     .value = "WHAT",
     .help = "growth: exit 1 when CLOSE_WAIT and ghosts grow for 10 s",
     .more =
         "With growth the exit status is 1 as soon as CLOSE_WAIT and ghosts together have grown "
         "significantly for 10 s: in a process, on a port, or in all processes of one name. With keep-alive "
         "every CLOSE_WAIT turns into a ghost after a minute or so, so that neither alone tells. Where "
         "something has grown for less than that when --duration ends, the watch goes on until the 10 s are "
         "over. The exit status is 3 when there were too few looks to tell, or when ghosts would have to be "
         "counted in a process that this user may not look into.",
     .preset = "nothing",
     .kind = OPTION_CHOICE,
     .target = OPTION(fail_on),
     .choices = fail_on_choices},
    {.name = "json",
     .value = "FILE",
     .help = "every look as JSON Lines; - is stdout",
     .more = "Every look as a line of JSON; - is standard output, instead of the table.",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "watch", .help = "tcpstorm watch --help", .rows = rows, .rules = option_rules};

/* ---- signals ---- */

static volatile sig_atomic_t stopped_by; /* a signal's number; 0: none */

/* The second one does not wait for anything. */
static void on_stop(int number)
{
    if (stopped_by != 0)
        _exit(EXIT_INTERRUPTED);
    stopped_by = number;
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
    watch_print_table(out, page, size.rows > NOTE_ROWS ? size.rows - NOTE_ROWS : 1, size.columns - 1);
    fputc('\0', out);
    fclose(out);
    const char *lines[BLOCK_LINES];
    int count = 0;
    for (char *rest = text, *line; count < BLOCK_LINES && (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            lines[count++] = line;
    diag_progress_block(lines, count);
}

static void print_table(const struct watch_page *page, bool is_last)
{
    diag_progress_clear();
    watch_print_table(stdout, page, FILE_ROWS,
                      isatty(STDOUT_FILENO) == 1 ? terminal_size(STDOUT_FILENO).columns : 0);
    if (!is_last)
        fputc('\n', stdout);
}

/* After a hang-up nobody is left who reads the terminal. */
static int write_out(FILE *out)
{
    int rc = view_flush(out);
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    if (stopped_by == SIGHUP)
        return EXIT_INTERRUPTED;
    diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    return EXIT_MACHINE;
}

static int show(const struct showing *showing, const struct watch_page *page, bool is_last)
{
    if (showing->redraws && !is_last)
        draw_table(page);
    else if (showing->has_table)
        print_table(page, is_last);
    if (showing->json != NULL)
        watch_print_json(showing->json, page);
    int code = showing->json != NULL ? write_out(showing->json) : EXIT_AS_EXPECTED;
    return code == EXIT_AS_EXPECTED ? write_out(stdout) : code;
}

/* ---- looking ---- */

static void pause_ms(int64_t ms)
{
    for (int64_t until_us = monotonic_us() + ms * 1000; stopped_by == 0 && monotonic_us() < until_us;) {
        int64_t left_us = until_us - monotonic_us();
        usleep((useconds_t)(left_us > 50000 ? 50000 : left_us > 0 ? left_us : 0));
        output_push_all();
    }
}

static int64_t pause_after(const struct watch_options *options, const struct watch_look *look)
{
    int64_t left_ms = options->duration_ms - (int64_t)(look->t_s * 1e3);
    int64_t took_ms = (int64_t)(look->took_s * 1e3), wanted_ms = options->interval_ms - took_ms;
    int64_t least_ms = (int64_t)(LOOK_SHARE * look->cpu_s * 1e3) - took_ms;
    int64_t pause = wanted_ms > least_ms ? wanted_ms : least_ms;
    return left_ms > 0 && left_ms < pause ? left_ms : pause;
}

/* The watch as it goes on. */
struct course {
    const struct watch_options *options;
    struct watch *watch;
    struct watch_look look;
    int64_t detailed_us; /* the last detailed look */
    int lost_looks;      /* in a row */
    bool is_blind;       /* CLOSE_WAIT of hidden processes end as ghosts that cannot be counted */
};

/* Why the kernel, or the one process, can be looked at no longer. */
static int tell_blind(const struct watch_options *options, int error, const struct watch_look *look)
{
    diag_progress_clear();
    if (error == ESRCH && look != NULL && look->t_s > 0)
        diag_error("process %lld has ended: it was watched for %.1f s", (long long)options->pid, look->t_s);
    else if (error == ESRCH)
        diag_error("--pid \"%lld\": there is no such process, or it has ended", (long long)options->pid);
    else if (error == EXDEV)
        diag_error(
            "--pid \"%lld\": it is in another network namespace: run \"nsenter -t %lld -n tcpstorm watch "
            "--pid %lld\"",
            (long long)options->pid, (long long)options->pid, (long long)options->pid);
    else if (error == EACCES && options->pid > 0)
        diag_error("--pid \"%lld\": this user may not look into that process%s", (long long)options->pid,
                   geteuid() != 0 ? ": root may" : "");
    else if (error == ENOMEM)
        diag_error("out of memory: the kernel's sockets cannot be kept");
    else
        diag_error("the kernel's sockets cannot be read: %s", strerror(error));
    return EXIT_MACHINE;
}

/* Sockets whose owner was not found have been closed meanwhile, or are hidden: a second look tells. */
static int look_once(struct course *course)
{
    int rc = watch_take(course->watch, true, &course->look);
    if (rc == 0 && course->look.unsure > 0) {
        pause_ms(SETTLE_MS);
        rc = watch_take(course->watch, true, &course->look);
    }
    return rc;
}

static int look_again(struct course *course)
{
    int64_t now_us = monotonic_us();
    bool detailed = course->detailed_us == 0 || now_us - course->detailed_us > DETAIL_MS * 1000;
    int rc = watch_take(course->watch, detailed, &course->look);
    if (rc == 0 && detailed)
        course->detailed_us = now_us;
    return rc;
}

static int tell_growth(const struct course *course)
{
    struct watch_growth growing;
    if (course->options->fail_on == 0 || !watch_growing(&course->look, SURE_S, &growing))
        return EXIT_AS_EXPECTED;
    diag_progress_clear();
    diag_error("%s", watch_growth_words(&growing).text);
    return EXIT_DIFFERS;
}

/* Something grows for most of the time, but not for long enough to be sure: a few seconds more will tell. */
static bool is_in_doubt(const struct course *course)
{
    const struct watch_look *look = &course->look;
    struct watch_growth growing;
    return course->options->fail_on != 0 && watch_growing(look, look->t_s / 2, &growing);
}

static bool is_over(const struct course *course)
{
    const struct watch_options *options = course->options;
    int64_t beyond_ms = (int64_t)(course->look.t_s * 1e3) - options->duration_ms;
    if (options->once || stopped_by != 0)
        return true;
    return options->duration_ms > 0 && beyond_ms >= (is_in_doubt(course) ? SURE_S * 1000 : 0);
}

static int tell_too_few(const struct course *course)
{
    struct trend all = trend_of(&course->look.all);
    if (all.kind != TREND_UNKNOWN)
        return EXIT_AS_EXPECTED;
    diag_error("too few looks to tell whether CLOSE_WAIT grow: %lld over %.0f s; a longer --duration or a "
               "shorter --interval gives more",
               (long long)all.looks, all.span_s);
    return EXIT_MACHINE;
}

/* That CLOSE_WAIT do not grow says nothing where they turn into ghosts that cannot be counted. */
static int tell_unseen_ghosts(const struct course *course)
{
    const struct watch_look *look = &course->look;
    const char *remedy = geteuid() != 0 ? "; run it as root" : "";
    if (look->ghosts_error != 0)
        diag_error("no verdict: descriptors whose socket is in no table (ghosts) could not be counted: %s",
                   strerror(look->ghosts_error));
    else if (course->is_blind)
        diag_error("no verdict: CLOSE_WAIT with keep-alive turn into ghosts, which are in no table, and this "
                   "user may not look into the process that has them%s",
                   remedy);
    else if (look->unlooked > 0)
        diag_note("ghosts (descriptors whose socket is in no table) of %lld listeners were not counted: "
                  "this user may not look into their processes%s",
                  (long long)look->unlooked, remedy);
    return look->ghosts_error != 0 || course->is_blind ? EXIT_MACHINE : EXIT_AS_EXPECTED;
}

/* A watch that was to last, or to judge, is interrupted; one that goes on until Ctrl-C has its end. */
static int tell_end(const struct course *course)
{
    const struct watch_options *options = course->options;
    bool was_to_end = options->duration_ms > 0 || options->fail_on != 0 || options->once;
    if (stopped_by != 0)
        outputs_hurry();
    if (stopped_by != 0)
        return stopped_by == SIGHUP || was_to_end ? EXIT_INTERRUPTED : EXIT_AS_EXPECTED;
    if (options->fail_on == 0)
        return EXIT_AS_EXPECTED;
    int code = tell_too_few(course);
    return code == EXIT_AS_EXPECTED ? tell_unseen_ghosts(course) : code;
}

static struct watch_page page_of(struct course *course)
{
    const struct watch_options *options = course->options;
    course->is_blind |= course->look.doomed > 0;
    return (struct watch_page){.look = &course->look, .is_root = geteuid() == 0, .by_peer = options->by_peer};
}

/* The threads' places below the last table, and the exit code. Who ends it by anything but Ctrl-C does not
 * wait. */
static int end(const struct course *course, const struct showing *showing, int code)
{
    int unseen = EXIT_AS_EXPECTED;
    if (course->options->stacks && (stopped_by == 0 || stopped_by == SIGINT)) {
        unseen =
            watch_stacks_show((pid_t)course->options->pid, showing->has_table ? stdout : NULL, showing->json);
        int rc = showing->json != NULL ? write_out(showing->json) : EXIT_AS_EXPECTED;
        rc = rc == EXIT_AS_EXPECTED ? write_out(stdout) : rc;
        unseen = rc == EXIT_AS_EXPECTED ? unseen : rc;
    }
    if (code == EXIT_AS_EXPECTED)
        code = tell_end(course);
    return code == EXIT_AS_EXPECTED ? unseen : code;
}

/* What is left to be said when the watch is over: the last table stays. */
static int look_on(struct course *course, const struct showing *showing)
{
    for (;;) {
        int rc = course->options->once ? look_once(course) : look_again(course);
        course->lost_looks = rc == -EINTR ? course->lost_looks + 1 : 0;
        if (rc == -EINTR && course->lost_looks < LOST_LOOKS && stopped_by == 0) {
            pause_ms(course->options->interval_ms);
            continue;
        }
        if (rc != 0)
            return stopped_by != 0 ? tell_end(course) : tell_blind(course->options, -rc, &course->look);
        const struct watch_page page = page_of(course);
        int code = tell_growth(course);
        bool is_last = code != EXIT_AS_EXPECTED || is_over(course);
        rc = show(showing, &page, is_last);
        if (rc != EXIT_AS_EXPECTED)
            return rc;
        if (is_last)
            return end(course, showing, code);
        outputs_wait_while_clogged(stdout, &stopped_by);
        if (showing->json != NULL)
            outputs_wait_while_clogged(showing->json, &stopped_by);
        pause_ms(pause_after(course->options, &course->look));
    }
}

/* ---- beginning and end ---- */

static int check_growth(const struct watch_options *options)
{
    if (options->fail_on == 0)
        return EXIT_AS_EXPECTED;
    if (options->duration_ms > 0 && options->duration_ms < SURE_S * 1000)
        diag_error("--fail-on growth: --duration must be %ds or more", SURE_S);
    else if (options->duration_ms > 0 && options->interval_ms > options->duration_ms / SURE_LOOKS)
        diag_error(
            "--fail-on growth: %d looks are needed, --interval must be at most an eighth of --duration",
            SURE_LOOKS);
    else
        return EXIT_AS_EXPECTED;
    return EXIT_USAGE;
}

static int open_and_look(const struct watch_options *options, struct watch *watch)
{
    const struct output_path path = {"json", options->json};
    bool to_stdout = output_is_stdout(options->json), has_file = options->json != NULL && !to_stdout;
    if (outputs_check_paths(&path, 1) != 0)
        return EXIT_USAGE;
    struct showing showing = {.has_table = !to_stdout, .json = to_stdout ? stdout : NULL};
    showing.redraws = diag_is_terminal() && isatty(STDOUT_FILENO) == 1 && !options->once && !to_stdout;
    if (has_file) {
        char name[160];
        snprintf(name, sizeof name, "--json %s", options->json);
        showing.json = output_open(options->json, name);
    }
    if (has_file && showing.json == NULL) {
        diag_error("--json \"%s\": %s", options->json, strerror(errno));
        return EXIT_USAGE;
    }
    struct course course = {.options = options, .watch = watch};
    int code = look_on(&course, &showing);
    if (!has_file)
        return code;
    int rc = outputs_let_go_and_close(showing.json);
    return rc == 0 || code == EXIT_INTERRUPTED ? code : rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

static int cmd_watch(int argc, char *argv[])
{
    struct watch_options options = {.interval_ms = 1000};
    int error;
    if (options_parse(&table, argc, argv, &options) != 0 || check_growth(&options) != EXIT_AS_EXPECTED)
        return EXIT_USAGE;
    stop_signals_catch(on_stop, NULL);
    const struct watch_settings settings = {
        .port = (uint16_t)options.port, .pid = (pid_t)options.pid, .by_peer = options.by_peer};
    struct watch *watch = watch_new(&settings, &error);
    if (watch == NULL)
        return tell_blind(&options, -error, NULL);
    int code = open_and_look(&options, watch);
    watch_free(watch);
    return code;
}

const struct command watch_command = {
    .name = "watch",
    .summary = "show the sockets that are there: who owes a close(), and does it grow",
    .usage = "watch [--option value ...]",
    .examples =
        {
            {"tcpstorm watch", "until Ctrl-C"},
            {"tcpstorm watch --once --by-peer", "one look, a row for each peer"},
            {"tcpstorm watch --port 8080 --fail-on growth --duration 5m", "exit 1 as soon as it leaks"},
        },
    .options = &table,
    .run = cmd_watch,
};
