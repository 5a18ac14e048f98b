#include "cmd/audit_program.h"

#include "audit/readiness.h"
#include "audit/server_side.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/audit_tracing.h"
#include "cmd/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_MS = 5000,
    END_TOLD_US = 1000000, /* from the last listening socket to the word of the end */
    END_PAUSE_US = 10000,
};

int audit_program_check(const struct audit_options *options)
{
    const struct address *address = &options->settings.address;
    if (options->runs && options->program == NULL) {
        diag_error("--run needs the program to start after --: \"tcpstorm audit %s --run -- ./server\"",
                   options->target);
        return EXIT_USAGE;
    }
    if (!options->runs && options->program != NULL) {
        diag_error("\"-- %s\": starting a program needs --run", options->program[0]);
        return EXIT_USAGE;
    }
    if (audit_is_unix(&options->settings))
        return EXIT_AS_EXPECTED;
    if (options->isolation.wanted && !address_is_loopback(address))
        return audit_target_refuse(options->target, "must be a loopback address: --isolate has no other");
    if (options->runs && server_side_is_here(address) == 0)
        return audit_target_refuse(
            options->target, "must be an address of this machine, because --run starts the server here");
    return EXIT_AS_EXPECTED;
}

/* ---- its beginning ---- */

static int tell_taken(const struct audit_options *options, const struct readiness_found *found,
                      const char *why)
{
    if (found->listener > 0)
        diag_error("--run: %s (pid %d) listens on %s %s", found->listener_command, (int)found->listener,
                   options->target, why);
    else
        diag_error("--run: another program listens on %s %s", options->target, why);
    return EXIT_MACHINE;
}

static int tell_refused(const char *word, int rc)
{
    if (rc == -ENOENT && strchr(word, '/') == NULL)
        diag_error("--run \"%s\": command not found", word);
    else
        diag_error("--run \"%s\": cannot be executed: %s", word, strerror(-rc));
    return EXIT_MACHINE;
}

static int tell_ended(const struct audit_options *options, const struct program *program)
{
    const char *line = program->last_line;
    if (audit_tracing_has_failed(options)) {
        diag_error("--trace: the tracer ended before \"%s\" listened on %s, and with it the server",
                   options->program[0], options->target);
        return EXIT_MACHINE;
    }
    diag_error("--run \"%s\": it %s before it listened on %s%s%s%s", options->program[0],
               program->has_left ? program_end_text(program).text : "ended", options->target,
               *line != '\0' ? "; its last line: \"" : "", line, *line != '\0' ? "\"" : "");
    return EXIT_MACHINE;
}

static int tell_late(const struct audit_options *options, const struct readiness_found *found)
{
    const char *name = options->program[0];
    char patience[48];
    snprintf(patience, sizeof patience, "%s", duration_text(options->until_ready_ms).text);
    if (found->elsewhere != 0)
        diag_error("--run \"%s\": after %s it does not listen on %s, but on port %u", name, patience,
                   options->target, found->elsewhere);
    else
        diag_error("--run \"%s\": after %s it does not listen on %s: give it more time with --until-ready",
                   name, patience, options->target);
    return EXIT_MACHINE;
}

static int tell_unread(const struct audit_options *options, const struct readiness_found *found)
{
    diag_error("--run: the listeners on %s cannot be read: %s", options->target, strerror(-found->error));
    return EXIT_MACHINE;
}

static int wait_until_ready(struct audit_options *options, struct program *program,
                            const struct readiness_wish *wish)
{
    struct readiness_found found;
    switch (readiness_wait(program, wish, &found)) {
    case READY:
        options->settings.address = wish->addresses[found.address];
        return EXIT_AS_EXPECTED;
    case READY_INTERRUPTED:
        diag_error("interrupted before \"%s\" listened", options->program[0]);
        return EXIT_INTERRUPTED;
    case READY_ENDED:
        return tell_ended(options, program);
    case READY_LATE:
        return tell_late(options, &found);
    case READY_TAKEN:
        return tell_taken(options, &found, "meanwhile, and was not started by --run");
    case READY_HIDDEN:
        diag_error("--run \"%s\": the process that listens on %s belongs to another user, so this user may "
                   "not inspect it: run tcpstorm as that user or as root",
                   options->program[0], options->target);
        return EXIT_MACHINE;
    case READY_FAILED:
        break;
    }
    return tell_unread(options, &found);
}

int audit_program_start(struct audit_options *options, struct program *program)
{
    const struct isolation *isolation = &options->isolation;
    struct program_place place = {.output = STDERR_FILENO,
                                  .has_own_pids = isolation->wanted,
                                  .is_user = isolation->has_own_user,
                                  .user = isolation->user,
                                  .group = isolation->group};
    const struct readiness_wish wish = {.settings = &options->settings,
                                        .addresses = options->addresses.each,
                                        .address_count = options->addresses.count,
                                        .patience_ms = options->until_ready_ms};
    struct readiness_found found = {.listener = 0};
    if (!options->runs)
        return EXIT_AS_EXPECTED;
    enum readiness before = readiness_is_free(&wish, &found);
    if (before == READY_TAKEN)
        return tell_taken(options, &found, "already: --run did not start it");
    if (before != READY)
        return tell_unread(options, &found);
    int code = audit_tracing_start(options, &place);
    if (code != EXIT_AS_EXPECTED)
        return code;
    int rc = program_start(program, options->program, &place);
    if (rc != 0 && program->is_refused)
        return tell_refused(options->program[0], rc);
    if (rc != 0 && audit_tracing_tells(options, -rc))
        return EXIT_MACHINE;
    if (rc != 0) {
        diag_error("--run: \"%s\" could not be started: %s", options->program[0], strerror(-rc));
        return EXIT_MACHINE;
    }
    code = wait_until_ready(options, program, &wish);
    if (code != EXIT_AS_EXPECTED)
        program_stop(program, STOP_MS);
    return code;
}

/* ---- its end ---- */

/* One that has put itself into the background has left too, and left somebody. */
static bool has_ended(const struct program *program)
{
    return program->has_left && (program->is_over || program->wait_status != 0);
}

void audit_program_note_end(struct program *program, bool has_gone, struct audit_program_end *end)
{
    *end = (struct audit_program_end){.was_started = program->keeper != 0};
    if (!end->was_started)
        return;
    int64_t until_us = monotonic_us() + END_TOLD_US;
    program_hear(program);
    while (has_gone && !has_ended(program) && program->error == 0 && monotonic_us() < until_us) {
        usleep(END_PAUSE_US);
        program_hear(program);
    }
    end->has_ended = has_ended(program);
    end->wait_status = program->wait_status;
    if (end->has_ended)
        snprintf(end->text, sizeof end->text, "%s", program_end_text(program).text);
}

void audit_program_stop(struct program *program)
{
    if (program->keeper == 0)
        return;
    program_hear(program);
    bool had_ended = has_ended(program);
    int rc = program_stop(program, STOP_MS);
    if (had_ended)
        diag_note("the server %s before it was stopped", program_end_text(program).text);
    if (program->was_killed)
        diag_note("the server was still running %s after SIGTERM, and was killed",
                  duration_text(STOP_MS).text);
    if (rc != 0)
        diag_warn("some processes of the server cannot be ended: they belong to another user");
}
