#include "control/program.h"

#include "base/clock.h"
#include "control/keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED_MS = 3000 }; /* from SIGKILL to the end of all of them */

/* ---- its beginning ---- */

/* fork(), into namespaces of its own: the child is process 1 there. */
static pid_t fork_into(unsigned long namespaces)
{
    return namespaces == 0
               ? fork()
               : (pid_t)syscall(SYS_clone, namespaces | (unsigned long)SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t fork_keeper(const struct keeper_task *task, int own_stream, int own_birth)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t pid = fork_into(task->has_own_pids ? CLONE_NEWPID | CLONE_NEWNS : 0);
    int error = errno;
    if (pid == 0) {
        close(own_stream); /* or it would never see that we are gone */
        close(own_birth);
        keeper_live(task);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid > 0 ? pid : -error;
}

/* Waits until the program runs. Returns 0, or the errno of what could not be done. */
static struct birth wait_for_birth(int birth)
{
    struct birth told = {.error = 0};
    ssize_t length;
    do
        length = read(birth, &told, sizeof told);
    while (length < 0 && errno == EINTR);
    return told;
}

static void collect(struct program *program)
{
    close(program->stream); /* a keeper that is there ends all of them at once, and itself */
    while (waitpid(program->keeper, NULL, 0) < 0 && errno == EINTR)
        continue;
    program->keeper = 0;
    program->stream = -1;
}

static int start(struct program *program, struct keeper_task *task, struct birth *told)
{
    int stream[2], birth[2];
    *program = (struct program){.stream = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stream) != 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, birth) != 0) {
        int error = errno;
        close(stream[0]);
        close(stream[1]);
        return -error;
    }
    task->stream = stream[1];
    task->birth = birth[1];
    pid_t pid = fork_keeper(task, stream[0], birth[0]);
    close(stream[1]);
    close(birth[1]);
    if (pid > 0) {
        program->keeper = pid;
        program->stream = stream[0];
        *told = wait_for_birth(birth[0]);
    }
    close(birth[0]);
    if (pid < 0)
        close(stream[0]);
    else if (told->error != 0)
        collect(program);
    return pid < 0 ? (int)pid : -told->error;
}

int program_start(struct program *program, char *const words[], const struct program_place *place)
{
    struct keeper_task task = {.words = words, .place = place, .has_own_pids = place->has_own_pids};
    struct birth told = {.error = 0};
    int rc = start(program, &task, &told);
    if (rc != 0 && task.has_own_pids && told.stage != BIRTH_EXECUTION) { /* this system does not let us */
        task.has_own_pids = false;
        rc = start(program, &task, &told);
    }
    program->is_refused = rc != 0 && told.stage == BIRTH_EXECUTION;
    return rc;
}

/* ---- its end ---- */

void program_hear(struct program *program)
{
    struct keeper_news news;
    while (program->stream >= 0 && !program->is_over && program->error == 0) {
        ssize_t length = recv(program->stream, &news, sizeof news, MSG_DONTWAIT);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0 && errno != ECONNRESET) {
            program->error = errno;
        } else if (length < (ssize_t)sizeof news) {
            program->is_over = true;
        } else if (news.was_killed) {
            program->was_killed = true;
        } else {
            program->has_left = true;
            program->wait_status = news.wait_status;
            memcpy(program->last_line, news.last_line, sizeof program->last_line);
        }
    }
}

static void wait_for_news(const struct program *program, int64_t until_us)
{
    int64_t left_us = until_us - monotonic_us();
    struct pollfd stream = {.fd = program->stream, .events = POLLIN};
    poll(&stream, 1, left_us > 0 ? (int)(left_us / 1000 + 1) : 0);
}

int program_stop(struct program *program, int64_t patience_ms)
{
    const struct keeper_order order = {.patience_ms = patience_ms};
    int64_t until_us = monotonic_us() + (patience_ms + KILLED_MS) * 1000;
    if (program->keeper == 0)
        return 0;
    program_hear(program);
    program->is_stopping = true;
    if (!program->is_over && send(program->stream, &order, sizeof order, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        program->error = errno;
    while (!program->is_over && program->error == 0 && monotonic_us() < until_us) {
        wait_for_news(program, until_us);
        program_hear(program);
    }
    bool cannot_end = !program->is_over && program->error == 0;
    if (cannot_end)
        kill(program->keeper, SIGKILL);
    collect(program);
    return cannot_end ? -EBUSY : 0;
}

struct program_end program_end_text(const struct program *program)
{
    struct program_end out;
    int status = program->wait_status;
    if (WIFSIGNALED(status))
        snprintf(out.text, sizeof out.text, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(out.text, sizeof out.text, "exited with status %d", WEXITSTATUS(status));
    return out;
}
