/* audit_request: what the clients of an audit send: the bytes of a file, or an HTTP request. */
#ifndef CMD_AUDIT_REQUEST_H
#define CMD_AUDIT_REQUEST_H

#include "cmd/audit_options.h"

/* Makes options->request, which the caller frees, and lends it to the settings. Returns an exit code, not
 * EXIT_AS_EXPECTED after telling. */
int audit_request_take(struct audit_options *options);

#endif
