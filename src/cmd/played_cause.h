/* played_cause: one side of a cause, played against programs of the user's own until it is over or
 * interrupted: what "server --cause" and "client --cause" share. */
#ifndef CMD_PLAYED_CAUSE_H
#define CMD_PLAYED_CAUSE_H

#include "cause/cause.h"
#include "control/stop_events.h"

#include <stdbool.h>
#include <stdio.h>

struct played_cause;

typedef void on_second(struct played_cause *played);

struct played_cause {
    const struct fault_case *cause;
    struct endpoint endpoint;
    on_second *tell; /* once a second: where it is */
    struct stop_events stops;
    struct event *quits, *news;
    bool is_interrupted;
};

/* The cause of that name, as a person typed it, whose bug is that side's; NULL after telling why not. */
const struct fault_case *played_cause_find(const char *name, enum side side);

/* Returns an exit_code, not EXIT_AS_EXPECTED after telling why; else the caller closes it. */
int played_cause_open(struct played_cause *played, const struct fault_case *cause, bool fixed);

/* "with the bug ignore-eof: the server reads 0 and does not close", or what its fixed twin does. */
void played_cause_say(const struct played_cause *played, FILE *out);

/* Runs the loop until somebody ends it or the user interrupts it. Returns an exit_code. */
int played_cause_run(struct played_cause *played, on_second *tell);

void played_cause_close(struct played_cause *played);

#endif
