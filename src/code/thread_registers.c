#include "code/thread_registers.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

/* Where the kernel's struct has the register of each DWARF number, and the pc and the sp. */
#if defined(__x86_64__)
#define AT(field) offsetof(struct user_regs_struct, field)
/* System V ABI, AMD64 supplement, figure 3.36: 16 is the return address, here the pc. */
static const size_t register_at[] = {AT(rax), AT(rdx), AT(rcx), AT(rbx), AT(rsi), AT(rdi),
                                     AT(rbp), AT(rsp), AT(r8),  AT(r9),  AT(r10), AT(r11),
                                     AT(r12), AT(r13), AT(r14), AT(r15), AT(rip)};
static const size_t pc_at = AT(rip), sp_at = AT(rsp);
#elif defined(__aarch64__)
#define AT(field) offsetof(struct user_regs_struct, field)
#define X(n)      AT(regs[n])
/* DWARF for the Arm 64-bit architecture, 4.1: x0 to x30, then the sp. */
static const size_t register_at[] = {X(0),  X(1),  X(2),  X(3),  X(4),  X(5),  X(6),  X(7),
                                     X(8),  X(9),  X(10), X(11), X(12), X(13), X(14), X(15),
                                     X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23),
                                     X(24), X(25), X(26), X(27), X(28), X(29), X(30), AT(sp)};
static const size_t pc_at = AT(pc), sp_at = AT(sp);
#else
#define WITHOUT_REGISTERS
#endif

#ifdef WITHOUT_REGISTERS
int thread_registers_of_stopped(pid_t tid, struct thread_registers *registers)
{
    (void)tid;
    memset(registers, 0, sizeof *registers);
    return -ENOTSUP;
}
#else
static uint64_t register_in(const struct user_regs_struct *kernels, size_t at)
{
    uint64_t value;
    memcpy(&value, (const char *)kernels + at, sizeof value);
    return value;
}

int thread_registers_of_stopped(pid_t tid, struct thread_registers *registers)
{
    struct user_regs_struct kernels;
    struct iovec into = {&kernels, sizeof kernels};
    memset(registers, 0, sizeof *registers);
    if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0)
        return errno == EPERM || errno == EIO ? -ESRCH : -errno;
    if (into.iov_len != sizeof kernels) /* a 32-bit program has fewer */
        return -ENOTSUP;
    for (size_t n = 0; n < sizeof register_at / sizeof *register_at; n++) {
        registers->each[n] = register_in(&kernels, register_at[n]);
        registers->known |= UINT64_C(1) << n;
    }
    registers->pc = register_in(&kernels, pc_at);
    registers->sp = register_in(&kernels, sp_at);
    return 0;
}
#endif
