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
    [AUDIT_TLS_NO_NOTIFY] = "tls-no-notify",
    [AUDIT_TLS_NOTIFY_ONLY] = "tls-notify-only",
    [AUDIT_TLS_HALF_HANDSHAKE] = "tls-half-handshake",
    [AUDIT_TLS_STALLED_HANDSHAKE] = "tls-stalled-handshake",
    [AUDIT_ORDER_COUNT] = "all",
    [AUDIT_ORDER_COUNT + 1] = NULL,
};

static const struct audit_order_row rows[AUDIT_ORDER_COUNT] = {
    [AUDIT_HALF_CLOSE] = {.means =
                              "With half-close it calls shutdown(2), and still hears what the server does.",
                          .since = "the client's FIN",
                          .act = ACT_SHUTDOWN,
                          .hears_on = true},
    [AUDIT_CLIENT_FIRST] = {.means = "With client-first it calls close(2).",
                            .since = "the client's FIN",
                            .act = ACT_CLOSE,
                            .tables_tell = true},
    [AUDIT_ABORT] = {.means = "With abort it sends an RST, for descriptors that outlive their connection.",
                     .since = "the client's RST",
                     .act = ACT_ABORT},
    [AUDIT_IDLE] = {.means = "With idle it does nothing until the server closes.",
                    .since = "the last byte",
                    .keeps = "keeps idle clients"},
    [AUDIT_NEVER_CLOSE] = {.means = "With never-close it does nothing even then: that shows whether the "
                                    "server keeps a descriptor after its own FIN.",
                           .since = "its own FIN",
                           .keeps = "keeps its end after its own FIN",
                           .keeps_open = true},
    [AUDIT_EOF_WITH_REQUEST] =
        {.means = "With eof-with-request its FIN leaves with the last byte of the request, as that of nc and "
                  "many health checks does, and the reply is compared with that to a client that waits.",
         .since = "the client's FIN",
         .act = ACT_SHUTDOWN,
         .hears_on = true,
         .needs_request = "its FIN leaves with the last byte of a request",
         .fin_with_request = true},
    [AUDIT_STALL] =
        {.means = "With stall it asks and reads nothing, so that a reply of some kilobytes fills the "
                  "buffers: that shows whether the server ever lets go of a client that does not read.",
         .since = "the reply had no more room",
         .keeps = "keeps clients that do not read",
         .tables_tell = true,
         .needs_request = "the reply is to fill the buffers",
         .never_reads = true},
    [AUDIT_VANISH] =
        {.means = "With vanish it goes deaf, by a packet filter: no FIN, no RST, no answer even to "
                  "keep-alive, as when its machine loses power. That needs root, or --isolate with --run.",
         .since = "the client vanished",
         .keeps = "keeps clients that have vanished",
         .act = ACT_DROP,
         .tables_tell = true},
    [AUDIT_SHORT_REQUEST] =
        {.means = "With short-request it calls shutdown(2) after the first half of the request.",
         .since = "the client's FIN",
         .act = ACT_SHUTDOWN,
         .hears_on = true,
         .needs_request = "half of it is sent",
         .sends_half = true},
    [AUDIT_SHORT_REQUEST_CLOSE] = {.means = "With short-request-close it calls close(2) there.",
                                   .since = "the client's FIN",
                                   .act = ACT_CLOSE,
                                   .tables_tell = true,
                                   .needs_request = "half of it is sent",
                                   .sends_half = true},
    [AUDIT_SHORT_REQUEST_ABORT] = {.means = "With short-request-abort it sends an RST there.",
                                   .since = "the client's RST",
                                   .act = ACT_ABORT,
                                   .needs_request = "half of it is sent",
                                   .sends_half = true},
    [AUDIT_SECOND_REQUEST] = {.means = "With second-request it sends the request again after each reply, "
                                       "--requests times in all, and then calls shutdown(2).",
                              .since = "the client's FIN",
                              .act = ACT_SHUTDOWN,
                              .hears_on = true,
                              .needs_request = "it is sent again and again",
                              .asks_again = true},
    [AUDIT_LATE_REQUEST] = {.means = "With late-request the idle timeout of the server is measured first, "
                                     "and a second request is sent as that ends: how many get no reply is "
                                     "counted, to which a proxy answers 502. Then it calls shutdown(2).",
                            .since = "the client's FIN",
                            .act = ACT_SHUTDOWN,
                            .hears_on = true,
                            .needs_request = "it is sent again as the server's idle timeout ends",
                            .asks_late = true},
    [AUDIT_TLS_NO_NOTIFY] = {.means = "With tls-no-notify it calls shutdown(2) without the close_notify that "
                                      "all other orders send before it with --tls.",
                             .since = "the client's FIN",
                             .act = ACT_SHUTDOWN,
                             .hears_on = true,
                             .needs_tls = true,
                             .skips_notify = true},
    [AUDIT_TLS_NOTIFY_ONLY] = {.means = "With tls-notify-only it sends that close_notify, and no FIN.",
                               .since = "the client's close_notify",
                               .hears_on = true,
                               .needs_tls = true,
                               .only_notifies = true},
    [AUDIT_TLS_HALF_HANDSHAKE] = {.means = "With tls-half-handshake it calls shutdown(2) after the "
                                           "ClientHello, in the middle of the handshake.",
                                  .since = "the client's FIN",
                                  .act = ACT_SHUTDOWN,
                                  .hears_on = true,
                                  .needs_tls = true,
                                  .stops_in_handshake = true},
    [AUDIT_TLS_STALLED_HANDSHAKE] =
        {.means = "With tls-stalled-handshake it does nothing after the ClientHello until the server closes.",
         .since = "the ClientHello",
         .keeps = "keeps clients that stop in the handshake",
         .needs_tls = true,
         .stops_in_handshake = true},
};

const struct audit_order_row *audit_order_row(enum audit_order order)
{
    return &rows[order];
}

const char *audit_order_means(int order)
{
    return order < AUDIT_ORDER_COUNT ? rows[order].means : NULL;
}
