/* thread_registers: the registers of a thread of another process, as unwinding needs them: by the numbers
 * that DWARF gives them on this machine. */
#ifndef CODE_THREAD_REGISTERS_H
#define CODE_THREAD_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { THREAD_REGISTERS = 34 }; /* aarch64 has most */

struct thread_registers {
    uint64_t pc, sp;
    uint64_t each[THREAD_REGISTERS]; /* each[n]: DWARF's register n */
    uint64_t known; /* bit n: each[n] is known. A thread that was not stopped has pc and sp only */
};

/* Of a thread that we have stopped with ptrace. Returns 0, or a negative errno: ESRCH, it is not stopped, or
 * gone; ENOTSUP, this build does not know the machine's registers. */
int thread_registers_of_stopped(pid_t tid, struct thread_registers *registers);

#endif
