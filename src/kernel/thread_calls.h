/* thread_calls: the system calls in which a process's threads wait (/proc/PID/task/TID/syscall, man 5 proc).
 * It takes the right to trace the process (PTRACE_MODE_ATTACH). In all of it the negative errno EACCES says
 * that it is not ours to look into, ESRCH that there is no such process. */
#ifndef KERNEL_THREAD_CALLS_H
#define KERNEL_THREAD_CALLS_H

#include "kernel/thread_call.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a call is on a descriptor that the process has closed meanwhile, as below. */
bool thread_call_is_on_closed(pid_t pid, const struct thread_call *call);

/* How many threads are in a call on a descriptor that the process has closed meanwhile: at least, for its
 * number may have been given to another one since. Such a call keeps the socket: no FIN is sent until it
 * returns. Or a negative errno. */
int64_t threads_in_closed_calls(pid_t pid);

/* Whether a thread waits for connections or for what comes over one (accept, recv, poll, select, epoll,
 * io_uring), runs, or waits for another thread that may: 1 or 0, or a negative errno. */
int process_may_serve(pid_t pid);

#endif
