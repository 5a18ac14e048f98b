/* one_failure: runs a command and makes exactly one call of one process in it fail.
 *
 *   one_failure --report FILE [--limit SECONDS] [--fail ROLE CALL NTH ERRNO] -- COMMAND [ARGUMENT ...]
 *   one_failure --calls
 *
 * It traces the command and all that it starts (ptrace). A seccomp filter stops a process only at the calls
 * of the table below. The role of a process is what its arguments say: "main" for an order, "worker server",
 * "worker client", "worker host", "witness", "audit", ...; a child that has not called exec adds "'s child".
 * Programs that are not tcpstorm have no role: nothing of theirs fails. Calls are counted per role from the
 * program's beginning on (allocations.c tells it), over all processes of that role, so that "the NTH call" is
 * one call of the whole run.
 *
 * A call on a descriptor has the kind of the descriptor in its name: "read:socket", "write:file".
 *
 * The report, a line each:
 *   call ROLE<TAB>CALL COUNT    how often it was called
 *   failed PID                  the failure was injected, in that process
 *   signal ROLE<TAB>NUMBER      a process was ended by this signal
 *   left ROLE<TAB>ARGUMENTS     a process was there LEAVE_S after the command had ended
 *   ended CODE                  the exit code of the command; 128 + N: signal N
 *   hung                        it did not end within the limit, and was killed
 * Exit code: the one of the command; 124 when it hung; 125 when this program failed. */
#include "calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "one_failure knows the registers of x86-64 only"
#endif

enum {
    LEAVE_S = 5, /* for the processes that the command has started, once it has ended itself */
    ERRORS_MAX = 6,
    NAME_SIZE = 64,
    COUNTERS_MAX = 1024,
    TRACEES_MAX = 256,
};

/* What the first argument is. */
enum subject { ANYTHING, A_DESCRIPTOR };

/* What a descriptor is; the names are parts of a call's. */
enum kind { KIND_NONE, KIND_FILE, KIND_SOCKET, KIND_PIPE };
static const char *const kind_names[] = {"", ":file", ":socket", ":pipe"};

/* ---- the table ---- */

struct call {
    long number;
    const char *name;
    enum subject subject;
    enum kind kind; /* this row is for this kind; none: for every kind */
    int errors[ERRORS_MAX];
};

/* Not here: close(), which cannot fail on what we have and closes all the same; calls that fail for wrong
 * arguments only; and what another end does to a stream (ECONNRESET, EPIPE, ECONNREFUSED, ETIMEDOUT), which
 * is no failure here. */
static const struct call calls[] = {
    {SYS_socket, "socket", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {SYS_socketpair, "socketpair", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOMEM}},
    {SYS_connect, "connect", ANYTHING, KIND_NONE, {EADDRNOTAVAIL, ENOBUFS, EPERM}},
    {SYS_accept4, "accept4", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ECONNABORTED, ENOBUFS, ENOMEM}},
    {SYS_accept, "accept", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ECONNABORTED, ENOBUFS, ENOMEM}},
    {SYS_bind, "bind", ANYTHING, KIND_NONE, {EADDRINUSE, EACCES, ENOMEM}},
    {SYS_listen, "listen", ANYTHING, KIND_NONE, {EADDRINUSE, ENOMEM}},
    {SYS_shutdown, "shutdown", ANYTHING, KIND_NONE, {ENOBUFS}},
    {SYS_getsockname, "getsockname", ANYTHING, KIND_NONE, {ENOBUFS}},
    {SYS_getpeername, "getpeername", ANYTHING, KIND_NONE, {ENOBUFS}},
    {SYS_setsockopt, "setsockopt", ANYTHING, KIND_NONE, {ENOMEM, ENOPROTOOPT, EPERM}},
    {SYS_getsockopt, "getsockopt", ANYTHING, KIND_NONE, {ENOBUFS, ENOPROTOOPT}},
    {SYS_epoll_create1, "epoll_create1", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOMEM}},
    {SYS_epoll_ctl, "epoll_ctl", ANYTHING, KIND_NONE, {ENOMEM, ENOSPC}},
    {SYS_epoll_wait, "epoll_wait", ANYTHING, KIND_NONE, {EINTR, EINVAL}},
    {SYS_epoll_pwait, "epoll_pwait", ANYTHING, KIND_NONE, {EINTR, EINVAL}},
    {SYS_epoll_pwait2, "epoll_pwait2", ANYTHING, KIND_NONE, {EINTR, EINVAL}},
    {SYS_timerfd_create, "timerfd_create", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOMEM}},
    {SYS_eventfd2, "eventfd2", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOMEM}},
    {SYS_poll, "poll", ANYTHING, KIND_NONE, {EINTR, ENOMEM}},
    {SYS_ppoll, "ppoll", ANYTHING, KIND_NONE, {EINTR, ENOMEM}},
    {SYS_select, "select", ANYTHING, KIND_NONE, {EINTR, ENOMEM}},
    {SYS_pselect6, "pselect6", ANYTHING, KIND_NONE, {EINTR, ENOMEM}},
    {SYS_read, "read", A_DESCRIPTOR, KIND_FILE, {EINTR, EIO, ENOMEM}},
    {SYS_read, "read", A_DESCRIPTOR, KIND_SOCKET, {EINTR, ENOMEM}},
    {SYS_read, "read", A_DESCRIPTOR, KIND_PIPE, {EINTR, ENOMEM}},
    {SYS_pread64, "pread64", A_DESCRIPTOR, KIND_FILE, {EINTR, EIO, ENOMEM}},
    {SYS_readv, "readv", A_DESCRIPTOR, KIND_SOCKET, {EINTR, ENOMEM}},
    {SYS_readv, "readv", A_DESCRIPTOR, KIND_PIPE, {EINTR, ENOMEM}},
    {SYS_readv, "readv", A_DESCRIPTOR, KIND_FILE, {EINTR, EIO}},
    {SYS_write, "write", A_DESCRIPTOR, KIND_FILE, {EINTR, EIO, ENOSPC}},
    {SYS_write, "write", A_DESCRIPTOR, KIND_SOCKET, {EINTR, ENOMEM}},
    {SYS_write, "write", A_DESCRIPTOR, KIND_PIPE, {EINTR}},
    {SYS_writev, "writev", A_DESCRIPTOR, KIND_FILE, {EINTR, EIO, ENOSPC}},
    {SYS_writev, "writev", A_DESCRIPTOR, KIND_SOCKET, {EINTR, ENOMEM}},
    {SYS_writev, "writev", A_DESCRIPTOR, KIND_PIPE, {EINTR}},
    {SYS_sendto, "sendto", ANYTHING, KIND_NONE, {EINTR, ENOBUFS, ENOMEM}},
    {SYS_sendmsg, "sendmsg", ANYTHING, KIND_NONE, {EINTR, ENOBUFS, ENOMEM}},
    {SYS_recvfrom, "recvfrom", ANYTHING, KIND_NONE, {EINTR, ENOBUFS, ENOMEM}},
    {SYS_recvmsg, "recvmsg", ANYTHING, KIND_NONE, {EINTR, ENOBUFS, ENOMEM}},
    {SYS_fork, "fork", ANYTHING, KIND_NONE, {EAGAIN, ENOMEM}},
    {SYS_vfork, "vfork", ANYTHING, KIND_NONE, {EAGAIN, ENOMEM}},
    {SYS_clone, "clone", ANYTHING, KIND_NONE, {EAGAIN, ENOMEM}},
    {SYS_clone3, "clone3", ANYTHING, KIND_NONE, {EAGAIN, ENOMEM}},
    {SYS_execve, "execve", ANYTHING, KIND_NONE, {ENOENT, EACCES, ENOMEM}},
    {SYS_wait4, "wait4", ANYTHING, KIND_NONE, {EINTR}},
    {SYS_waitid, "waitid", ANYTHING, KIND_NONE, {EINTR}},
    {SYS_openat, "openat", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOENT, EACCES, ENOMEM}},
    {SYS_open, "open", ANYTHING, KIND_NONE, {EMFILE, ENFILE, ENOENT, EACCES, ENOMEM}},
    {SYS_newfstatat, "newfstatat", ANYTHING, KIND_NONE, {ENOMEM, EACCES}},
    {SYS_statx, "statx", ANYTHING, KIND_NONE, {ENOMEM, EACCES}},
    {SYS_getdents64, "getdents64", ANYTHING, KIND_NONE, {ENOENT, ENOMEM}},
    {SYS_readlink, "readlink", ANYTHING, KIND_NONE, {ENOENT, EACCES, ENOMEM}},
    {SYS_readlinkat, "readlinkat", ANYTHING, KIND_NONE, {ENOENT, EACCES, ENOMEM}},
    {SYS_ioctl, "ioctl", ANYTHING, KIND_NONE, {ENOTTY, ENOMEM, EPERM}},
    {SYS_dup2, "dup2", ANYTHING, KIND_NONE, {EBUSY, EINTR}},
    {SYS_dup3, "dup3", ANYTHING, KIND_NONE, {EBUSY, EINTR}},
    {SYS_dup, "dup", ANYTHING, KIND_NONE, {EMFILE}},
    {SYS_fcntl, "fcntl", ANYTHING, KIND_NONE, {EPERM}},
    {SYS_pipe2, "pipe2", ANYTHING, KIND_NONE, {EMFILE, ENFILE}},
    {SYS_pipe, "pipe", ANYTHING, KIND_NONE, {EMFILE, ENFILE}},
    {SYS_ftruncate, "ftruncate", ANYTHING, KIND_NONE, {EIO, EINTR}},
    {SYS_fsync, "fsync", ANYTHING, KIND_NONE, {EIO, ENOSPC}},
    {SYS_mmap, "mmap", ANYTHING, KIND_NONE, {ENOMEM}},
    {SYS_mremap, "mremap", ANYTHING, KIND_NONE, {ENOMEM}},
    {SYS_mprotect, "mprotect", ANYTHING, KIND_NONE, {ENOMEM}},
    {SYS_unshare, "unshare", ANYTHING, KIND_NONE, {EPERM, ENOMEM, ENOSPC}},
    {SYS_setns, "setns", ANYTHING, KIND_NONE, {EPERM, ENOMEM}},
    {SYS_setpriority, "setpriority", ANYTHING, KIND_NONE, {EACCES}},
    {SYS_prlimit64, "prlimit64", ANYTHING, KIND_NONE, {EPERM}},
    {SYS_kill, "kill", ANYTHING, KIND_NONE, {ESRCH, EPERM}},
    {SYS_clock_nanosleep, "clock_nanosleep", ANYTHING, KIND_NONE, {EINTR}},
    {SYS_pidfd_open, "pidfd_open", ANYTHING, KIND_NONE, {EMFILE, ESRCH}},
    {SYS_pidfd_getfd, "pidfd_getfd", ANYTHING, KIND_NONE, {EMFILE, EPERM}},
    {CALL_MALLOC, "malloc", ANYTHING, KIND_NONE, {ENOMEM}},
    {CALL_CALLOC, "calloc", ANYTHING, KIND_NONE, {ENOMEM}},
    {CALL_REALLOC, "realloc", ANYTHING, KIND_NONE, {ENOMEM}},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static const char *call_name(const struct call *call)
{
    static char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s%s", call->name, kind_names[call->kind]);
    return name;
}

/* ---- what is to be done, and what was seen ---- */

struct counter {
    char role[NAME_SIZE];
    const struct call *call;
    long count;
};

struct tracee {
    pid_t pid;
    char role[NAME_SIZE]; /* empty: no program of ours */
    bool is_counted;      /* main() has begun */
    bool is_known;        /* by its parent; until then it waits */
    bool waits;
    bool is_there;
};

static struct {
    const char *fail_role, *fail_call;
    long fail_nth;
    int fail_error;
    bool has_failed;
    FILE *report;
    pid_t command;
    bool command_ended;
    int code;
    struct counter counters[COUNTERS_MAX];
    int counter_count;
    struct tracee tracees[TRACEES_MAX];
} self;

static volatile sig_atomic_t time_is_up;

static void on_alarm(int number)
{
    (void)number;
    time_is_up = 1;
}

static void set_alarm(int seconds)
{
    /* Again and again: one that comes just before waitpid() would be lost. */
    struct itimerval timer = {.it_value.tv_sec = seconds, .it_interval.tv_usec = 100000};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void fail(const char *what)
{
    fprintf(stderr, "one_failure: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* ---- processes ---- */

static struct tracee *find_tracee(pid_t pid)
{
    struct tracee *unused = NULL;
    for (int i = 0; i < TRACEES_MAX; i++) {
        if (self.tracees[i].is_there && self.tracees[i].pid == pid)
            return &self.tracees[i];
        if (!self.tracees[i].is_there && unused == NULL)
            unused = &self.tracees[i];
    }
    if (unused == NULL) {
        fprintf(stderr, "one_failure: more than %d processes at a time\n", TRACEES_MAX);
        exit(125);
    }
    *unused = (struct tracee){.pid = pid, .is_there = true};
    return unused;
}

static bool is_anyone_there(void)
{
    for (int i = 0; i < TRACEES_MAX; i++)
        if (self.tracees[i].is_there)
            return true;
    return false;
}

/* The arguments with a space between them. Returns the first of them that is not the program's name. */
static const char *read_arguments(pid_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, size - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    size_t program = strlen(text);
    for (size_t i = 0; i + 1 < length; i++)
        text[i] = text[i] == '\0' ? ' ' : text[i];
    return program < length ? text + program + 1 : text + length;
}

/* "main" for options, else the command's name, with the kind of a worker. */
static void find_role(struct tracee *tracee)
{
    char arguments[4096], first[NAME_SIZE / 2] = "", second[NAME_SIZE / 2 - 1] = "";
    const char *words = read_arguments(tracee->pid, arguments, sizeof arguments);
    sscanf(words, "%31s %30s", first, second);
    if (first[0] == '-' || first[0] == '\0')
        snprintf(tracee->role, sizeof tracee->role, "main");
    else if (strcmp(first, "worker") == 0)
        snprintf(tracee->role, sizeof tracee->role, "%s %s", first, second);
    else
        snprintf(tracee->role, sizeof tracee->role, "%s", first);
}

static void resume(pid_t pid, int signal_number)
{
    ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal_number);
}

/* ---- one call ---- */

static enum kind kind_of(pid_t pid, int fd)
{
    char path[64], link[256];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t length = readlink(path, link, sizeof link - 1);
    link[length > 0 ? length : 0] = '\0';
    if (strncmp(link, "socket:", 7) == 0)
        return KIND_SOCKET;
    return link[0] == '/' && strncmp(link, "/dev/", 5) != 0 ? KIND_FILE : KIND_PIPE;
}

static const struct call *find_call(pid_t pid, const struct user_regs_struct *registers)
{
    enum kind kind = KIND_NONE;
    for (int i = 0; i < CALLS; i++) {
        if (calls[i].number != (long)registers->orig_rax)
            continue;
        if (calls[i].subject == A_DESCRIPTOR && kind == KIND_NONE)
            kind = kind_of(pid, (int)registers->rdi);
        if (calls[i].kind == KIND_NONE || calls[i].kind == kind)
            return &calls[i];
    }
    return NULL;
}

/* Returns which one of its role it is, from 1 on. */
static long count_call(const char *role, const struct call *call)
{
    for (int i = 0; i < self.counter_count; i++)
        if (self.counters[i].call == call && strcmp(self.counters[i].role, role) == 0)
            return ++self.counters[i].count;
    if (self.counter_count == COUNTERS_MAX) {
        fprintf(stderr, "one_failure: more than %d kinds of calls\n", COUNTERS_MAX);
        exit(125);
    }
    struct counter *counter = &self.counters[self.counter_count++];
    snprintf(counter->role, sizeof counter->role, "%s", role);
    counter->call = call;
    counter->count = 1;
    return 1;
}

static bool is_chosen(const struct tracee *tracee, const struct call *call, long nth)
{
    return self.fail_role != NULL && !self.has_failed && nth == self.fail_nth &&
           strcmp(self.fail_role, tracee->role) == 0 && strcmp(self.fail_call, call_name(call)) == 0;
}

static void on_call(struct tracee *tracee)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, tracee->pid, NULL, &registers) != 0)
        return;
    if (registers.orig_rax == CALL_BEGIN) {
        find_role(tracee);
        tracee->is_counted = true;
        return;
    }
    const struct call *call = tracee->is_counted ? find_call(tracee->pid, &registers) : NULL;
    if (call == NULL || !is_chosen(tracee, call, count_call(tracee->role, call)))
        return;
    registers.orig_rax = (unsigned long long)-1; /* none is made */
    registers.rax = (unsigned long long)-self.fail_error;
    if (ptrace(PTRACE_SETREGS, tracee->pid, NULL, &registers) != 0)
        fail("PTRACE_SETREGS");
    self.has_failed = true;
    fprintf(self.report, "failed %d\n", (int)tracee->pid);
}

/* ---- the command ---- */

/* Every call of the table stops the process for its tracer; all others go on unseen. */
static void install_filter(void)
{
    struct sock_filter filter[CALLS * 2 + 8];
    unsigned short n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL_BEGIN, 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    for (int i = 0; i < CALLS; i++) {
        filter[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
        filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("seccomp");
}

static void start_command(char *argv[])
{
    self.command = fork();
    if (self.command < 0)
        fail("fork()");
    if (self.command == 0) {
        raise(SIGSTOP); /* until it is traced */
        install_filter();
        execvp(argv[0], argv);
        fail(argv[0]);
    }
    int status;
    if (waitpid(self.command, &status, WUNTRACED) != self.command || !WIFSTOPPED(status))
        fail("waitpid()");
    const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                         PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, self.command, NULL, (void *)options) != 0)
        fail("PTRACE_SEIZE");
    find_tracee(self.command)->is_known = true;
    kill(self.command, SIGCONT);
}

/* ---- following ---- */

static void on_new_child(const struct tracee *parent)
{
    unsigned long pid;
    if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) != 0)
        return;
    struct tracee *child = find_tracee((pid_t)pid);
    child->is_known = true;
    child->is_counted = parent->is_counted;
    if (parent->role[0] != '\0')
        snprintf(child->role, sizeof child->role, "%.50s's child", parent->role);
    if (child->waits)
        resume(child->pid, 0);
    child->waits = false;
}

static void on_end(struct tracee *tracee, int status)
{
    tracee->is_there = false;
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number != 0 && tracee->role[0] != '\0')
        fprintf(self.report, "signal %s\t%d\n", tracee->role, number);
    if (tracee->pid != self.command)
        return;
    self.command_ended = true;
    self.code = number != 0 ? 128 + number : WEXITSTATUS(status);
    fprintf(self.report, "ended %d\n", self.code);
    set_alarm(LEAVE_S);
}

static void on_stop(struct tracee *tracee, int status)
{
    int event = status >> 16, number = WSTOPSIG(status);
    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        on_call(tracee);
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        on_new_child(tracee);
        break;
    case PTRACE_EVENT_EXEC:
        tracee->is_counted = false;
        tracee->role[0] = '\0';
        break;
    case PTRACE_EVENT_STOP:
        tracee->waits = !tracee->is_known; /* until its parent says what it is */
        if (number != SIGTRAP) {
            ptrace(PTRACE_LISTEN, tracee->pid, NULL, NULL); /* stopped as by SIGSTOP: it stays so */
            return;
        }
        if (tracee->waits)
            return;
        break;
    default:
        resume(tracee->pid, number); /* a signal on its way */
        return;
    }
    resume(tracee->pid, 0);
}

static void report_those_left(void)
{
    char arguments[4096];
    for (int i = 0; i < TRACEES_MAX; i++) {
        struct tracee *tracee = &self.tracees[i];
        if (!tracee->is_there)
            continue;
        read_arguments(tracee->pid, arguments, sizeof arguments);
        if (self.command_ended)
            fprintf(self.report, "left %s\t%s\n", tracee->role, arguments);
        kill(tracee->pid, SIGKILL);
    }
}

static void follow(void)
{
    while (is_anyone_there() && !time_is_up) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        struct tracee *tracee = find_tracee(pid);
        if (WIFSTOPPED(status))
            on_stop(tracee, status);
        else
            on_end(tracee, status);
    }
    if (!self.command_ended)
        fprintf(self.report, "hung\n");
    report_those_left();
}

static void report_calls(void)
{
    for (int i = 0; i < self.counter_count; i++)
        fprintf(self.report, "call %s\t%s\t%ld\n", self.counters[i].role, call_name(self.counters[i].call),
                self.counters[i].count);
}

/* ---- arguments ---- */

static int print_calls(void)
{
    for (int i = 0; i < CALLS; i++) {
        printf("%s", call_name(&calls[i]));
        for (int k = 0; k < ERRORS_MAX && calls[i].errors[k] != 0; k++)
            printf(" %s", strerrorname_np(calls[i].errors[k]));
        printf("\n");
    }
    return 0;
}

static int error_named(const char *name)
{
    for (int i = 1; i < 200; i++)
        if (strerrorname_np(i) != NULL && strcmp(strerrorname_np(i), name) == 0)
            return i;
    fprintf(stderr, "one_failure: there is no error called %s\n", name);
    exit(125);
}

static int usage(void)
{
    fputs("usage: one_failure --report FILE [--limit SECONDS] [--fail ROLE CALL NTH ERRNO] -- COMMAND ...\n"
          "       one_failure --calls\n",
          stderr);
    return 125;
}

int main(int argc, char *argv[])
{
    int limit_s = 30, i = 1;
    const char *report = NULL;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--calls") == 0)
            return print_calls();
        if (strcmp(argv[i], "--report") == 0 && i + 1 < argc) {
            report = argv[++i];
        } else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc) {
            limit_s = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--fail") == 0 && i + 4 < argc) {
            self.fail_role = argv[i + 1];
            self.fail_call = argv[i + 2];
            self.fail_nth = atol(argv[i + 3]);
            self.fail_error = error_named(argv[i + 4]);
            i += 4;
        } else {
            return usage();
        }
    }
    if (report == NULL || i + 1 >= argc)
        return usage();
    self.report = fopen(report, "we");
    if (self.report == NULL)
        fail(report);
    signal(SIGPIPE, SIG_DFL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
    start_command(argv + i + 1);
    set_alarm(limit_s);
    follow();
    report_calls();
    if (fclose(self.report) != 0)
        fail(report);
    return self.command_ended ? self.code : 124;
}
