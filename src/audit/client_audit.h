/* client_audit: does a client close when its server does? We listen, play a server of some manner, and judge
 * who connects. Classes, groups and outcomes are those of an audit, with the roles exchanged: what they call
 * the server is the client that is audited, and its end may be in SYN_SENT too: connect() given up, without
 * close().
 *
 *   accept() - client_visit: the conversation, until the manner comes to its act
 *            - a look: whose socket is it? - probe_adopt(): the act, and the grace period
 *
 * Looks at the kernel's tables go on meanwhile, a few times a second: when a process ends its sockets go with
 * it, and what it held before is held against it, and what it had time for is not. */
#ifndef AUDIT_CLIENT_AUDIT_H
#define AUDIT_CLIENT_AUDIT_H

#include "audit/audit.h"
#include "audit/server_manner.h"
#include "control/program.h"

struct client_settings {
    struct audit_settings audit; /* target: as typed; address and port: where we listen; conns; order: what
                                    the manner comes to; grace_ms; fin_timeout_ms */
    enum server_manner manner;
    const char *reply; /* NULL: none */
    size_t reply_length;
    bool is_http;           /* the requests are; so is the reply */
    int64_t requests;       /* WHEN_REPLIED: the act comes after so many */
    char *const *command;   /* the client to start; NULL: whoever comes, until conns have come, or a signal */
    int64_t until_ready_ms; /* for the command to connect */
};

struct client_result {
    struct audit_result audit;
    int64_t at_exit;  /* connections that the end of their process has closed: not judged */
    int64_t unplayed; /* on which the manner never came to its act */
    bool has_ended;   /* the command, before we were through */
    pid_t client;     /* of the first connection; 0: not known */
    char client_command[16];
};

/* Returns 0, or a negative errno when it could not begin: EADDRINUSE, EADDRNOTAVAIL, EACCES: the port cannot
 * be listened on; with program->is_refused that of the command. `program` is stopped in the end. */
int client_audit_run(const struct client_settings *settings, struct program *program,
                     audit_progress *progress, void *context, struct client_result *result);
void client_audit_free(struct client_result *result);

#endif
