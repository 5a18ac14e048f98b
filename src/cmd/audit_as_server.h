/* audit_as_server: "tcpstorm audit --as-server PORT -- COMMAND": the audit of a client. */
#ifndef CMD_AUDIT_AS_SERVER_H
#define CMD_AUDIT_AS_SERVER_H

#include <stdbool.h>

/* Whether the words ask for it: --as-server is among them. */
bool audit_as_server_is_meant(int argc, char *const argv[]);

/* Returns an exit code. */
int audit_as_server(int argc, char *argv[]);

#endif
