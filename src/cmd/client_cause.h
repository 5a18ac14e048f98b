/* client_cause: a client with one of the bugs in src/cause/, or its fixed twin, for a server of the user's
 * own: so many connections a second for so long, then all of them are closed. */
#ifndef CMD_CLIENT_CAUSE_H
#define CMD_CLIENT_CAUSE_H

#include "kernel/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault_case;

struct client_cause {
    const struct fault_case *cause; /* a client's */
    bool fixed;
    struct address address;
    uint16_t port;
    int64_t rate, duration_ms;
    const char *request; /* what it asks on each connection */
    size_t request_length;
};

/* Returns an exit_code: EXIT_AS_EXPECTED when it was played to its end, whether or not the bug has shown;
 * EXIT_MACHINE when no connection was established. */
int client_cause(const struct client_cause *wish);

#endif
