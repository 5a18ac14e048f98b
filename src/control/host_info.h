/* host_info: what a host says of itself, as a line in messages. */
#ifndef CONTROL_HOST_INFO_H
#define CONTROL_HOST_INFO_H

#include "control/link.h"
#include "kernel/host_limits.h"

#include <stdbool.h>

enum { HOST_INFO_LIMITS = 12 };

/* "limits nofile_hard=20000 ...": every number of them. One that has no bound there is told as the largest
 * that it may be here. */
struct link_text host_info_limits(const struct host_limits *limits);

/* True for "nofile_hard=20000": one of them, and within what it may be. */
bool host_info_is_limit(const char *word);

/* The reverse of host_info_limits(), of a line that was checked. */
void host_info_read_limits(const struct link_line *line, struct host_limits *limits);

/* A word that two processes have in common when they see the same sockets: the same boot of a kernel, and the
 * same network namespace. */
struct link_text host_info_identity(void);

#endif
