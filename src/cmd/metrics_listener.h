/* metrics_listener: where --metrics is served. */
#ifndef CMD_METRICS_LISTENER_H
#define CMD_METRICS_LISTENER_H

#include "kernel/address.h"

#include <stdbool.h>
#include <stddef.h>

struct metrics_listener {
    bool wanted;
    struct address address;
    uint16_t port;
    int listener; /* after metrics_listener_open */
    const char *text;
};

/* For a row of options: `target` is a struct metrics_listener. The first takes loopback only, the other any
 * numeric address. Return 0, or -EINVAL with the rest of a sentence in `why`. */
int metrics_listener_parse_loopback(const char *text, void *target, char *why, size_t why_size);
int metrics_listener_parse(const char *text, void *target, char *why, size_t why_size);

/* Opens its socket where it is wanted. Returns an exit_code, after telling why where it is not
 * EXIT_AS_EXPECTED. */
int metrics_listener_open(struct metrics_listener *listener);

#endif
