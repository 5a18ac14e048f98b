/* commands: all of them, and those that tell of the others: help, version, and what completion and man page
 * ask for. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/command.h"

/* What to do when nothing is asked for. */
void commands_print_short_help(void);

/* Runs what argv[1] says, with the words behind it. Returns an exit_code. */
int commands_run(int argc, char *argv[]);

#endif
