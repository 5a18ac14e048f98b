/* interactive: one end of one connection in the hands of a person: each key is a call, and whatever the
 * kernel then reports of both ends is shown, whoever caused it. What "tcpstorm server" and "tcpstorm client"
 * share.
 */
#ifndef CMD_INTERACTIVE_H
#define CMD_INTERACTIVE_H

#include "base/options.h"
#include "kernel/address.h"
#include "kernel/histogram.h"

#include <stdint.h>

struct event_base;
struct interactive;

struct interactive_options {
    struct address address;
    int64_t port;
};

/* --address and --port, for a struct interactive_options. */
extern const struct option_row interactive_rows[];

/* Prepares the loop, the signals and the keys. NULL when, as it then says, no loop could be made or no
 * witness works. */
struct interactive *interactive_new(enum side side);

struct event_base *interactive_base(const struct interactive *end);

/* Ends the loop; interactive_run returns that exit code. */
void interactive_leave(struct interactive *end, int exit_code);

/* Takes a connected socket over and shows it; from now on keys act on it. */
void interactive_connected(struct interactive *end, int fd);

/* Runs until the connection is done, or somebody leaves. Returns an exit_code. */
int interactive_run(struct interactive *end);

void interactive_free(struct interactive *end);

#endif
