/* watch_outputs: what a watch writes to: the table and the lines of JSON, and whoever else is told of its
 * looks. */
#ifndef CMD_WATCH_OUTPUTS_H
#define CMD_WATCH_OUTPUTS_H

#include "cmd/watch_options.h"
#include "cmd/watch_record.h"
#include "cmd/watch_screen.h"
#include "view/watch_exporter.h"
#include "watch/watch_sink.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

struct watch_outputs {
    const struct watch_options *options;
    const volatile sig_atomic_t *stopped_by; /* a signal's number; 0: none */
    struct watch_sinks sinks;
    struct watch_exporter *exporter; /* NULL: none */
    struct watch_closings *closings; /* borrowed; NULL: none are counted */
    FILE *json;                      /* NULL: none */
    bool has_file;                   /* `json` is one of its own */
    bool has_table;                  /* the table goes to stdout */
    bool redraws;                    /* the table, on a terminal, until the last look */
    struct watch_screen *screen;     /* in place of the table, until the last look; NULL: there is none */
    struct watch_record record;
};

/* Opens them, and makes the sinks. It must not move until watch_outputs_close(), which is for one that was
 * opened. `flow`: of the watch, for --record; borrowed. Returns an exit code, after telling where it is not
 * EXIT_AS_EXPECTED. */
int watch_outputs_open(struct watch_outputs *outputs, const struct watch_options *options,
                       struct watch_flow *flow, struct watch_closings *closings,
                       const volatile sig_atomic_t *stopped_by);

/* `code`: of the command so far. Returns that of the command. */
int watch_outputs_close(struct watch_outputs *outputs, int code);

/* Writes what was printed to it. Returns an exit code, after telling. */
int watch_outputs_write(const struct watch_outputs *outputs, FILE *out);

/* Waits until those who read have read on, or a signal comes. */
void watch_outputs_wait_while_clogged(const struct watch_outputs *outputs);

/* Passes the event on to all sinks. Return 0, WATCH_SINK_ENDS, or the negative errno of the first one that
 * cannot go on, which is told. */
int watch_outputs_begin(const struct watch_outputs *outputs);
int watch_outputs_look(const struct watch_outputs *outputs, const struct watch_look *look, bool is_last);
int watch_outputs_lost(const struct watch_outputs *outputs, int error);
int watch_outputs_end(const struct watch_outputs *outputs);

/* Waits so long, or until a signal comes or a sink ends the watch, while sinks do what they do in between.
 * Returns likewise. */
int watch_outputs_pause(const struct watch_outputs *outputs, int64_t ms);

#endif
