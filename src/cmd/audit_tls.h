/* audit_tls: --tls and what goes with it. */
#ifndef CMD_AUDIT_TLS_H
#define CMD_AUDIT_TLS_H

#include "cmd/audit_options.h"

/* --tls, --ca, --servername, --insecure: for a struct audit_options. */
extern const struct option_row audit_tls_rows[];

/* Makes settings.tls, which the caller frees, where TLS is asked for. The target has been taken. Returns an
 * exit code, not EXIT_AS_EXPECTED after telling. */
int audit_tls_take(struct audit_options *options);

#endif
