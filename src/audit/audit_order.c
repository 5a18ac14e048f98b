#include "audit/audit_order.h"

const char *const audit_order_names[] = {
    [AUDIT_HALF_CLOSE] = "half-close",
    [AUDIT_CLIENT_FIRST] = "client-first",
    [AUDIT_ABORT] = "abort",
    [AUDIT_IDLE] = "idle",
    [AUDIT_NEVER_CLOSE] = "never-close",
    [AUDIT_EOF_WITH_REQUEST] = "eof-with-request",
    [AUDIT_STALL] = "stall",
    [AUDIT_VANISH] = "vanish",
    [AUDIT_SHORT_REQUEST] = "short-request",
    [AUDIT_SHORT_REQUEST_CLOSE] = "short-request-close",
    [AUDIT_SHORT_REQUEST_ABORT] = "short-request-abort",
    [AUDIT_SECOND_REQUEST] = "second-request",
    [AUDIT_LATE_REQUEST] = "late-request",
    [AUDIT_ORDER_COUNT] = NULL,
};

static const struct audit_order_row rows[AUDIT_ORDER_COUNT] = {
    [AUDIT_HALF_CLOSE] = {.means = "is shutdown(2)",
                          .since = "the client's FIN",
                          .act = ACT_SHUTDOWN,
                          .hears_on = true},
    [AUDIT_CLIENT_FIRST] = {.means = "is close(2)",
                            .since = "the client's FIN",
                            .act = ACT_CLOSE,
                            .tables_tell = true},
    [AUDIT_ABORT] = {.means = "is an RST", .since = "the client's RST", .act = ACT_ABORT},
    [AUDIT_IDLE] = {.means = "does nothing until the server closes",
                    .since = "the last byte",
                    .keeps = "keeps idle clients"},
    [AUDIT_NEVER_CLOSE] = {.means = "does nothing even then: it shows whether the server keeps a descriptor "
                                    "after its own FIN",
                           .since = "its own FIN",
                           .keeps_open = true},
    [AUDIT_EOF_WITH_REQUEST] = {.means = "sends its FIN with the last byte of the request, as nc and many "
                                         "health checks do, and compares the reply with that of a client "
                                         "that waits",
                                .since = "the client's FIN",
                                .act = ACT_SHUTDOWN,
                                .hears_on = true,
                                .needs_request = "its FIN leaves with the last byte of a request",
                                .fin_with_request = true},
    [AUDIT_STALL] = {.means = "asks for more than fits into the buffers and reads nothing: it shows whether "
                              "the server ever lets go of a client that does not read",
                     .since = "the reply had no more room",
                     .keeps = "keeps clients that do not read",
                     .tables_tell = true,
                     .needs_request = "the reply is to fill the buffers",
                     .never_reads = true},
    [AUDIT_VANISH] = {.means = "goes deaf, by a packet filter: no FIN, no RST, no answer even to keep-alive, "
                               "as when its machine loses power. That needs root",
                      .since = "the client vanished",
                      .keeps = "keeps clients that have vanished",
                      .act = ACT_DROP,
                      .tables_tell = true},
    [AUDIT_SHORT_REQUEST] = {.means = "is shutdown(2) after the first half of the request",
                             .since = "the client's FIN",
                             .act = ACT_SHUTDOWN,
                             .hears_on = true,
                             .needs_request = "half of it is sent",
                             .sends_half = true},
    [AUDIT_SHORT_REQUEST_CLOSE] = {.means = "is close(2) after that half",
                                   .since = "the client's FIN",
                                   .act = ACT_CLOSE,
                                   .tables_tell = true,
                                   .needs_request = "half of it is sent",
                                   .sends_half = true},
    [AUDIT_SHORT_REQUEST_ABORT] = {.means = "is an RST after it",
                                   .since = "the client's RST",
                                   .act = ACT_ABORT,
                                   .needs_request = "half of it is sent",
                                   .sends_half = true},
    [AUDIT_SECOND_REQUEST] = {.means = "sends the request again after each reply, --requests times in all, "
                                       "and then is shutdown(2)",
                              .since = "the client's FIN",
                              .act = ACT_SHUTDOWN,
                              .hears_on = true,
                              .needs_request = "it is sent again and again",
                              .asks_again = true},
    [AUDIT_LATE_REQUEST] = {.means =
                                "measures the server's idle timeout first, sends its second request as "
                                "that ends, and counts how many get a reply: the others are what a proxy "
                                "answers with 502. It closes as half-close does",
                            .since = "the client's FIN",
                            .act = ACT_SHUTDOWN,
                            .hears_on = true,
                            .needs_request = "it is sent again as the server's idle timeout ends",
                            .asks_late = true},
};

const struct audit_order_row *audit_order_row(enum audit_order order)
{
    return &rows[order];
}
