/* audit_target: the server that an audit is told to visit: "127.0.0.1:8080". */
#ifndef CMD_AUDIT_TARGET_H
#define CMD_AUDIT_TARGET_H

#include "audit/audit_settings.h"

/* Fills in target, address and port. `text` stays borrowed. Returns an exit code, not EXIT_AS_EXPECTED after
 * telling. */
int audit_target_take(const char *text, struct audit_settings *settings);

/* Tells that the target is refused, and returns EXIT_USAGE. */
int audit_target_refuse(const char *text, const char *why);

#endif
