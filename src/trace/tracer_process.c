#include "trace/tracer_process.h"

#include "control/spawn.h"
#include "kernel/proc_file.h"
#include "kernel/process.h"
#include "trace/call_stop.h"
#include "trace/executed_program.h"
#include "trace/gathering.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STREAM = 3,
    PROGRAM,
    FIRST_OTHER,        /* descriptor */
    STOPS_AT_ONCE = 64, /* and then the streams are looked at */
    LOOK_US = 100000,   /* or when nothing else has happened */
    OPTIONS = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
              PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC,
    CALL_STOP = SIGTRAP | 0x80, /* PTRACE_O_TRACESYSGOOD */
};

/* ---- how a thread goes on ---- */

/* One that is gone meanwhile says so by itself. */
static void resume(pid_t tid, const struct tracee *tracee, int signal)
{
    bool awaits_end = tracee != NULL && tracee->call != NULL;
    ptrace(awaits_end ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL, (void *)(intptr_t)signal);
}

/* ---- new threads and processes ---- */

static struct tracee *take(struct tracing *tracing, pid_t tid, pid_t pid)
{
    bool is_new = traced_process_find(&tracing->tracees, pid) == NULL;
    struct tracee *tracee = tracee_of(&tracing->tracees, tid, pid);
    if (tracee == NULL)
        tracing->error = -ENOMEM;
    else if (is_new)
        tracee->process->forked = call_history_moment(&tracing->history);
    return tracee;
}

/* A thread whose first stop comes before that of the call that has made it. */
static struct tracee *adopt(struct tracing *tracing, pid_t tid)
{
    static const char group[] = "\nTgid:";
    char path[32], status[1024];
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    const char *line = proc_file_read(path, status, sizeof status) > 0 ? strstr(status, group) : NULL;
    return line != NULL ? take(tracing, tid, (pid_t)strtol(line + sizeof group - 1, NULL, 10)) : NULL;
}

static bool is_thread_of(pid_t tid, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)pid, (int)tid);
    return access(path, F_OK) == 0;
}

/* It has ended, and its own end was told before this: of its birth. */
static bool is_over(pid_t pid)
{
    struct process_stat stat;
    return process_stat_of(pid, &stat) != 0 || process_has_ended(&stat);
}

static void on_birth(struct tracing *tracing, const struct tracee *parent)
{
    unsigned long message = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &message) != 0)
        return;
    pid_t tid = (pid_t)message;
    if (is_thread_of(tid, parent->process->pid)) {
        take(tracing, tid, parent->process->pid);
        return;
    }
    struct tracee *child = tracee_find(&tracing->tracees, tid);
    if (child == NULL && !is_over(tid))
        child = take(tracing, tid, tid);
    if (child != NULL)
        child->process->forked_at = tracing_site(tracing, parent);
}

/* ---- another program ---- */

struct others {
    struct tracing *tracing;
    const struct tracee *left; /* the thread that there is now */
};

static int forget_other(void *context, struct tracee *tracee)
{
    const struct others *others = context;
    if (tracee->process == others->left->process && tracee != others->left)
        tracing_forget(others->tracing, tracee);
    return 0;
}

/* The thread that executes takes the number of the first one; all others are gone without a word (man 2
 * ptrace, "execve(2) under ptrace"). */
static void on_execution(struct tracing *tracing, struct tracee *tracee)
{
    unsigned long message = 0;
    struct execution began = {0};
    ptrace(PTRACE_GETEVENTMSG, tracee->tid, NULL, &message);
    struct tracee *former = tracee_find(&tracing->tracees, (pid_t)message);
    if (former != NULL) {
        began = former->execution;
        former->execution = (struct execution){0};
    }
    tracing_end_calls(tracing, tracee->process);
    struct others others = {tracing, tracee};
    tracees_each(&tracing->tracees, forget_other, &others);
    tracee->call = NULL;
    tracing_turn(tracing, tracee->process, tracee->tid);
    if (began.call != NULL)
        call_stop_executed(tracing, tracee->process, &began);
    free(began.inodes);
    struct executed_program program = executed_program_of(tracee->process->pid);
    tracing->set_user += program.lacks_user;
    tracing->foreign += program.is_foreign && !tracee->process->is_foreign;
    tracee->process->is_foreign = program.is_foreign;
}

/* ---- a stop ---- */

/* Stopped by a job control signal, a thread stays so until SIGCONT. */
static bool stays_stopped(int status)
{
    int signal = WSTOPSIG(status);
    return status >> 16 == PTRACE_EVENT_STOP &&
           (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU);
}

static void on_stop(struct tracing *tracing, pid_t tid, int status)
{
    struct tracee *tracee = tracee_find(&tracing->tracees, tid);
    int event = status >> 16, signal = 0;
    if (tracee == NULL)
        tracee = adopt(tracing, tid);
    if (stays_stopped(status)) {
        ptrace(PTRACE_LISTEN, tid, NULL, NULL);
        return;
    }
    if (event == 0 && WSTOPSIG(status) != CALL_STOP)
        signal = WSTOPSIG(status);
    else if (tracee != NULL && event == 0)
        call_stop_exit(tracing, tracee);
    else if (tracee != NULL && event == PTRACE_EVENT_SECCOMP)
        call_stop_entry(tracing, tracee);
    else if (tracee != NULL && event == PTRACE_EVENT_EXEC)
        on_execution(tracing, tracee);
    else if (tracee != NULL &&
             (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE))
        on_birth(tracing, tracee);
    resume(tid, tracee, signal);
}

/* ---- what it is asked for ---- */

static void answer(uint32_t serial, int error, int file)
{
    struct tracer_answer said = {.serial = serial, .error = error};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    struct iovec part = {&said, sizeof said};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (file >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    sendmsg(STREAM, &message, MSG_NOSIGNAL);
}

/* Returns 0 or a negative errno. */
static int write_report(struct tracing *tracing, int fd)
{
    struct trace_report report;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* fclose() closes it */
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (out == NULL) {
        int error = errno;
        if (copy >= 0)
            close(copy);
        return -error;
    }
    int rc = trace_report_gather(tracing, &report);
    if (rc == 0) {
        rc = trace_report_write(&report, out);
        trace_report_free(&report);
    }
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    return rc == 0 && lseek(fd, 0, SEEK_SET) != 0 ? -errno : rc;
}

/* Nobody wants to know any more. Its end is that of the program too. */
static _Noreturn void leave(struct tracing *tracing)
{
    node_hook_remove(&tracing->hook);
    _exit(0);
}

static void hear_request(struct tracing *tracing)
{
    struct tracer_request request;
    ssize_t length = recv(STREAM, &request, sizeof request, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length != (ssize_t)sizeof request)
        leave(tracing);
    int file = memfd_create("trace report", MFD_CLOEXEC);
    int rc = file >= 0 ? write_report(tracing, file) : -errno;
    answer(request.serial, rc, rc == 0 ? file : -1);
    if (file >= 0)
        close(file);
}

/* Its number as we see it: in its own pid namespace it has another. */
static pid_t hear_pid(bool *is_closed)
{
    char byte;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(PROGRAM, &message, MSG_DONTWAIT);
    *is_closed = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
    const struct cmsghdr *header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL || header->cmsg_type != SCM_CREDENTIALS)
        return 0;
    struct ucred who;
    memcpy(&who, CMSG_DATA(header), sizeof who);
    return who.pid;
}

/* Returns whether there can be another one. */
static bool hear_program(struct tracing *tracing)
{
    bool is_closed;
    pid_t pid = hear_pid(&is_closed);
    if (pid <= 0)
        return !is_closed;
    struct tracer_hold hold = {.error = 0};
    if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(uintptr_t)OPTIONS) != 0)
        hold.error = -errno;
    else if (take(tracing, pid, pid) == NULL)
        hold.error = -ENOMEM;
    send(PROGRAM, &hold, sizeof hold, MSG_NOSIGNAL);
    return true;
}

static void hear(struct tracing *tracing, struct pollfd streams[2], int wait_ms)
{
    if (getppid() != tracing->parent)
        leave(tracing);
    poll(streams, 2, wait_ms);
    if (streams[0].revents != 0)
        hear_request(tracing);
    if (streams[1].revents != 0 && !hear_program(tracing))
        streams[1].fd = -1;
}

/* It waits in waitpid(): whoever stops then hands the processor over, where poll() would have it woken on
 * another one, for half as much again. News on a stream interrupts that (SIGIO); should they come just before
 * it, a timer does. */
static _Noreturn void trace(struct tracing *tracing)
{
    struct pollfd streams[] = {{.fd = STREAM, .events = POLLIN}, {.fd = PROGRAM, .events = POLLIN}};
    for (int stops = 0;; stops++) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);
        struct tracee *tracee = tid > 0 ? tracee_find(&tracing->tracees, tid) : NULL;
        if (tid < 0)
            hear(tracing, streams, errno == ECHILD ? -1 : 0);
        else if (WIFSTOPPED(status))
            on_stop(tracing, tid, status);
        else if (tracee != NULL)
            tracing_forget(tracing, tracee);
        if (stops % STOPS_AT_ONCE == 0)
            hear(tracing, streams, 0);
    }
}

/* ---- its beginning ---- */

static void wait_for(pid_t child)
{
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}

/* Whether this system lets us trace at all is tried with a child, and whether it tells of calls (since Linux
 * 5.3). Returns 0 or a negative errno. */
static int try_to_trace(void)
{
    char info[128];
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    int rc = ptrace(PTRACE_SEIZE, child, NULL, (void *)(uintptr_t)OPTIONS) == 0 ? 0 : -errno;
    if (rc == 0 && ptrace(PTRACE_INTERRUPT, child, NULL, NULL) == 0) {
        wait_for(child);
        rc = ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof info, info) > 0 ? 0 : -ENOTSUP;
    }
    kill(child, SIGKILL);
    wait_for(child);
    return rc;
}

/* All that it has of its parent are the two streams, and standard error. */
static int take_streams(int stream, int program)
{
    int one = fcntl(stream, F_DUPFD_CLOEXEC, FIRST_OTHER),
        other = fcntl(program, F_DUPFD_CLOEXEC, FIRST_OTHER);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (one < 0 || other < 0 || nothing < 0 || dup2(one, STREAM) < 0 || dup2(other, PROGRAM) < 0 ||
        dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
        return -errno;
    return syscall(SYS_close_range, FIRST_OTHER, ~0U, 0) == 0 || errno == ENOSYS ? 0 : -errno;
}

static void interrupt(int number)
{
    (void)number;
}

/* Ctrl-C is for the process that has started us, and its end is ours. */
static int take_signals(void)
{
    static const int left[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTTOU};
    const struct sigaction interrupts = {.sa_handler = interrupt}; /* without SA_RESTART */
    const struct sigaction no_stops = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
    const struct itimerval now_and_then = {{.tv_usec = LOOK_US}, {.tv_usec = LOOK_US}};
    sigset_t none;
    process_take_default_signals();
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        signal(left[i], SIG_IGN);
    sigemptyset(&none);
    return sigaction(SIGIO, &interrupts, NULL) == 0 && sigaction(SIGALRM, &interrupts, NULL) == 0 &&
                   sigaction(SIGCHLD, &no_stops, NULL) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
                   setitimer(ITIMER_REAL, &now_and_then, NULL) == 0
               ? 0
               : -errno;
}

/* A handle a process. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int tell_of_news(int fd)
{
    return fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETFL, O_ASYNC) == 0 ? 0 : -errno;
}

_Noreturn void tracer_live(int stream, int program, pid_t parent, const struct node_hook *hook)
{
    struct tracing *tracing = calloc(1, sizeof *tracing);
    const int yes = 1;
    setpgid(0, 0);
    raise_descriptor_limit();
    if (take_streams(stream, program) != 0)
        _exit(1);
    int rc = take_signals();
    rc = rc == 0 ? tell_of_news(STREAM) : rc;
    rc = rc == 0 ? tell_of_news(PROGRAM) : rc;
    if (rc == 0 && setsockopt(PROGRAM, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0)
        rc = -errno;
    if (tracing == NULL || (tracing->code = code_new()) == NULL)
        rc = -ENOMEM;
    if (rc == 0 && prctl(PR_SET_PDEATHSIG, SIGIO) != 0)
        rc = -errno;
    rc = rc == 0 ? try_to_trace() : rc;
    answer(0, rc, -1);
    if (rc != 0)
        _exit(1);
    tracing->parent = parent;
    tracing->hook = *hook;
    trace(tracing);
}
