#include "cmd/outputs.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/output.h"
#include "base/stop_signals.h"
#include "cmd/command.h"
#include "view/view.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINKS_MAX = 8,
    PUMP_MS = 50,
    CLOGGED_TICKS = 20, /* for a second, then it is told */
    HURRY_US = 1000000,
    AT_ONCE_US = 300000, /* the second signal leaves a second for all: see storm.c */
};

bool output_is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* ---- where they go ---- */

/* Where an output will be: an existing file, or a name in a directory. */
struct place {
    struct stat at;          /* the file, or the directory where it will be made */
    char name[NAME_MAX + 1]; /* "": the file is there */
};

/* The directory in which a path that is not there would be made. */
static int find_directory(const char *path, struct place *place)
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX] = ".";
    if (slash != NULL)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path);
    snprintf(place->name, sizeof place->name, "%.*s", NAME_MAX, slash != NULL ? slash + 1 : path);
    if (stat(directory, &place->at) != 0 || access(directory, W_OK | X_OK) != 0)
        return -errno;
    return 0;
}

/* Replaces the path of a symbolic link by what it points to. False where it is none. */
static bool follow_link(char path[PATH_MAX])
{
    char target[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    const char *slash = target[0] != '/' ? strrchr(path, '/') : NULL;
    snprintf(whole, sizeof whole, "%.*s%s", slash != NULL ? (int)(slash - path) + 1 : 0, path, target);
    snprintf(path, PATH_MAX, "%.*s", PATH_MAX - 1, whole);
    return true;
}

/* Whether the path can be written, without opening it: nothing may be made or truncated before all input is
 * known to be good. Returns 0 or a negative errno. */
static int find_place(const char *given, struct place *place)
{
    char path[PATH_MAX];
    place->name[0] = '\0';
    if (stat(given, &place->at) == 0) {
        if (S_ISDIR(place->at.st_mode))
            return -EISDIR;
        return access(given, W_OK) == 0 ? 0 : -errno;
    }
    if (errno != ENOENT)
        return -errno;
    snprintf(path, sizeof path, "%s", given);
    for (int i = 0; i < LINKS_MAX && follow_link(path);
         i++) /* it may point to a file that is not there yet */
        ;
    return find_directory(path, place);
}

/* Devices take two: nothing is overwritten there. */
static bool same_place(const struct place *a, const struct place *b)
{
    return a->at.st_dev == b->at.st_dev && a->at.st_ino == b->at.st_ino && !S_ISCHR(a->at.st_mode) &&
           strcmp(a->name, b->name) == 0;
}

/* "standard output", "standard error" where that file is one of them, by whatever name; NULL otherwise. */
static const char *standard_stream_at(const struct place *place)
{
    static const char *const names[] = {
        [STDOUT_FILENO] = "standard output", [STDERR_FILENO] = "standard error"};
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat standard;
        if (place->name[0] == '\0' && fstat(fd, &standard) == 0 && standard.st_dev == place->at.st_dev &&
            standard.st_ino == place->at.st_ino && (!S_ISCHR(standard.st_mode) || isatty(fd) == 1))
            return names[fd];
    }
    return NULL;
}

static int refuse_output(const char *option, const char *path, int error)
{
    diag_error("--%s \"%s\": %s; must be a file that can be written, or -", option, path, strerror(error));
    return -EINVAL;
}

#define OPTION(member) offsetof(struct output_options, member)

const struct option_row output_rows[] = {
    {.name = "csv",
     .value = "FILE",
     .help = "write every look as CSV; - is stdout",
     .more = "Write every look as CSV to FILE, which is overwritten. With - the CSV goes to standard output, "
             "and the summary to standard error. Two outputs cannot be the same file.",
     .kind = OPTION_TEXT,
     .target = OPTION(csv)},
    {.name = "json",
     .value = "FILE",
     .help = "write every event as JSON Lines; - is stdout",
     .more = "Write every event as JSON Lines to FILE, which is overwritten. Only one of --csv and --json "
             "can be -.",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = "transitions",
     .value = "FILE",
     .help = "with --witness events: write all transitions as CSV; - is stdout",
     .more = "With --witness events: write the transitions of each order as CSV to FILE, which is "
             "overwritten: a row for each move from one state to another, with its count and how long "
             "sockets stayed in the state that they left. See TRANSITIONS.",
     .kind = OPTION_TEXT,
     .target = OPTION(transitions)},
    {.name = "metrics",
     .value = "ADDR:PORT",
     .help = "serve OpenMetrics at /metrics while the run lasts",
     .more =
         "Serve the last look to a monitor while the run lasts, at http://ADDR:PORT/metrics; ADDR is a "
         "loopback address. With --isolate too, it can be reached from outside the namespace. See METRICS.",
     .kind = OPTION_CUSTOM,
     .target = OPTION(metrics),
     .parse = metrics_listener_parse_loopback},
    {.name = "live",
     .help = "draw histograms from the start; on a terminal the default after 1 s",
     .more = "Draw both sides' histograms from the start; on a terminal a run of over a second does so by "
             "itself. See LIVE VIEW.",
     .kind = OPTION_FLAG,
     .target = OPTION(live)},
    {.name = "plain",
     .help = "show a line of progress instead",
     .kind = OPTION_FLAG,
     .target = OPTION(plain)},
    {.name = "quiet",
     .help = "no summary, warnings or progress, only errors and the exit code",
     .more = "No summary, no warnings, no progress. Errors are still printed.",
     .kind = OPTION_FLAG,
     .target = OPTION(quiet)},
    {.name = NULL},
};

int outputs_listen(struct output_options *options)
{
    return metrics_listener_open(&options->metrics);
}

static int refuse_twice(const struct output_path *a, const struct output_path *b)
{
    if (output_is_stdout(a->path))
        diag_error("--%s \"-\" and --%s \"-\": only one of them can be stdout: name a file for the other",
                   a->option, b->option);
    else
        diag_error("--%s \"%s\" and --%s \"%s\": must be two different files", a->option, a->path, b->option,
                   b->path);
    return -EINVAL;
}

int outputs_check_paths(const struct output_path *paths, int count)
{
    struct place places[OBSERVERS_MAX];
    for (int i = 0; i < count; i++) {
        const struct output_path *path = &paths[i];
        bool is_file = path->path != NULL && !output_is_stdout(path->path);
        int rc = is_file ? find_place(path->path, &places[i]) : 0;
        if (rc != 0)
            return refuse_output(path->option, path->path, -rc);
        const char *standard = is_file ? standard_stream_at(&places[i]) : NULL;
        if (standard != NULL) {
            diag_error("--%s \"%s\" is %s: must be another file, or - for standard output", path->option,
                       path->path, standard);
            return -EINVAL;
        }
        for (int k = 0; k < i; k++)
            if (output_is_stdout(path->path)
                    ? output_is_stdout(paths[k].path)
                    : is_file && paths[k].path != NULL && !output_is_stdout(paths[k].path) &&
                          same_place(&places[k], &places[i]))
                return refuse_twice(&paths[k], path);
    }
    return 0;
}

int outputs_check(const struct output_options *options)
{
    const struct output_path paths[] = {
        {"csv", options->csv}, {"json", options->json}, {"transitions", options->transitions}};
    return outputs_check_paths(paths, sizeof paths / sizeof paths[0]);
}

/* ---- readers that stop ---- */

/* The last of the views: what waits is written while the run goes on, and a reader that has stopped is told
 * once. */
struct pump {
    struct outputs *outputs;
};

static void on_pump(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct outputs *outputs = context;
    output_push_all();
    const char *clogged = observers_clogged(&outputs->observers);
    outputs->clogged_ticks = clogged != NULL ? outputs->clogged_ticks + 1 : 0;
    if (outputs->clogged_ticks < CLOGGED_TICKS || outputs->clog_is_told)
        return;
    outputs->clog_is_told = true;
    diag_warn("%s: the reader has stopped; looks pause until it continues", clogged);
}

/* Ctrl-Z: what is drawn goes before the shell writes. A process that cannot be stopped just goes on: it is
 * the kernel's usual way that decides. */
static void on_pause(evutil_socket_t number, short what, void *context)
{
    (void)what;
    struct outputs *outputs = context;
    diag_progress_clear();
    event_del(outputs->pauses);
    event_del(outputs->resumes);
    raise((int)number);
    event_add(outputs->pauses, NULL);
    event_add(outputs->resumes, NULL);
}

/* With job control a shell has had the terminal meanwhile; without it (the shell is of the same group) nobody
 * has. */
static void on_resume(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    (void)context;
    if (getpgrp() != getsid(0))
        diag_progress_forget();
}

static int pump_run_start(void *view, const struct run_start *start)
{
    static const struct timeval often = {0, PUMP_MS * 1000};
    struct outputs *outputs = ((struct pump *)view)->outputs;
    outputs->pump = event_new(start->base, -1, EV_PERSIST, on_pump, outputs);
    outputs->pauses = evsignal_new(start->base, SIGTSTP, on_pause, outputs);
    outputs->resumes = evsignal_new(start->base, SIGCONT, on_resume, outputs);
    if (outputs->pump == NULL || outputs->pauses == NULL || outputs->resumes == NULL)
        return -ENOMEM;
    event_add(outputs->pauses, NULL);
    event_add(outputs->resumes, NULL);
    return event_add(outputs->pump, &often) == 0 ? 0 : -ENOMEM;
}

static int64_t give_up_us; /* when readers are not waited for any longer; 0: nobody is in a hurry */

static void hurry(int64_t for_us)
{
    int64_t until_us = monotonic_us() + for_us;
    if (give_up_us == 0 || until_us < give_up_us)
        give_up_us = until_us;
}

static int pump_run_end(void *view, const struct run_end *end)
{
    struct outputs *outputs = ((struct pump *)view)->outputs;
    struct event **const events[] = {&outputs->pump, &outputs->pauses, &outputs->resumes};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (*events[i] != NULL)
            event_free(*events[i]);
        *events[i] = NULL;
    }
    if (end->outcome == OUTCOME_INTERRUPTED)
        hurry(end->at_once ? AT_ONCE_US : HURRY_US);
    return 0;
}

static const struct observer_ops pump_ops = {.run_start = pump_run_start, .run_end = pump_run_end};

static struct observer pump_view(struct outputs *outputs)
{
    struct pump *pump = calloc(1, sizeof *pump);
    if (pump != NULL)
        pump->outputs = outputs;
    return (struct observer){.ops = &pump_ops, .view = pump, .name = "the outputs"};
}

static volatile sig_atomic_t is_stopped;

void outputs_hurry(void)
{
    hurry(HURRY_US);
}

static void on_stop(int number)
{
    (void)number;
    is_stopped = 1;
}

/* How signals were before. */
struct hearing {
    struct sigaction actions[STOP_SIGNALS];
    sigset_t blocked;
};

static void hear_signals(struct hearing *before)
{
    sigset_t heard;
    sigemptyset(&heard);
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&heard, stop_signals[i]);
    stop_signals_catch(on_stop, before->actions);
    sigprocmask(SIG_UNBLOCK, &heard, &before->blocked);
}

static void hear_as_before(const struct hearing *before)
{
    sigprocmask(SIG_SETMASK, &before->blocked, NULL);
    stop_signals_put_back(before->actions);
}

/* False when it has not taken all. */
static bool wait_for_reader(FILE *out)
{
    struct hearing before;
    int64_t told_us = monotonic_us() + HURRY_US;
    if (!output_is_waiting(out))
        return true;
    hear_signals(&before);
    while (output_is_waiting(out) && (give_up_us == 0 || monotonic_us() < give_up_us)) {
        output_wait(out, PUMP_MS);
        if (is_stopped)
            outputs_hurry();
        if (give_up_us == 0 && told_us != 0 && monotonic_us() > told_us) {
            told_us = 0;
            diag_note("%s: the reader has stopped; the rest waits until it continues, or for Ctrl-C",
                      output_name(out));
        }
    }
    hear_as_before(&before);
    return !output_is_waiting(out);
}

void outputs_wait_while_clogged(FILE *out, const volatile sig_atomic_t *stop)
{
    int64_t told_us = monotonic_us() + HURRY_US;
    while (output_is_clogged(out) && *stop == 0) {
        output_wait(out, PUMP_MS);
        if (told_us != 0 && monotonic_us() > told_us) {
            told_us = 0;
            diag_warn("%s: the reader has stopped; looks pause until it continues", output_name(out));
        }
    }
}

int outputs_let_go(FILE *out)
{
    int rc = output_flush(out);
    bool is_written = rc != 0 || wait_for_reader(out);
    rc = rc != 0 ? rc : output_flush(out);
    if (rc != 0)
        diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    else if (!is_written) {
        size_t lines = output_waiting_lines(out);
        output_drop(out);
        diag_error("%s: the reader has stopped: the last %s line%s lost", output_name(out),
                   grouped((int64_t)lines).text, lines == 1 ? " is" : "s are");
        rc = -EINTR;
    }
    return rc;
}

int outputs_let_go_and_close(FILE *out)
{
    char name[160];
    snprintf(name, sizeof name, "%s", output_name(out));
    int rc = outputs_let_go(out), closed = output_close(out);
    if (rc == 0 && closed != 0)
        diag_error("cannot write %s: %s", name, strerror(-closed));
    return rc != 0 ? rc : closed;
}

int outputs_tell_written(FILE *out, int rc, const volatile sig_atomic_t *stopped_by)
{
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    if (*stopped_by == SIGHUP)
        return EXIT_INTERRUPTED;
    diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    return EXIT_MACHINE;
}

int outputs_write_json(const char *path, int (*print)(FILE *out, const void *result), const void *result,
                       const volatile sig_atomic_t *stopped_by)
{
    char name[160];
    snprintf(name, sizeof name, "--json %s", path);
    FILE *out = output_open(path, name);
    if (out == NULL) {
        diag_error("--json \"%s\": %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    int code = outputs_tell_written(out, print(out, result), stopped_by);
    int rc = outputs_let_go_and_close(out);
    if (code != EXIT_AS_EXPECTED || rc == 0)
        return code;
    return rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

int outputs_finish(int code)
{
    FILE *const last = stderr; /* what is said of standard output goes there */
    if (code == EXIT_INTERRUPTED)
        outputs_hurry();
    int rc = outputs_let_go(stdout);
    outputs_let_go(last);
    if (rc == 0 || code == EXIT_USAGE || code == EXIT_INTERRUPTED)
        return code;
    return rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

/* ---- opening and closing ---- */

static int add_view(struct outputs *outputs, struct observer view)
{
    if (view.view == NULL) {
        diag_error("out of memory");
        return -ENOMEM;
    }
    outputs->observers.each[outputs->observers.count++] = view;
    return 0;
}

static int add_file(struct outputs *outputs, const char *option, const char *path,
                    struct observer (*make)(FILE *out, const char *name))
{
    if (path == NULL)
        return 0;
    char *name = outputs->names[outputs->file_count];
    snprintf(name, sizeof outputs->names[0], "--%s %s", option, path);
    FILE *file = output_is_stdout(path) ? stdout : output_open(path, name);
    if (file == NULL)
        return refuse_output(option, path, errno);
    outputs->files[outputs->file_count++] = file;
    return add_view(outputs, make(file, name));
}

int outputs_close(struct outputs *outputs)
{
    int first = 0;
    for (int i = 0; i < outputs->observers.count; i++)
        view_free(&outputs->observers.each[i]);
    for (int i = 0; i < outputs->file_count; i++) {
        if (outputs->files[i] == stdout)
            continue; /* outputs_finish lets it go */
        int rc = outputs_let_go_and_close(outputs->files[i]);
        first = first != 0 ? first : rc;
    }
    return first;
}

int outputs_open(struct outputs *outputs, const struct output_options *options)
{
    bool data_on_stdout = output_is_stdout(options->csv) || output_is_stdout(options->json) ||
                          output_is_stdout(options->transitions);
    struct observer (*make_summary)(FILE *, const char *) =
        options->summary != NULL ? options->summary : summary_view;
    *outputs = (struct outputs){.file_count = 0};
    /* Where rows come on the terminal they are what is drawn there. */
    bool has_progress =
        !options->quiet && !(data_on_stdout && isatty(STDOUT_FILENO) == 1 && diag_is_terminal());
    bool is_live = diag_is_terminal() && !options->plain;
    /* Progress comes first: it clears what it has drawn before the summary writes. */
    int rc = has_progress ? add_view(outputs, is_live ? live_view(options->live) : progress_view()) : 0;
    if (rc == 0 && options->metrics.wanted)
        rc = add_view(outputs, metrics_view(options->metrics.listener));
    if (rc == 0)
        rc = add_file(outputs, "csv", options->csv, csv_view);
    if (rc == 0)
        rc = add_file(outputs, "json", options->json, json_view);
    if (rc == 0)
        rc = add_file(outputs, "transitions", options->transitions, transitions_view);
    if (rc == 0 && !options->quiet)
        rc = add_view(outputs, data_on_stdout ? make_summary(stderr, "standard error")
                                              : make_summary(stdout, "standard output"));
    if (rc == 0)
        rc = add_view(outputs, pump_view(outputs));
    if (rc != 0)
        outputs_close(outputs);
    return rc;
}
