/* watch_stacks: the end of a watch of one process: where in its source its threads are. */
#ifndef CMD_WATCH_STACKS_H
#define CMD_WATCH_STACKS_H

#include <stdio.h>
#include <sys/types.h>

/* Looks at the process's threads, and writes text and a line of JSON, each unless it is NULL. Returns an exit
 * code, after telling where it is not EXIT_AS_EXPECTED. */
int watch_stacks_show(pid_t pid, FILE *text, FILE *json);

#endif
