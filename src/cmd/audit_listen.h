/* audit_listen: where tcpstorm itself is to listen in an audit: "9000", "127.0.0.1:9000". */
#ifndef CMD_AUDIT_LISTEN_H
#define CMD_AUDIT_LISTEN_H

#include "kernel/address.h"

struct audit_listen {
    const char *option; /* without its dashes */
    const char *text;   /* its value */
    int family;         /* of the loopback address that goes with a port alone */
    bool allow_remote;
};

/* Returns an exit code, not EXIT_AS_EXPECTED after telling. */
int audit_listen_take(const struct audit_listen *wish, struct address *address, uint16_t *port);

/* Whether this negative errno is of bind() or listen(); and the sentence for it. */
bool audit_listen_is_refusal(int rc);
void audit_listen_tell(const char *option, const char *text, int rc);

#endif
