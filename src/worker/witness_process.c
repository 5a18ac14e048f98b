#include "worker/witness_process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "control/link.h"
#include "control/spawn.h"
#include "kernel/lingering.h"
#include "kernel/witness.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PULSE_US = 1000000 };
enum { ANSWER_SIZE = 65536 }; /* an answer leaves in one piece */

struct witness_state {
    FILE *out;
    const struct witness_backend *backend;
    struct look_target target;
    pid_t *pids; /* of the workers */
    int pid_count;
    int64_t spoke_us; /* when the controller last had a line from here */
    bool quit;
    bool has_failed; /* an answer did not get out */
};

/* stdio drops what it has buffered when write() is interrupted: this is a stream that goes on. */
static ssize_t write_whole(void *fd, const char *data, size_t size)
{
    size_t written = 0;
    while (written < size) {
        ssize_t taken = write(*(const int *)fd, data + written, size - written);
        if (taken < 0 && errno != EINTR)
            break;
        written += taken > 0 ? (size_t)taken : 0;
    }
    return (ssize_t)written;
}

static FILE *open_answers(int *to_controller)
{
    return fopencookie(to_controller, "w", (cookie_io_functions_t){.write = write_whole});
}

/* An answer that does not get out whole is waited for in vain: then it is better to be missed at once. */
static bool hand_over(FILE *out)
{
    return fflush(out) == 0 && !ferror(out);
}

/* A look at millions of sockets takes seconds: the controller is told that it goes on. */
static void on_pulse(void *context)
{
    struct witness_state *witness = context;
    int64_t now_us = monotonic_us();
    if (now_us - witness->spoke_us < PULSE_US)
        return;
    witness->spoke_us = now_us;
    fputs("looking\n", witness->out);
    hand_over(witness->out);
}

static void do_backend(struct witness_state *witness, const struct link_line *line)
{
    witness->backend = witness_named(line->word[1]);
}

static void do_target(struct witness_state *witness, const struct link_line *line)
{
    struct look_target *target = &witness->target;
    address_parse(line->word[3], &target->address);
    target->ports.first = (uint16_t)link_number(line, 1);
    target->ports.last = (uint16_t)link_number(line, 2);
    target->more_count = line->count - 4;
    for (int i = 0; i < target->more_count; i++)
        address_parse(line->word[4 + i], &target->more[i]);
}

static void do_look(struct witness_state *witness, const struct link_line *line)
{
    struct histogram sides[SIDE_COUNT];
    int64_t began_us = monotonic_us();
    int rc =
        witness->backend == NULL ? -EPROTONOSUPPORT : witness_look(witness->backend, &witness->target, sides);
    long long serial = link_number(line, 1), took_us = monotonic_us() - began_us;
    if (rc != 0) {
        fprintf(witness->out, "unseen %lld %lld %d\n", serial, took_us, -rc);
        return;
    }
    fprintf(witness->out, "seen %lld %lld", serial, took_us);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int state = 0; state < STATE_COUNT; state++)
            fprintf(witness->out, " %lld", (long long)sides[side].of[state]);
    for (int side = 0; side < SIDE_COUNT; side++)
        fprintf(witness->out, " %lld %lld %lld %lld", (long long)sides[side].owned,
                (long long)sides[side].unread, (long long)sides[side].unowned, (long long)sides[side].queued);
    fputc('\n', witness->out);
}

static void do_pid(struct witness_state *witness, const struct link_line *line)
{
    witness->pids = memory_resize(witness->pids, ((size_t)witness->pid_count + 1) * sizeof *witness->pids);
    witness->pids[witness->pid_count++] = (pid_t)link_number(line, 1);
}

static void do_nice(struct witness_state *witness, const struct link_line *line)
{
    (void)witness;
    setpriority(PRIO_PROCESS, 0, (int)link_number(line, 1));
}

static void do_owners(struct witness_state *witness, const struct link_line *line)
{
    struct lingering lingering = {.count = 0};
    int rc = witness->backend == NULL ? -EPROTONOSUPPORT
                                      : lingering_look(witness->backend, &witness->target, witness->pids,
                                                       witness->pid_count, &lingering);
    for (int i = 0; i < lingering.count; i++) {
        const struct lingering_class *class = &lingering.each[i];
        fprintf(witness->out, "class %s %d %d %d %d %d %d %d %lld %lld %s\n", line->word[1], class->side,
                class->state, class->unread, class->owned, class->listed, (int)class->pid, class->processes,
                (long long)class->count, (long long)class->oldest_ms,
                class->command[0] != '\0' ? class->command : "-");
    }
    fprintf(witness->out, "owned %s %lld %d\n", line->word[1], (long long)lingering.total, -rc);
}

static void do_ping(struct witness_state *witness, const struct link_line *line)
{
    fprintf(witness->out, "pong %lld\n", (long long)link_number(line, 1));
}

static void do_quit(struct witness_state *witness, const struct link_line *line)
{
    (void)line;
    witness->quit = true;
}

struct verb {
    const char *name;
    void (*run)(struct witness_state *witness, const struct link_line *line);
};

static const struct verb verbs[] = {{"backend", do_backend}, {"target", do_target}, {"look", do_look},
                                    {"pid", do_pid},         {"nice", do_nice},     {"owners", do_owners},
                                    {"ping", do_ping},       {"quit", do_quit}};

static void obey(struct witness_state *witness, const struct link_line *line)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, line->word[0]) == 0)
            verbs[i].run(witness, line);
    if (!hand_over(witness->out))
        witness->quit = witness->has_failed = true;
    witness->spoke_us = monotonic_us();
}

int witness_process_run(int from_controller, int to_controller)
{
    static char answer[ANSWER_SIZE];
    process_leave_signals_to_controller();
    struct witness_state witness = {.out = open_answers(&to_controller)};
    witness.target.on_pulse = on_pulse;
    witness.target.pulse_context = &witness;
    FILE *in = fdopen(from_controller, "r");
    if (in == NULL || witness.out == NULL)
        return -errno;
    setvbuf(witness.out, answer, _IOFBF, sizeof answer);
    fprintf(witness.out, "hello %d %s\n", LINK_PROTOCOL, TCPSTORM_VERSION);
    witness.quit = witness.has_failed = !hand_over(witness.out);
    char text[LINK_LINE_MAX];
    while (!witness.quit && fgets(text, sizeof text, in) != NULL) {
        struct link_line line;
        struct message_complaint why;
        if (link_split(text, &line) == 0 && message_check(WAY_TO_WITNESS, &line, &why))
            obey(&witness, &line);
        else
            witness.quit = true; /* whoever that is: it is no controller of ours */
    }
    free(witness.pids);
    fclose(witness.out);
    fclose(in);
    return witness.has_failed ? -EIO : 0;
}
