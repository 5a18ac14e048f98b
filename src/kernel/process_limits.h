/* process_limits: what one process may have (/proc/PID/limits, man 5 proc): readable by everybody since Linux
 * 2.6.36. */
#ifndef KERNEL_PROCESS_LIMITS_H
#define KERNEL_PROCESS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_limits {
    int64_t descriptors_soft, descriptors_hard; /* INT64_MAX: no limit; -1: not told */
};

/* Reads the whole text. False when it does not tell. */
bool process_limits_parse(const char *text, struct process_limits *limits);

/* Returns 0, or a negative errno as in kernel/proc_file.h; EBADMSG: the text does not tell. */
int process_limits_read(pid_t pid, struct process_limits *limits);

#endif
