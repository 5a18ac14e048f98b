/* audit_options: the options of "tcpstorm audit" as they were given. */
#ifndef CMD_AUDIT_OPTIONS_H
#define CMD_AUDIT_OPTIONS_H

#include "cmd/audit_results.h"
#include "cmd/audit_target.h"
#include "cmd/isolation.h"

struct audit_options {
    const char *target; /* as typed: "127.0.0.1:8080" */
    struct audit_settings settings;
    int order;
    const char *send, *http;
    const char *through, *as_backend; /* a proxy: see audit_through.h */
    struct result_file results[RESULT_COUNT];
    bool allow_remote, quiet;
    char *request; /* owned */
    struct target_addresses addresses;
    bool runs;            /* --run: the server is ours to start, by these words: */
    char *const *program; /* behind "--", NULL: none */
    int64_t until_ready_ms;
    struct isolation isolation;
};

#endif
