/* cmd_watch: the same eyes on live traffic, without making any. */
#include "base/clock.h"
#include "base/diag.h"
#include "base/screen.h"
#include "base/stop_signals.h"
#include "cmd/command.h"
#include "cmd/watch_course.h"
#include "cmd/watch_options.h"
#include "cmd/watch_outputs.h"
#include "cmd/watch_verdict.h"
#include "watch/watch.h"
#include "watch/watch_closings.h"
#include "watch/watch_flow.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopped_by; /* a signal's number; 0: none */

/* The second one does not wait for anything. */
static void on_stop(int number)
{
    if (stopped_by != 0) {
        screen_leave_from_signal();
        _exit(EXIT_INTERRUPTED);
    }
    stopped_by = number;
}

static int look_on(const struct watch_options *options, struct watch *watch,
                   const struct watch_settings *settings)
{
    struct watch_outputs outputs;
    int code = watch_outputs_open(&outputs, options, settings->flow, settings->closings, &stopped_by);
    if (code != EXIT_AS_EXPECTED)
        return code;
    struct watch_course course = {
        .options = options, .outputs = &outputs, .stopped_by = &stopped_by, .watch = watch};
    return watch_outputs_close(&outputs, watch_course_run(&course));
}

/* Returns an exit code, after telling. */
static int open_closings(const struct watch_options *options, struct watch_closings **closings)
{
    *closings = options->closings ? watch_closings_new((uint16_t)options->port, monotonic_us()) : NULL;
    int rc = *closings != NULL ? watch_closings_listen(*closings) : options->closings ? -ENOMEM : 0;
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    diag_error("--closings: the kernel does not report which sockets end: %s", strerror(-rc));
    return EXIT_MACHINE;
}

static int cmd_watch(int argc, char *argv[])
{
    struct watch_options options;
    int error, code = watch_options_read(argc, argv, &options);
    if (code != EXIT_AS_EXPECTED)
        return code;
    stop_signals_catch(on_stop, NULL);
    struct watch_flow *flow = options.record != NULL ? watch_flow_new() : NULL;
    struct watch_closings *closings;
    code = open_closings(&options, &closings);
    const struct watch_settings settings = {.port = (uint16_t)options.port,
                                            .pid = (pid_t)options.pid,
                                            .by_peer = options.by_peer,
                                            .idle_ms = options.idle_ms,
                                            .by_service = options.by == BY_SERVICE,
                                            .all_namespaces = options.all_namespaces,
                                            .flow = flow,
                                            .closings = closings};
    if (code == EXIT_AS_EXPECTED) {
        error = -ENOMEM;
        struct watch *watch = options.record == NULL || flow != NULL ? watch_new(&settings, &error) : NULL;
        code =
            watch != NULL ? look_on(&options, watch, &settings) : watch_tell_unwatched(&options, -error, 0);
        watch_free(watch);
    }
    watch_flow_free(flow);
    watch_closings_free(closings);
    return code;
}

const struct command watch_command = {
    .name = "watch",
    .summary = "show this machine's sockets: who owes a close(), and whether that grows",
    .usage = "watch [--option VALUE]...",
    .examples =
        {
            {"tcpstorm watch", "until Ctrl-C"},
            {"tcpstorm watch --once --by-peer", "one look, a row for each peer"},
            {"tcpstorm watch --port 8080 --fail-on growth --duration 5m",
             "exit 1 as soon as something leaks"},
            {"tcpstorm watch --fail-on eta:1h --duration 5m", "exit 1 if descriptors run out in an hour"},
        },
    .options = &watch_option_table,
    .run = cmd_watch,
};
