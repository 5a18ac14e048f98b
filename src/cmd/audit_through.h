/* audit_through: "tcpstorm audit --through HOST:PORT --as-backend PORT": the audit of a proxy. */
#ifndef CMD_AUDIT_THROUGH_H
#define CMD_AUDIT_THROUGH_H

#include <stdbool.h>

/* Whether the words ask for it: --through is among them. */
bool audit_through_is_meant(int argc, char *const argv[]);

/* Returns an exit code. */
int audit_through(int argc, char *argv[]);

#endif
