/* one_end: one end of one connection in the hands of a person: each key is a call, and whatever the kernel
 * then reports of both ends is shown, whoever caused it. What "tcpstorm server" and "tcpstorm client" share.
 */
#ifndef CMD_INTERACTIVE_H
#define CMD_INTERACTIVE_H

#include "base/options.h"
#include "kernel/address.h"
#include "kernel/histogram.h"

#include <stdint.h>

struct event_base;
struct one_end;

struct one_end_options {
    struct address address;
    int64_t port;
};

/* --address and --port; makes sure that no socket takes the place of a closed standard descriptor. Returns 0
 * or -EINVAL. */
int one_end_parse(int argc, char *argv[], struct one_end_options *options);

/* Prepares the loop, the signals and the keys. NULL when, as it then says, no loop could be made or no
 * witness works. */
struct one_end *one_end_new(enum side side);

struct event_base *one_end_base(const struct one_end *end);

/* Ends the loop; one_end_run returns that exit code. */
void one_end_leave(struct one_end *end, int exit_code);

/* Takes a connected socket over and shows it; from now on keys act on it. */
void one_end_connected(struct one_end *end, int fd);

/* Runs until the connection is done, or somebody leaves. Returns an exit_code. */
int one_end_run(struct one_end *end);

void one_end_free(struct one_end *end);

#endif
