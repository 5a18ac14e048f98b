/* run: plays what a command has put together: plan, views, exit code. */
#ifndef CMD_PLAY_H
#define CMD_PLAY_H

#include "cmd/outputs.h"
#include "engine/plan.h"

enum { PLAY_TOGETHER_MAX = 11 };

/* One storm, or several that are held together at their last step. */
struct play {
    struct run_settings *settings[PLAY_TOGETHER_MAX];
    int count;
    const struct output_options *outputs;
    bool dry_run;
    int64_t hold_together_ms; /* of several: how long, from when the last is there; or HOLD_FOREVER */
};

/* --hold: a duration, or forever, into an int64_t. */
int play_parse_hold(const char *text, void *target, char *why, size_t why_size);

/* Plays what was asked for by these words, of which `command` comes first: "tcpstorm". Returns an exit_code.
 */
int play_storm(const struct play *run, const char *command, int argc, char *const argv[]);

#endif
