#include "cmd/audit_tracing.h"

#include "base/diag.h"
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

enum { PATIENCE_MS = 20000 }; /* a tracer that is behind notes what has come before it answers */

int audit_tracing_check(const struct audit_options *options)
{
    if (!options->traces || !audit_is_unix(&options->settings))
        return EXIT_AS_EXPECTED;
    return audit_target_refuse(
        options->target, "must be a TCP server with --trace, which tells connections apart by their ports");
}

static int tell_untraceable(int error)
{
    diag_error("--trace: the server cannot be traced (%s): another program traces it already, or this system "
               "forbids it (kernel.yama.ptrace_scope, a container); the audit works without --trace, and "
               "\"tcpstorm explain PID --stacks\" shows where the threads of a program are",
               strerror(error));
    return EXIT_MACHINE;
}

int audit_tracing_start(struct audit_options *options, struct program_place *place)
{
    if (!options->traces)
        return EXIT_AS_EXPECTED;
    int rc = tracer_start(&options->tracer);
    if (rc == -EPERM || rc == -EACCES)
        return tell_untraceable(-rc);
    if (rc == -ENOTSUP || rc == -ENOSYS) {
        diag_error("--trace: this machine or this build cannot trace (%s): the audit works without --trace",
                   strerror(-rc));
        return EXIT_MACHINE;
    }
    if (rc != 0) {
        diag_error("--trace: the tracer could not be started: %s", strerror(-rc));
        return EXIT_MACHINE;
    }
    place->before_execution = tracer_take_this_process;
    place->context = &options->tracer;
    return EXIT_AS_EXPECTED;
}

bool audit_tracing_tells(const struct audit_options *options, int error)
{
    bool is_untraceable = options->traces && (error == EPERM || error == EACCES);
    if (is_untraceable)
        tell_untraceable(error);
    return is_untraceable;
}

void audit_tracing_ask(void *context)
{
    const struct audit_tracing *tracing = context;
    int rc = tracer_report(tracing->tracer, PATIENCE_MS, &tracing->trace->report);
    tracing->trace->is_there = rc == 0;
    tracing->trace->error = -rc;
}

bool audit_tracing_has_failed(const struct audit_options *options)
{
    return options->traces && !tracer_is_there(&options->tracer);
}

void audit_tracing_stop(struct audit_options *options)
{
    if (options->tracer.pid > 0)
        tracer_stop(&options->tracer);
}
