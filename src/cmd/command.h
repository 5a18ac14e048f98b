/* command: what the program can be asked to do, a row each. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdio.h>

/* What a script can rely on; they never depend on the output format. */
enum exit_code {
    EXIT_AS_EXPECTED = 0,
    EXIT_DIFFERS = 1, /* the states are not what the order says */
    EXIT_USAGE = 2,   /* bad input; nothing was opened */
    EXIT_MACHINE =
        3, /* this machine cannot run it, or an output cannot be written: the message says what to change */
    EXIT_INTERRUPTED = 130,
};

struct command {
    const char *name;    /* as typed */
    const char *summary; /* one line for help; NULL: for the program's own use */
    int (*run)(int argc,
               char *argv[]); /* without the program's and the command's name; returns an exit_code */
};

int cmd_storm(int argc, char *argv[]);
int cmd_state(int argc, char *argv[]);
int cmd_audit(int argc, char *argv[]);
int cmd_watch(int argc, char *argv[]);
int cmd_orders(int argc, char *argv[]);
int cmd_causes(int argc, char *argv[]);
int cmd_server(int argc, char *argv[]);
int cmd_client(int argc, char *argv[]);
int cmd_walk(int argc, char *argv[]);
int cmd_options(int argc, char *argv[]);
int cmd_worker(int argc, char *argv[]);
int cmd_witness(int argc, char *argv[]);

/* The options of a storm, for help and completion. */
void storm_print_options(FILE *out);
void audit_print_options(FILE *out);
void watch_print_options(FILE *out);

#endif
