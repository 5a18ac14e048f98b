/* storm_options: the options that a storm and kept states share, of their settings. */
#ifndef CMD_STORM_OPTIONS_H
#define CMD_STORM_OPTIONS_H

#include "base/options.h"

enum { CONNS_MAX = 100000000, DAY_MS = 24 * 3600 * 1000 };

/* --conns, --hold, --settle, --interval, --port, --witness, for a struct run_settings. */
extern const struct option_row storm_setting_rows[];

/* --server-keepalive, --client-keepalive, likewise. */
extern const struct option_row keepalive_rows[];

/* `at`: offset of a bool in the command's option struct. */
#define DRY_RUN_OPTION(at)                                                                                   \
    {                                                                                                        \
        .name = "dry-run", .help = "print the plan and open nothing",                                        \
        .more = "Print the plan (server ports, workers, memory, TIME_WAIT) and open nothing. The exit "      \
                "status is "                                                                                 \
                "that of the checks before a run.",                                                          \
        .kind = OPTION_FLAG, .target = (at)                                                                  \
    }

#endif
