/* server_manner: what we do as the server of a client that is audited. Each manner comes to one act on the
 * connection, and from then on the client has its grace period. */
#ifndef AUDIT_SERVER_MANNER_H
#define AUDIT_SERVER_MANNER_H

#include "audit/audit_order.h"

#include <stdbool.h>

enum server_manner {
    MANNER_CLOSES_IDLE,
    MANNER_CLOSES_AFTER_REPLY,
    MANNER_CLOSES_IN_REPLY,
    MANNER_RESETS,
    MANNER_NEVER_ANSWERS,
    MANNER_NEVER_ACCEPTS,
    MANNER_CLOSES_AFTER_REQUESTS,
    MANNER_CLOSES_IN_REQUEST,
    SERVER_MANNER_COUNT,
};

/* When it comes to the act. */
enum manner_moment {
    WHEN_QUIET,   /* nothing has come for a while, or nothing at all */
    WHEN_ASKED,   /* a request has come, or none for a while */
    WHEN_BEGUN,   /* its first bytes have come, or none for a while */
    WHEN_REPLIED, /* to so many requests: without one it never comes */
};

struct server_manner_row {
    const char *means; /* half a sentence */
    const char *since; /* from what on the client has its grace period: "the server's FIN" */
    enum manner_moment moment;
    enum audit_order as;      /* what a client that does the same to its connection plays */
    bool replies, half_reply; /* half_reply: no more than that of it */
    bool never_accepts;
};

/* "close-idle"; NULL at the end. The index is a server_manner. */
extern const char *const server_manner_names[];

const struct server_manner_row *server_manner_row(enum server_manner manner);

#endif
