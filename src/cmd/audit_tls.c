#include "cmd/audit_tls.h"

#include "base/diag.h"
#include "cmd/command.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPTION(member) offsetof(struct audit_options, member)

const struct option_row audit_tls_rows[] = {
    {.name = "tls",
     .help = "speak TLS to the server",
     .more = "Speak TLS to the server. The client then sends a close_notify before each FIN of its own, and "
             "four more orders are possible. When a handshake fails, the exit code is 3 and OpenSSL's "
             "message is printed.",
     .kind = OPTION_FLAG,
     .target = OPTION(has_tls)},
    {.name = "ca",
     .value = "FILE",
     .help = "with --tls: certificates to trust, PEM",
     .preset = "those of this system",
     .kind = OPTION_TEXT,
     .target = OPTION(tls.ca)},
    {.name = "servername",
     .value = "NAME",
     .help = "with --tls: the name in its certificate, also sent as SNI",
     .preset = "HOST",
     .kind = OPTION_TEXT,
     .target = OPTION(tls.name)},
    {.name = "insecure",
     .help = "with --tls: accept any certificate",
     .kind = OPTION_FLAG,
     .target = OPTION(tls.is_insecure)},
    {.name = NULL},
};

/* "[::1]:443" is "::1". A Unix socket has no host. */
static void note_host(struct audit_options *options)
{
    const char *target = options->target;
    bool is_bracketed = target[0] == '[';
    size_t length = is_bracketed ? strcspn(target, "]") : strcspn(target, ":");
    if (audit_is_unix(&options->settings))
        snprintf(options->tls_host, sizeof options->tls_host, "localhost");
    else
        snprintf(options->tls_host, sizeof options->tls_host, "%.*s", (int)length - is_bracketed,
                 target + is_bracketed);
    options->tls.name = options->tls_host;
}

int audit_tls_take(struct audit_options *options)
{
    char why[TLS_WHY_SIZE];
    if (!options->has_tls)
        return EXIT_AS_EXPECTED;
    if (options->tls.name == NULL)
        note_host(options);
    if (options->tls.ca != NULL && access(options->tls.ca, R_OK) != 0) { /* OpenSSL says "system lib" */
        diag_error("--ca \"%s\": must be a file of certificates, PEM: %s", options->tls.ca, strerror(errno));
        return EXIT_USAGE;
    }
    options->settings.tls = tls_context_new(&options->tls, why);
    if (options->settings.tls != NULL)
        return EXIT_AS_EXPECTED;
    if (options->tls.ca != NULL && tls_is_there())
        diag_error("--ca \"%s\": must be a file of certificates, PEM: %s", options->tls.ca, why);
    else
        diag_error("--tls: %s", why);
    return EXIT_USAGE;
}
