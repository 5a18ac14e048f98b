#include "trace/traced_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define OWN_MACHINE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define OWN_MACHINE AUDIT_ARCH_AARCH64
#endif

/* recvmmsg(), sendmmsg() and the calls with a position are not here: what uses connections does not use
 * those. How processes are made is not either: the kernel tells a tracer of it anyway. */
static const struct traced_call calls[] = {
    {SYS_listen, "listen", TRACED_LISTEN, .fd_at = -1},
    {SYS_accept, "accept", TRACED_ACCEPT, .fd_at = -1, .needs_result = true},
    {SYS_accept4, "accept4", TRACED_ACCEPT, .fd_at = -1, .needs_result = true},
    {SYS_connect, "connect", TRACED_CONNECT, .fd_at = 0, .needs_result = true},
    {SYS_read, "read", TRACED_READ, .fd_at = 0, .needs_result = true, .size_at = 2},
    {SYS_readv, "readv", TRACED_READ, .fd_at = 0, .needs_result = true},
    {SYS_recvfrom, "recvfrom", TRACED_READ, .fd_at = 0, .needs_result = true, .size_at = 2},
    {SYS_recvmsg, "recvmsg", TRACED_READ, .fd_at = 0, .needs_result = true},
    {SYS_write, "write", TRACED_WRITE, .fd_at = 0, .needs_result = true},
    {SYS_writev, "writev", TRACED_WRITE, .fd_at = 0, .needs_result = true},
    {SYS_sendto, "sendto", TRACED_WRITE, .fd_at = 0, .needs_result = true},
    {SYS_sendmsg, "sendmsg", TRACED_WRITE, .fd_at = 0, .needs_result = true},
    {SYS_sendfile, "sendfile", TRACED_WRITE, .fd_at = 0, .needs_result = true},
    {SYS_splice, "splice", TRACED_READ, .fd_at = 0, .needs_result = true},
    {SYS_splice, "splice", TRACED_WRITE, .fd_at = 2, .needs_result = true},
    {SYS_shutdown, "shutdown", TRACED_SHUTDOWN, .fd_at = 0, .detail_at = 1},
    {SYS_close, "close", TRACED_CLOSE, .fd_at = 0},
#ifdef SYS_close_range
    {SYS_close_range, "close_range", TRACED_CLOSE, .fd_at = -1},
#endif
    {SYS_dup, "dup", TRACED_DUPLICATE, .fd_at = 0},
#ifdef SYS_dup2
    {SYS_dup2, "dup2", TRACED_DUPLICATE, .fd_at = 0},
    {SYS_dup2, "dup2", TRACED_CLOSE, .fd_at = 1},
#endif
    {SYS_dup3, "dup3", TRACED_DUPLICATE, .fd_at = 0},
    {SYS_dup3, "dup3", TRACED_CLOSE, .fd_at = 1},
    {SYS_fcntl, "fcntl", TRACED_DUPLICATE, .fd_at = 0, .only_at = 1, .only = {F_DUPFD, F_DUPFD_CLOEXEC}},
    {SYS_epoll_ctl, "epoll_ctl", TRACED_WATCH, .fd_at = 2, .detail_at = 1},
    {SYS_execve, "execve", TRACED_EXEC, .fd_at = -1},
    {SYS_execveat, "execveat", TRACED_EXEC, .fd_at = -1},
    {SYS_exit_group, "exit_group", TRACED_EXIT, .fd_at = -1},
    {SYS_io_uring_setup, "io_uring_setup", TRACED_RING, .fd_at = -1, .needs_result = true},
    {SYS_ptrace, "ptrace", TRACED_ATTACH, .fd_at = -1},
    /* No calls of the kernel: see node_hook.h. */
    {-2, "socket.write", TRACED_WRITE, .fd_at = -1},
    {-3, "socket.end", TRACED_SHUTDOWN, .fd_at = -1},
    {-4, "socket.destroy", TRACED_CLOSE, .fd_at = -1},
    {-5, "socket.pause", TRACED_WATCH, .fd_at = -1},
    {-6, "socket.resume", TRACED_WATCH, .fd_at = -1},
};

enum { ROWS = sizeof calls / sizeof calls[0] };

const struct traced_call *traced_call_at(int row)
{
    return row >= 0 && row < ROWS ? &calls[row] : NULL;
}

int traced_call_row(const struct traced_call *call)
{
    return (int)(call - calls);
}

const struct traced_call *traced_call_of(long number)
{
    for (int i = 0; i < ROWS; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

const struct traced_call *traced_call_named(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(calls[i].name, name) == 0)
            return &calls[i];
    return NULL;
}

const struct traced_call *traced_call_next(const struct traced_call *call)
{
    const struct traced_call *next = traced_call_at(traced_call_row(call) + 1);
    return next != NULL && next->number == call->number ? next : NULL;
}

/* ---- the filter ---- */

#ifdef OWN_MACHINE

enum {
    HEAD = 4,  /* instructions before the rows: the machine, and the number */
    A_ROW = 6, /* at most */
    ROOM = HEAD + A_ROW * ROWS + 1,
};

struct filter {
    struct sock_filter each[ROOM];
    unsigned short length;
};

static void put(struct filter *filter, struct sock_filter instruction)
{
    filter->each[filter->length++] = instruction;
}

/* The low half: these arguments are ints. */
static uint32_t argument_offset(int argument)
{
    bool is_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)argument + (is_big_endian ? 4 : 0));
}

/* Where the number in the accumulator is not this one, the next row is looked at. */
static void put_row(struct filter *filter, const struct traced_call *call)
{
    bool asks = call->only_at > 0;
    const struct sock_filter stop = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    const struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0,
                                             asks ? A_ROW - 1 : 1));
    if (asks) {
        put(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_offset(call->only_at)));
        put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->only[0], 2, 0));
        put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->only[1], 1, 0));
        put(filter, pass);
    }
    put(filter, stop);
}

static int install(const struct filter *filter)
{
    struct sock_fprog program = {.len = filter->length, .filter = (struct sock_filter *)filter->each};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -errno;
}

int traced_calls_filter(void)
{
    struct filter filter = {.length = 0};
    put(&filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    put(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_MACHINE, 1, 0));
    put(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    put(&filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    for (int i = 0; i < ROWS; i++)
        if (calls[i].number >= 0 && traced_call_of(calls[i].number) == &calls[i])
            put_row(&filter, &calls[i]);
    put(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    int rc = install(&filter);
    if (rc != -EACCES)
        return rc;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? install(&filter) : -errno;
}

#else

int traced_calls_filter(void)
{
    return -ENOTSUP;
}

#endif
