/* audit_request: what the clients of an audit send: the bytes of a file, or an HTTP request. */
#ifndef CMD_AUDIT_REQUEST_H
#define CMD_AUDIT_REQUEST_H

#include "cmd/audit_options.h"

/* Makes options->request, which the caller frees, and lends it to the settings. Returns an exit code, not
 * EXIT_AS_EXPECTED after telling. */
int audit_request_take(struct audit_options *options);

/* --send, --http, --method, --header and --body, for a struct audit_options. */
extern const struct option_row audit_request_rows[];

/* Reads the file of an option, of 1 byte to 1 MiB, for the caller to free. Returns NULL after telling. */
char *audit_read_file(const char *option, const char *path, size_t *length);

#endif
