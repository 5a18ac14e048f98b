/* in_flight: descriptors that were sent over a Unix socket (SCM_RIGHTS, man 7 unix) and not received yet: no
 * process has them, and only the socket that they wait in says how many (scm_fds in its fdinfo, since Linux
 * 5.13), to whoever may look into its owner. */
#ifndef KERNEL_IN_FLIGHT_H
#define KERNEL_IN_FLIGHT_H

#include <stdint.h>
#include <sys/types.h>

/* Reads a line of the fdinfo of a socket: the number, or -1 when the line does not say it. */
int64_t in_flight_parse(const char *line);

/* How many wait in the socket that is descriptor `fd` of that process; 0 of one that is no Unix socket. Or a
 * negative errno as in kernel/proc_file.h. */
int64_t in_flight_read(pid_t pid, int fd);

#endif
