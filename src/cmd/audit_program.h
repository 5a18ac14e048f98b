/* audit_program: --run: the server of an audit is started for it. */
#ifndef CMD_AUDIT_PROGRAM_H
#define CMD_AUDIT_PROGRAM_H

#include "cmd/audit_options.h"
#include "control/program.h"
#include "view/audit_view.h"

/* Whether --run, the words behind -- and the target go together. Returns an exit code, not EXIT_AS_EXPECTED
 * after telling; so does: */
int audit_program_check(const struct audit_options *options);

/* Starts the program where it is asked for, and waits until it listens: settings.address is where. One that
 * does not come to that is stopped. */
int audit_program_start(struct audit_options *options, struct program *program);

/* An order is over: fills in whether the program has ended by itself, and how. `has_gone`: nobody listens any
 * more that did, so that its end is about to be told. */
void audit_program_note_end(struct program *program, bool has_gone, struct audit_program_end *end);

/* Stops what was started, and tells how it ended where that was before. */
void audit_program_stop(struct program *program);

#endif
