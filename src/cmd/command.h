/* command: what the program can be asked to do, a row each. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/options.h"

/* What a script can rely on; they never depend on the output format. */
enum exit_code {
    EXIT_AS_EXPECTED = 0,
    EXIT_DIFFERS = 1, /* the states are not what the order says */
    EXIT_USAGE = 2,   /* bad input; nothing was opened */
    EXIT_MACHINE =
        3, /* this machine cannot run it, or an output cannot be written: the message says what to change */
    EXIT_INTERRUPTED = 130,
};

/* A line to be typed, and what it does. */
struct command_example {
    const char *line, *does;
};

enum { EXAMPLES_MAX = 12 };

struct command {
    const char *name;    /* as typed; "storm" stands for no name at all */
    const char *summary; /* one line for help; NULL: for the program's own use */
    const char *usage;   /* what follows "tcpstorm ", a line each way to call it; NULL: as `name` */
    const char *(*word_at)(
        size_t i);     /* the words that may follow it, NULL past the last; NULL: no such words */
    const char *notes; /* lines of help below the options; NULL: none */
    struct command_example examples[EXAMPLES_MAX];
    const struct option_table *options; /* NULL: it has none */
    /* Without the program's and the command's name; returns an exit_code. */
    int (*run)(int argc, char *argv[]);
};

extern const struct command storm_command, state_command, walk_command, server_command, client_command,
    audit_command, watch_command, explain_command, trace_command, transitions_command, orders_command,
    causes_command, tables_command, worker_command, witness_command;

#endif
