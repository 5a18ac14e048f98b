/* audit_options: the options of "tcpstorm audit" as they were given. */
#ifndef CMD_AUDIT_OPTIONS_H
#define CMD_AUDIT_OPTIONS_H

#include "audit/tls.h"
#include "cmd/audit_results.h"
#include "cmd/audit_target.h"
#include "cmd/isolation.h"
#include "trace/tracer.h"

enum { HEADERS_MAX = 32 };

/* The orders in their turn. */
struct audit_order_list {
    enum audit_order each[AUDIT_ORDER_COUNT];
    int count;
    bool is_all; /* asked for as "all": those that cannot be played are left out */
    struct audit_untried untried[AUDIT_ORDER_COUNT];
    int untried_count;
};

/* --header: borrowed. */
struct request_headers {
    const char *each[HEADERS_MAX];
    int count;
};

struct audit_options {
    const char *target; /* as typed: "127.0.0.1:8080" */
    struct audit_settings settings;
    struct audit_order_list orders;
    const char *send, *http, *method, *body;
    struct request_headers headers;
    const char *through, *as_backend; /* a proxy: see audit_through.h */
    const char *as_server, *reply;    /* a client: see audit_as_server.h */
    int64_t status;
    bool keep_alive;
    struct result_file results[RESULT_COUNT];
    bool allow_remote, quiet;
    char *request; /* owned */
    struct target_addresses addresses;
    bool runs;            /* --run: the server is ours to start, by these words: */
    char *const *program; /* behind "--", NULL: none */
    int64_t until_ready_ms;
    bool traces; /* --trace: by */
    struct tracer tracer;
    struct isolation isolation;
    bool has_tls;
    struct tls_wish tls;
    char tls_host[256]; /* of the target */
};

#endif
