/* outputs: where a storm's views write to, from the options that say so. */
#ifndef CMD_OUTPUTS_H
#define CMD_OUTPUTS_H

#include "base/options.h"
#include "cmd/metrics_listener.h"
#include "engine/observer.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

struct output_options {
    const char *csv, *json, *transitions; /* a path, "-" for stdout, NULL for none; borrowed */
    bool quiet, live, plain;
    struct metrics_listener metrics;
    struct observer (*summary)(FILE *out, const char *name); /* for people; NULL: summary_view */
};

/* True for "-"; false for NULL. */
bool output_is_stdout(const char *path);

enum { FILES_MAX = 3 };

struct outputs {
    struct observers observers;
    FILE *files[FILES_MAX];
    int file_count;
    char names[FILES_MAX][160];
    struct event *pump, *pauses, *resumes; /* while the run lasts */
    int clogged_ticks;                     /* of the pump, in a row */
    bool clog_is_told;
};

/* A file that an option names. */
struct output_path {
    const char *option; /* without its dashes */
    const char *path;   /* "-" for standard output, NULL for none */
};

/* --csv, --json, --metrics, --live, --plain and --quiet, for a struct output_options. */
extern const struct option_row output_rows[];

/* Whether all can be written, and no two are one file or standard output, without opening any. Returns 0, or
 * -EINVAL after telling why not. */
int outputs_check_paths(const struct output_path *paths, int count);

/* The same of these options. */
int outputs_check(const struct output_options *options);

/* Opens the socket for --metrics: before the network namespace is left in which a monitor is. Returns an
 * exit_code, after telling why where it is not EXIT_AS_EXPECTED. */
int outputs_listen(struct output_options *options);

/* Opens the files and makes the views; outputs must not move until outputs_close. Returns 0, or after telling
 * why: -EINVAL for a file, -ENOMEM. */
int outputs_open(struct outputs *outputs, const struct output_options *options);

/* Returns 0, or a negative errno of outputs_let_go. */
int outputs_close(struct outputs *outputs);

/* Writes what is left, and waits for the reader: until it has read, or for a second after a signal that stops
 * programs or outputs_hurry(). Returns 0, or after telling why: a negative errno that the output has, -EINTR
 * when its reader was not waited for any longer. */
int outputs_let_go(FILE *out);

/* The same, and closes it. */
int outputs_let_go_and_close(FILE *out);

/* The exit code of a command whose result was written to `out` with this return code, 0 or a negative errno,
 * which is told. `stopped_by`: the number of the signal that stopped the command; after SIGHUP nobody reads.
 */
int outputs_tell_written(FILE *out, int rc, const volatile sig_atomic_t *stopped_by);

/* Writes a result to the file that --json names. Returns an exit code, after telling. */
int outputs_write_json(const char *path, int (*print)(FILE *out, const void *result), const void *result,
                       const volatile sig_atomic_t *stopped_by);

/* The last word of a command that ends with this exit code: lets standard output and error go. Returns the
 * exit code, which says so when a result had nowhere to go. */
int outputs_finish(int code);

/* For a command without an event loop: waits until the reader reads on, or the flag is set by a signal. */
void outputs_wait_while_clogged(FILE *out, const volatile sig_atomic_t *stop);

/* The run was interrupted: from now on readers are waited for for a second in all. */
void outputs_hurry(void);

#endif
