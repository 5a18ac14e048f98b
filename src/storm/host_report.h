/* host_report: what a host says of itself, as a line on the wire. */
#ifndef STORM_HOST_REPORT_H
#define STORM_HOST_REPORT_H

#include "storm/wire.h"
#include "tcp/host_limits.h"

/* "limits nofile_hard=20000 ...": every number of them. */
struct wire_text host_report_limits(const struct host_limits *limits);

/* The reverse; what this version does not know is passed over. */
void host_report_read_limits(const struct wire_line *line, struct host_limits *limits);

/* A word that two processes have in common when they see the same sockets: the same boot of a kernel, and the
 * same network namespace. */
struct wire_text host_report_identity(void);

#endif
