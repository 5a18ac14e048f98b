/* process_signals: what becomes of a process when a signal comes to it (/proc/PID/status, man 5 proc). */
#ifndef KERNEL_PROCESS_SIGNALS_H
#define KERNEL_PROCESS_SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a line of that file says that the signal is ignored or caught. */
bool process_signals_line_has(const char *line, int signal);

/* Whether a process ignores or catches a signal, so that it need not end it. Threads share that. Returns 1 or
 * 0, or a negative errno: ESRCH, there is no such process; EACCES, it is hidden (hidepid). */
int process_survives_signal(pid_t pid, int signal);

#endif
