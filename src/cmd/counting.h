/* counting: --witness events: a run whose transitions are counted by programs in the kernel. */
#ifndef CMD_COUNTING_H
#define CMD_COUNTING_H

#include "engine/settings.h"

/* witness_choices, and then "events". */
extern const char *const counting_witness_choices[];

/* Where events were asked for: has the kernel count them, and looks taken as with auto. To be called before
 * rights are given up with isolation_enter. Returns an exit_code, after telling why where it is not
 * EXIT_AS_EXPECTED. */
int counting_open(struct run_settings *settings);

void counting_close(struct run_settings *settings);

#endif
