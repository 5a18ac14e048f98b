/* watch_options: what "tcpstorm watch" takes. */
#ifndef CMD_WATCH_OPTIONS_H
#define CMD_WATCH_OPTIONS_H

#include "base/options.h"
#include "cmd/fail_on.h"
#include "cmd/metrics_listener.h"

#include <stdbool.h>
#include <stdint.h>

enum watch_by { BY_PROCESS, BY_PEER, BY_SERVICE };

struct watch_options {
    int64_t port, pid, interval_ms, duration_ms, idle_ms;
    bool once, by_peer, all_namespaces, stacks, closings;
    int by; /* enum watch_by */
    struct fail_on fail_on;
    const char *json, *record;
    struct metrics_listener metrics;
};

extern const struct option_table watch_option_table;

/* Returns an exit code, after telling what is wrong where it is not EXIT_AS_EXPECTED. */
int watch_options_read(int argc, char *const argv[], struct watch_options *options);

#endif
