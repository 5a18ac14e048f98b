/* cmd_trace: where the connections that a live program leaks part from those that it closes, under its own
 * traffic, without a restart. */
#include "base/clock.h"
#include "base/diag.h"
#include "base/options.h"
#include "base/output.h"
#include "base/parse.h"
#include "base/stop_signals.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "trace/live_trace.h"
#include "view/live_trace_view.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS, DURATION_PRESET_MS = 10 * SECOND_MS };

struct trace_options {
    const char *target, *json;
    pid_t pid;
    int64_t duration_ms, linger_ms;
};

#define OPTION(member) offsetof(struct trace_options, member)

static const struct option_row rows[] = {
    {.name = "duration",
     .value = "TIME",
     .help = "how long to trace",
     .preset = "10s",
     .more = "How long to trace: connections should be accepted, and closed by their clients, in that time.",
     .kind = OPTION_DURATION,
     .target = OPTION(duration_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "linger",
     .value = "TIME",
     .help = "when a connection counts as lingering, after its peer's FIN",
     .preset = "1s",
     .more = "A connection lingers when its peer has closed it, and the program has neither closed it nor "
             "made any call on it for this long. The trace goes on for that time at its end.",
     .kind = OPTION_DURATION,
     .target = OPTION(linger_ms),
     .min = 100,
     .max = HOUR_MS},
    {.name = "json",
     .value = "FILE",
     .help = "the result as JSON; - is stdout, instead of the text",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "trace",
    .help = "tcpstorm trace --help",
    .rows = rows,
    .rules = option_rules,
    .operand = "process",
    .operand_target = OPTION(target),
    .operand_missing = "trace needs the number of a process: \"tcpstorm trace 1234\"",
};

static volatile sig_atomic_t stopped_by; /* a signal's number; 0: none */

/* The second one does not wait for anything. */
static void on_stop(int number)
{
    if (stopped_by != 0)
        _exit(EXIT_INTERRUPTED);
    stopped_by = number;
}

static int parse_target(struct trace_options *options)
{
    int64_t number;
    const char *target = options->target;
    if (*target == '\0' || target[strspn(target, "0123456789")] != '\0' ||
        parse_count(target, 1, INT32_MAX, &number) != 0) {
        diag_error("trace \"%s\": it must be the number of a process, such as 1234", target);
        return EXIT_USAGE;
    }
    options->pid = (pid_t)number;
    return EXIT_AS_EXPECTED;
}

/* ---- when it cannot be done ---- */

static int tell_failed(const struct trace_options *options, int error)
{
    const char *target = options->target;
    if (error == EACCES || error == EPERM)
        diag_error("trace \"%s\": %s; \"tcpstorm explain %s --stacks\" needs fewer rights", target,
                   geteuid() == 0 ? "this system does not show that process's calls, even to this root"
                                  : "the kernel shows a program's calls to root only, or with CAP_PERFMON",
                   target);
    else if (error == ENOENT)
        diag_error("trace \"%s\": this kernel has no tracepoints for system calls (raw_syscalls in tracefs); "
                   "\"tcpstorm explain %s --stacks\" works without them",
                   target, target);
    else if (error == ESRCH)
        diag_error("trace \"%s\": there is no such process, or it has ended", target);
    else if (error == EXDEV)
        diag_error(
            "trace \"%s\": it is in another network namespace: run \"nsenter -t %s -n tcpstorm trace %s\"",
            target, target, target);
    else if (error == EMFILE || error == ENFILE)
        diag_error("trace \"%s\": this needs two descriptors for each of its threads on each processor: "
                   "raise the limit (ulimit -n)",
                   target);
    else if (error == ENOMEM)
        diag_error("out of memory: the program's calls cannot be stored");
    else if (error == ENOTSUP)
        diag_error("trace \"%s\": this build does not know this machine's registers", target);
    else
        diag_error("trace \"%s\": %s", target, strerror(error));
    return EXIT_MACHINE;
}

/* ---- what was seen ---- */

static int print_json(FILE *out, const void *report)
{
    return live_trace_print_json(out, report);
}

static int print(const struct trace_options *options, const struct live_trace_report *report)
{
    if (output_is_stdout(options->json))
        return outputs_tell_written(stdout, live_trace_print_json(stdout, report), &stopped_by);
    int code = outputs_tell_written(stdout, live_trace_print(stdout, report), &stopped_by);
    if (code == EXIT_AS_EXPECTED && options->json != NULL)
        code = outputs_write_json(options->json, print_json, report, &stopped_by);
    return code;
}

/* What lingers is shown by the kernel. That nothing does is only known when enough was seen. */
static int verdict(const struct live_result *result)
{
    if (result->lingering > 0 || result->earlier > 0)
        return EXIT_DIFFERS;
    const char *lack = result->report.count == 0 ? "no connection was accepted in that time"
                       : result->closed == 0     ? "no connection ended in that time"
                       : result->lost > 0        ? "not all calls could be read"
                       : result->report.rings > 0
                           ? "it uses io_uring, and calls made through that are not seen"
                       : result->report.foreign > 0 ? "calls of 32-bit processes are not seen"
                                                    : NULL;
    if (lack == NULL)
        return EXIT_AS_EXPECTED;
    diag_error("no verdict: %s", lack);
    return EXIT_MACHINE;
}

/* Of the process, and for how long it was traced. */
static int tell(const struct trace_options *options, const struct live_trace_report *of,
                const struct live_result *result)
{
    struct live_trace_report report = *of;
    struct parting parting;
    int rc = parting_find(result->samples, result->report.count, &parting);
    if (rc != 0) {
        parting_free(&parting);
        return tell_failed(options, -rc);
    }
    report.result = result;
    report.parting = &parting;
    int code = print(options, &report);
    parting_free(&parting);
    if (code == EXIT_AS_EXPECTED)
        code = stopped_by != 0 ? EXIT_INTERRUPTED : verdict(result);
    return code;
}

static int cmd_trace(int argc, char *argv[])
{
    struct trace_options options = {.duration_ms = DURATION_PRESET_MS, .linger_ms = SECOND_MS};
    struct live_result result;
    if (options_parse(&table, argc, argv, &options) != 0 || parse_target(&options) != EXIT_AS_EXPECTED)
        return EXIT_USAGE;
    const struct output_path path = {"json", options.json};
    if (outputs_check_paths(&path, 1) != 0)
        return EXIT_USAGE;
    stop_signals_catch(on_stop, NULL);
    struct live_trace *trace = live_trace_start(options.pid);
    if (trace == NULL)
        return tell_failed(&options, errno);
    struct live_trace_report report = {.pid = options.pid,
                                       .command = process_command(options.pid),
                                       .service = process_cgroup(options.pid).name};
    int64_t began_us = monotonic_us();
    int rc = live_trace_run(trace, options.duration_ms, &stopped_by);
    if (rc == 0 || rc == -ESRCH) /* what a program that has ended did is told all the same */
        rc = live_trace_end(trace, stopped_by != 0 ? 100 : options.linger_ms, &result);
    report.traced_ms = (monotonic_us() - began_us) / 100000 * 100;
    int code = rc == 0 ? tell(&options, &report, &result) : tell_failed(&options, -rc);
    if (rc == 0)
        live_result_free(&result);
    live_trace_free(trace);
    return code;
}

const struct command trace_command = {
    .name = "trace",
    .summary = "show where a running program's leaking connections part from the others",
    .usage = "trace PID [--option VALUE]...",
    .notes =
        "It reads the kernel's tracepoints for system calls, as root or with CAP_PERFMON; nothing is\n"
        "stopped. Connections that the program opens itself are not followed.\n"
        "Exit codes: 0 nothing lingers, 1 something does, 2 bad usage, 3 no verdict: too little was seen,\n"
        "or this user may not trace it, 130 interrupted.\n",
    .examples =
        {
            {"tcpstorm trace 1234", "for 10 seconds"},
            {"tcpstorm trace 1234 --duration 1m", "under little traffic"},
            {"tcpstorm trace 1234 --json -", "for a script"},
        },
    .options = &table,
    .run = cmd_trace,
};
