/* audit_settings: what an audit is to do. */
#ifndef AUDIT_AUDIT_SETTINGS_H
#define AUDIT_AUDIT_SETTINGS_H

#include "audit/audit_order.h"
#include "kernel/address.h"
#include "kernel/unix_place.h"

#include <stddef.h>
#include <stdint.h>

enum { AUDIT_ROUNDS_MAX = 64 };

struct tls_context;

struct audit_settings {
    const char *target;           /* as typed, for sentences */
    struct unix_place unix_place; /* the server's, if it is one of Unix sockets; else it has */
    struct address address;
    uint16_t port;
    int64_t conns; /* a round */
    int64_t repeat;
    enum audit_order order;
    struct tls_context *tls; /* borrowed; NULL: none */
    const char *request;     /* NULL: none; not ended by 0 */
    size_t request_length;
    int64_t requests;       /* on a connection: of orders that ask again */
    int64_t expect_idle_ms; /* the idle timeout that the server ought to have; 0: any */
    int64_t rate;           /* connections a second; 0: as the server takes them in */
    int64_t grace_ms;
    int64_t connect_timeout_ms;
    void (*on_decided)(void *context); /* it is known what is held, and all is as it was then; NULL: nobody */
    void *decided_context;
    bool is_slowed; /* the server runs under a tracer, and takes longer than it would by itself */
    int64_t
        fin_timeout_ms; /* net.ipv4.tcp_fin_timeout: after it the kernel forgets an end that close() left */
};

static inline bool audit_is_unix(const struct audit_settings *settings)
{
    return settings->unix_place.length > 0;
}

#endif
