/* host_report: what a host says of itself, as a line on the wire. */
#ifndef CONTROL_HOST_INFO_H
#define CONTROL_HOST_INFO_H

#include "control/link.h"
#include "kernel/host_limits.h"

#include <stdbool.h>

enum { HOST_REPORT_LIMITS = 12 };

/* "limits nofile_hard=20000 ...": every number of them. One that has no bound there is told as the largest
 * that it may be here. */
struct wire_text host_report_limits(const struct host_limits *limits);

/* True for "nofile_hard=20000": one of them, and within what it may be. */
bool host_report_is_limit(const char *word);

/* The reverse of host_report_limits(), of a line that was checked. */
void host_report_read_limits(const struct wire_line *line, struct host_limits *limits);

/* A word that two processes have in common when they see the same sockets: the same boot of a kernel, and the
 * same network namespace. */
struct wire_text host_report_identity(void);

#endif
