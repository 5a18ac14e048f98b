/* host_info: what a host says of itself. */
#ifndef CONTROL_HOST_INFO_H
#define CONTROL_HOST_INFO_H

#include "kernel/host_limits.h"

#include <stdbool.h>

enum { HOST_INFO_LIMITS = 14 };

struct host_info_text {
    char text[512];
};

/* "nofile_hard=20000 ...": every number of them. One that has no bound there is told as the largest that it
 * may be here. */
struct host_info_text host_info_limits(const struct host_limits *limits);

/* The reverse, of one word: "nofile_hard=20000". False when it is none of them, or not within what it may
 * be. */
bool host_info_read_limit(const char *word, struct host_limits *limits);

struct host_info_identity {
    char text[128];
};

/* A word that two processes have in common when they see the same sockets: the same boot of a kernel, and the
 * same network namespace. */
struct host_info_identity host_info_identity(void);

#endif
