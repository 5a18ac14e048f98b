/* audit_order: what the client of an audit does to each connection, after a request where there is one. One
 * row each: the probe, the findings, the views and the help read it. */
#ifndef AUDIT_AUDIT_ORDER_H
#define AUDIT_AUDIT_ORDER_H

#include "kernel/act.h"

#include <stdbool.h>
#include <stddef.h>

enum audit_order {
    AUDIT_HALF_CLOSE,
    AUDIT_CLIENT_FIRST,
    AUDIT_ABORT,
    AUDIT_IDLE,
    AUDIT_NEVER_CLOSE,
    AUDIT_EOF_WITH_REQUEST,
    AUDIT_STALL,
    AUDIT_VANISH,
    AUDIT_SHORT_REQUEST,
    AUDIT_SHORT_REQUEST_CLOSE,
    AUDIT_SHORT_REQUEST_ABORT,
    AUDIT_SECOND_REQUEST,
    AUDIT_LATE_REQUEST,
    AUDIT_TLS_NO_NOTIFY,
    AUDIT_TLS_NOTIFY_ONLY,
    AUDIT_TLS_HALF_HANDSHAKE,
    AUDIT_TLS_STALLED_HANDSHAKE,
    AUDIT_ORDER_COUNT,
};

struct audit_order_row {
    const char *does;          /* for the manual: "calls shutdown(2), and still reads from the server" */
    const char *shows;         /* likewise: "does the server close after a FIN?" */
    const char *since;         /* from what on the server has its grace period: "the client's FIN" */
    const char *needs_request; /* why it needs one (--send or --http); NULL: it does not */
    const char *keeps;         /* what a server that holds them does: "keeps idle clients"; NULL: it leaks */
    enum act act;              /* ACT_NONE: it keeps its end as it is */
    bool hears_on;             /* the client hears what the server does after its act */
    bool tables_tell;          /* it has no descriptor that would tell: only the kernel's tables do */
    bool keeps_open;           /* not even the server's FIN makes it close: its grace period begins there */
    bool fin_with_request;     /* the FIN leaves in the segment of the request's last byte */
    bool sends_half;           /* of the request, and acts when the server has had time to read that */
    bool never_reads;          /* so that a reply fills the buffers: its grace period begins there */
    bool asks_again;           /* it sends the request settings.requests times, each after a reply, */
    bool asks_late;            /* or twice: the second time as the server's idle timeout ends */
    /* Of TLS, where an act that is a FIN comes behind a close_notify: */
    bool needs_tls;
    bool skips_notify;       /* no close_notify */
    bool only_notifies;      /* a close_notify, and no FIN */
    bool stops_in_handshake; /* when its ClientHello is sent: no request, and no TLS any more */
};

/* Whether the client lives on and hears nothing: the tables must have shown the server's end before. */
static inline bool audit_order_is_silent(const struct audit_order_row *row)
{
    return row->never_reads || row->act == ACT_DROP;
}

/* Whether the client's close_notify comes before its act, or is it, where there is TLS. */
static inline bool audit_order_notifies(const struct audit_order_row *row)
{
    bool has_fin = row->act == ACT_SHUTDOWN || row->act == ACT_CLOSE;
    return row->only_notifies || (has_fin && !row->skips_notify && !row->stops_in_handshake);
}

/* Never NULL for an order. */
const struct audit_order_row *audit_order_row(enum audit_order order);

/* "half-close"; behind the last one "all", and NULL. The index is an audit_order. */
extern const char *const audit_order_names[];

#endif
