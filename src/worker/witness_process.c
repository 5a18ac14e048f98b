#include "worker/witness_process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "control/link.h"
#include "control/spawn.h"
#include "events/socket_iterator.h"
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
    struct socket_iterator *iterator; /* NULL: not asked for yet, or not to be had */
    bool counts_by_iterator, has_no_iterator;
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

static void say(const struct witness_state *witness, const struct message *message)
{
    struct message_text line;
    message_encode(message, &line);
    fprintf(witness->out, "%s\n", line.text);
}

/* A look at millions of sockets takes seconds: the controller is told that it goes on. */
static void on_pulse(void *context)
{
    struct witness_state *witness = context;
    int64_t now_us = monotonic_us();
    if (now_us - witness->spoke_us < PULSE_US)
        return;
    witness->spoke_us = now_us;
    say(witness, &(struct message){.id = MESSAGE_LOOKING});
    hand_over(witness->out);
}

static void on_backend(void *context, const struct message *message)
{
    struct witness_state *witness = context;
    int error;
    witness->counts_by_iterator = strcmp(message->backend.name, SOCKET_ITERATOR_NAME) == 0;
    if (!witness->counts_by_iterator)
        witness->backend = witness_named(message->backend.name);
    else if (witness->iterator == NULL && !witness->has_no_iterator) {
        witness->iterator = socket_iterator_open(&error);
        witness->has_no_iterator = witness->iterator == NULL;
    }
}

static void on_target(void *context, const struct message *message)
{
    struct witness_state *witness = context;
    struct look_target *target = &witness->target;
    target->ports.first = (uint16_t)message->target.first_port;
    target->ports.last = (uint16_t)message->target.last_port;
    target->address = message->target.addresses[0];
    target->more_count = message->target.count - 1;
    for (int i = 0; i < target->more_count; i++)
        target->more[i] = message->target.addresses[1 + i];
}

/* Where the iterator cannot, as in a namespace that has no right to it, the backend does. */
static int count_sockets(const struct witness_state *witness, struct histogram sides[SIDE_COUNT])
{
    if (witness->counts_by_iterator && witness->iterator != NULL &&
        socket_iterator_look(witness->iterator, &witness->target, sides) == 0)
        return 0;
    return witness->backend == NULL ? -EPROTONOSUPPORT
                                    : witness_look(witness->backend, &witness->target, sides);
}

static void on_look(void *context, const struct message *message)
{
    const struct witness_state *witness = context;
    struct message seen = {.id = MESSAGE_SEEN, .seen = {.serial = message->serial}};
    int64_t began_us = monotonic_us();
    int rc = count_sockets(witness, seen.seen.sides);
    seen.seen.took_us = monotonic_us() - began_us;
    if (rc == 0)
        say(witness, &seen);
    else
        say(witness,
            &(struct message){.id = MESSAGE_UNSEEN, .unseen = {message->serial, seen.seen.took_us, -rc}});
}

static void on_pid(void *context, const struct message *message)
{
    struct witness_state *witness = context;
    witness->pids = memory_resize(witness->pids, ((size_t)witness->pid_count + 1) * sizeof *witness->pids);
    witness->pids[witness->pid_count++] = message->pid;
}

static void on_nice(void *context, const struct message *message)
{
    (void)context;
    setpriority(PRIO_PROCESS, 0, message->nice.increment);
}

static void on_owners(void *context, const struct message *message)
{
    const struct witness_state *witness = context;
    struct lingering lingering = {.count = 0};
    int rc = witness->backend == NULL ? -EPROTONOSUPPORT
                                      : lingering_look(witness->backend, &witness->target, witness->pids,
                                                       witness->pid_count, &lingering);
    for (int i = 0; i < lingering.count; i++) {
        const struct lingering_class *class = &lingering.each[i];
        say(witness,
            &(struct message){.id = MESSAGE_CLASS,
                              .class = {.serial = message->serial,
                                        .of = *class,
                                        .command = class->command[0] != '\0' ? class->command : "-"}});
    }
    say(witness, &(struct message){.id = MESSAGE_OWNED, .owned = {message->serial, lingering.total, -rc}});
}

static void on_ping(void *context, const struct message *message)
{
    say(context, &(struct message){.id = MESSAGE_PONG, .serial = message->serial});
}

static void on_quit(void *context, const struct message *message)
{
    (void)message;
    ((struct witness_state *)context)->quit = true;
}

static message_handler *const handlers[MESSAGE_COUNT] = {
    [MESSAGE_BACKEND] = on_backend, [MESSAGE_TARGET] = on_target, [MESSAGE_LOOK] = on_look,
    [MESSAGE_PID] = on_pid,         [MESSAGE_NICE] = on_nice,     [MESSAGE_OWNERS] = on_owners,
    [MESSAGE_PING] = on_ping,       [MESSAGE_QUIT] = on_quit,
};

/* What is no message ends it: whoever that is, it is no controller of ours. */
static void obey(struct witness_state *witness, char *line)
{
    struct message message;
    struct message_complaint why;
    if (!message_decode(WAY_TO_WITNESS, line, &message, &why) ||
        !message_dispatch(handlers, witness, &message))
        witness->quit = true;
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
    const struct message hello = message_hello();
    say(&witness, &hello);
    witness.quit = witness.has_failed = !hand_over(witness.out);
    char line[MESSAGE_LINE_MAX];
    while (!witness.quit && fgets(line, sizeof line, in) != NULL)
        obey(&witness, line);
    free(witness.pids);
    socket_iterator_close(witness.iterator);
    fclose(witness.out);
    fclose(in);
    return witness.has_failed ? -EIO : 0;
}
