/* thread_call: the system call that a thread of another process is in (/proc/PID/task/TID/syscall, man 5
 * proc). That file takes the right to attach to the process, as a debugger needs it; without that right there
 * is wchan, the function of the kernel that the thread sleeps in: no descriptor, and no arguments. */
#ifndef KERNEL_THREAD_CALL_H
#define KERNEL_THREAD_CALL_H

#include "kernel/system_call.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CALL_ARGUMENTS = 6 };

struct thread_call {
    enum call_kind kind;
    char name[32];      /* "recvfrom", or a function of the kernel; visible ASCII; "": not known */
    bool has_arguments; /* false: what follows is not known */
    long number;
    uint64_t arguments[CALL_ARGUMENTS];
    int fd; /* the descriptor among them that it waits for; -1: none */
};

/* Reads the text of `syscall`. False when the text says of no call ("-1 ...": stopped outside of one) or is
 * not of that form; "running" is IN_NOTHING. */
bool thread_call_parse(const char *text, struct thread_call *call);

/* Reads the text of `wchan`. False when it is "0": the thread runs, or that is not for us to know. */
bool thread_call_parse_wchan(const char *text, struct thread_call *call);

enum thread_call_source { CALL_FROM_SYSCALL, CALL_FROM_WCHAN, CALL_FROM_NOWHERE };

/* Reads what a thread is in. `may_attach` false: `syscall` is not opened. Returns where it is known from; of
 * CALL_FROM_NOWHERE it is IN_UNKNOWN. Or a negative errno: ESRCH, there is no such thread any more; any
 * other, something failed here (EMFILE). */
int thread_call_read(pid_t pid, pid_t tid, bool may_attach, struct thread_call *call);

/* Reads it from `syscall` alone. Returns 1, or 0 when that says of no call, or a negative errno: EACCES, we
 * may not attach; ESRCH, there is no such thread any more. */
int thread_call_read_exactly(pid_t pid, pid_t tid, struct thread_call *call);

/* Whether a process makes the calls whose numbers are known here. False of a 32-bit program on a 64-bit
 * machine; true where that may not be known. */
bool thread_calls_are_native(pid_t pid);

#endif
