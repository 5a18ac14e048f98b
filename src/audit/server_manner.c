#include "audit/server_manner.h"

#include <stddef.h>

const char *const server_manner_names[] = {
    [MANNER_CLOSES_IDLE] = "close-idle",
    [MANNER_CLOSES_AFTER_REPLY] = "close-after-reply",
    [MANNER_CLOSES_IN_REPLY] = "half-reply",
    [MANNER_RESETS] = "abort",
    [MANNER_NEVER_ANSWERS] = "never-answer",
    [MANNER_NEVER_ACCEPTS] = "never-accept",
    [MANNER_CLOSES_AFTER_REQUESTS] = "close-after-requests",
    [MANNER_CLOSES_IN_REQUEST] = "fin-while-sending",
    [SERVER_MANNER_COUNT] = NULL,
};

static const struct server_manner_row rows[] = {
    [MANNER_CLOSES_IDLE] = {.means = "it replies, and closes when the connection has been quiet for a while",
                            .since = "the server's FIN",
                            .moment = WHEN_QUIET,
                            .as = AUDIT_CLIENT_FIRST,
                            .replies = true},
    [MANNER_CLOSES_AFTER_REPLY] = {.means = "it replies, and closes at once",
                                   .since = "the server's FIN",
                                   .moment = WHEN_REPLIED,
                                   .as = AUDIT_CLIENT_FIRST,
                                   .replies = true},
    [MANNER_CLOSES_IN_REPLY] = {.means = "it sends half of the reply, and closes",
                                .since = "the server's FIN",
                                .moment = WHEN_REPLIED,
                                .as = AUDIT_CLIENT_FIRST,
                                .replies = true,
                                .half_reply = true},
    [MANNER_RESETS] = {.means = "it answers the request with an RST",
                       .since = "the server's RST",
                       .moment = WHEN_ASKED,
                       .as = AUDIT_ABORT},
    [MANNER_NEVER_ANSWERS] = {.means = "it reads the request, and does nothing more",
                              .since = "the request",
                              .moment = WHEN_ASKED,
                              .as = AUDIT_IDLE},
    [MANNER_NEVER_ACCEPTS] =
        {.means =
             "it listens and never accepts: one or two connections wait in the queue, the others in SYN_SENT",
         .since = "connect()",
         .moment = WHEN_ASKED,
         .as = AUDIT_IDLE,
         .never_accepts = true},
    [MANNER_CLOSES_AFTER_REQUESTS] =
        {.means = "it replies to --requests requests, and closes after the last reply",
         .since = "the server's FIN",
         .moment = WHEN_REPLIED,
         .as = AUDIT_CLIENT_FIRST,
         .replies = true},
    [MANNER_CLOSES_IN_REQUEST] =
        {.means = "it sends its FIN when the first bytes of the request come, and reads on",
         .since = "the server's FIN",
         .moment = WHEN_BEGUN,
         .as = AUDIT_HALF_CLOSE},
};
_Static_assert(sizeof rows / sizeof rows[0] == SERVER_MANNER_COUNT, "a row for each manner");

const struct server_manner_row *server_manner_row(enum server_manner manner)
{
    return &rows[manner];
}
