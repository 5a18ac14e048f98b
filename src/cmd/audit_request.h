/* audit_request: what the clients of an audit send: the bytes of a file, or an HTTP request. */
#ifndef CMD_AUDIT_REQUEST_H
#define CMD_AUDIT_REQUEST_H

#include "cmd/audit_options.h"

/* Makes options->request, which the caller frees, and lends it to the settings. Returns an exit code, not
 * EXIT_AS_EXPECTED after telling. */
int audit_request_take(struct audit_options *options);

/* For --method and --header, as option_row.parse: a const char * and a struct request_headers. */
int audit_request_parse_method(const char *text, void *target, char *why, size_t why_size);
int audit_request_parse_header(const char *text, void *target, char *why, size_t why_size);

/* Reads the file of an option, of 1 byte to 1 MiB, for the caller to free. Returns NULL after telling. */
char *audit_read_file(const char *option, const char *path, size_t *length);

#endif
