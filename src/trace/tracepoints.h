/* tracepoints: the numbers of the kernel's tracepoints (tracefs). */
#ifndef TRACE_TRACEPOINTS_H
#define TRACE_TRACEPOINTS_H

/* Of "raw_syscalls/sys_enter". Returns it, or a negative errno: ENOENT, there is no such tracepoint, or
 * tracefs is mounted nowhere and this user may not mount it; EACCES. */
int tracepoint_id(const char *name);

#endif
