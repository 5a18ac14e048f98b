/* serve_cause: a server with one of the bugs in src/cause/, or its fixed twin, until it is interrupted:
 * something to point a client, a proxy or a monitor at. */
#ifndef CMD_SERVE_CAUSE_H
#define CMD_SERVE_CAUSE_H

#include "cmd/interactive.h"

#include <stdbool.h>

/* `name`: a cause, as a person typed it. Returns an exit_code. */
int serve_cause(const struct interactive_options *options, const char *name, bool fixed);

#endif
