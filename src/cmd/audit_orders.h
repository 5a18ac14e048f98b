/* audit_orders: the orders of an audit: which are asked for, what each needs, and how they are played one
 * after the other. */
#ifndef CMD_AUDIT_ORDERS_H
#define CMD_AUDIT_ORDERS_H

#include "cmd/audit_options.h"
#include "control/program.h"

/* For --order: fills in a struct audit_order_list. As option_row.parse. */
int audit_orders_parse(const char *text, void *target, char *why, size_t why_size);

/* Whether what the orders need is given and fits: before a socket is opened. Those of "all" that cannot be
 * played are left out, and why is kept. Returns an exit code, not EXIT_AS_EXPECTED after telling. */
int audit_orders_check(struct audit_options *options);

/* Plays them, writes the results and returns the exit code: the worst of theirs. `program`: of --run. */
int audit_orders_play(struct audit_options *options, struct program *program);

#endif
