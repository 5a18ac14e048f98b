#include "audit/audit_order.h"

const char *const audit_order_names[] = {"half-close",  "client-first",     "abort", "idle",
                                         "never-close", "eof-with-request", NULL};

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
    [AUDIT_IDLE] = {.means = "does nothing until the server closes", .since = "the last byte"},
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
                                .needs_request = true,
                                .fin_with_request = true},
};

const struct audit_order_row *audit_order_row(enum audit_order order)
{
    return &rows[order];
}
