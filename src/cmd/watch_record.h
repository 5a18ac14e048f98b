/* watch_record: --record of a watch: its looks as a recording, and at the end why the server lingers that has
 * the most to close. */
#ifndef CMD_WATCH_RECORD_H
#define CMD_WATCH_RECORD_H

#include "cmd/watch_options.h"
#include "view/recording_view.h"
#include "watch/watch_sink.h"

#include <signal.h>
#include <stdbool.h>

struct watch_record {
    struct recorder recorder; /* out NULL: nothing is recorded */
    const struct watch_options *options;
    struct watch_flow *flow;
    const volatile sig_atomic_t *stopped_by; /* a signal's number; 0: none */
};

/* Whether --record cannot be, after telling why: it is no stream for a pipe. */
bool watch_record_refuses(const struct watch_options *options);

/* Opens the file. The flow stays the caller's; it is the watch's. Returns an exit code, after telling where
 * it is not EXIT_AS_EXPECTED; the caller closes recorder.out. */
int watch_record_open(struct watch_record *record, const struct watch_options *options,
                      struct watch_flow *flow, const volatile sig_atomic_t *stopped_by);

struct watch_sink watch_record_sink(struct watch_record *record);

#endif
