#include "trace/tracer.h"

#include "base/clock.h"
#include "trace/tracer_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10000 };

/* Its answer to this request, with the file that comes with one: -1, none. Returns 0, or a negative errno as
 * tracer_report(). */
static int hear_answer(const struct tracer *tracer, uint32_t serial, int64_t patience_ms, int *file)
{
    int64_t until_us = monotonic_us() + patience_ms * 1000;
    struct pollfd stream = {.fd = tracer->stream, .events = POLLIN};
    for (;;) {
        int64_t left_us = until_us - monotonic_us();
        int ready = poll(&stream, 1, left_us > 0 ? (int)(left_us / 1000 + 1) : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready == 0 ? -ETIMEDOUT : -errno;
        struct tracer_answer said;
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {&said, sizeof said};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t length = recvmsg(tracer->stream, &message, MSG_CMSG_CLOEXEC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length != (ssize_t)sizeof said)
            return -ESRCH;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *file = -1;
        if (header != NULL && header->cmsg_type == SCM_RIGHTS)
            memcpy(file, CMSG_DATA(header), sizeof *file);
        if (said.serial == serial)
            return said.error == 0 && serial > 0 && *file < 0 ? -EMFILE : said.error;
        if (*file >= 0)
            close(*file); /* of one that was not waited for any longer */
    }
}

/* ---- its beginning ---- */

static pid_t fork_tracer(const int stream[2], const int program[2], const struct node_hook *hook)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t parent = getpid(), pid = fork();
    int error = errno;
    if (pid == 0) {
        close(stream[0]); /* or it would never see that we are gone */
        close(program[0]);
        tracer_live(stream[1], program[1], parent, hook);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid > 0 ? pid : -error;
}

int tracer_start(struct tracer *tracer)
{
    int stream[2], program[2], file;
    struct node_hook hook = {.path = ""};
    *tracer = (struct tracer){.stream = -1, .program = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stream) != 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, program) != 0) {
        int error = errno;
        close(stream[0]);
        close(stream[1]);
        return -error;
    }
    node_hook_make(&hook);
    pid_t pid = fork_tracer(stream, program, &hook);
    close(stream[1]);
    close(program[1]);
    if (pid < 0) {
        node_hook_remove(&hook);
        close(stream[0]);
        close(program[0]);
        return (int)pid;
    }
    *tracer = (struct tracer){.pid = pid, .stream = stream[0], .program = program[0], .hook = hook};
    int rc = hear_answer(tracer, 0, START_MS, &file);
    if (rc != 0)
        tracer_stop(tracer);
    return rc;
}

/* ---- in the program's process ---- */

int tracer_take_this_process(void *context)
{
    const struct tracer *tracer = context;
    struct tracer_hold hold = {.error = 0};
    ssize_t length;
    /* Yama lets ancestors trace, and who is named. Not by its number: here that may be another's. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (send(tracer->program, "", 1, MSG_NOSIGNAL) != 1)
        return errno == EPIPE || errno == ECONNRESET ? -ESRCH : -errno;
    do
        length = recv(tracer->program, &hold, sizeof hold, 0);
    while (length < 0 && errno == EINTR);
    prctl(PR_SET_PTRACER, 0, 0, 0, 0);
    if (length != (ssize_t)sizeof hold)
        return -ESRCH;
    node_hook_set(&tracer->hook);
    return hold.error != 0 ? hold.error : traced_calls_filter();
}

/* ---- what it has seen, and its end ---- */

int tracer_report(struct tracer *tracer, int64_t patience_ms, struct trace_report *report)
{
    const struct tracer_request request = {.serial = ++tracer->serial};
    int file = -1;
    *report = (struct trace_report){0};
    if (tracer->pid == 0 || send(tracer->stream, &request, sizeof request, MSG_NOSIGNAL) < 0)
        return -ESRCH;
    int rc = hear_answer(tracer, request.serial, patience_ms, &file);
    if (rc != 0)
        return rc;
    FILE *in = fdopen(file, "r");
    if (in == NULL) {
        close(file);
        return -ENOMEM;
    }
    rc = trace_report_read(report, in);
    fclose(in);
    return rc;
}

bool tracer_is_there(const struct tracer *tracer)
{
    siginfo_t end = {0};
    return tracer->pid > 0 && waitid(P_PID, (id_t)tracer->pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           end.si_pid == 0;
}

void tracer_stop(struct tracer *tracer)
{
    if (tracer->pid == 0)
        return;
    close(tracer->stream);
    if (tracer->program >= 0)
        close(tracer->program);
    kill(tracer->pid, SIGKILL);
    while (waitpid(tracer->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    node_hook_remove(&tracer->hook);
    *tracer = (struct tracer){.stream = -1, .program = -1};
}
