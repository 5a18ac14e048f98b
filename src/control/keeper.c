#include "control/keeper.h"

#include "base/clock.h"
#include "base/printable.h"
#include "control/spawn.h"
#include "kernel/netns.h"
#include "kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILL_EVERY_MS = 20,  /* who forks while he is killed leaves another one to be killed */
    LAST_WORDS_MS = 500, /* for a reader of their output who is slow, when all have ended */
};

struct keeper {
    bool has_own_pids;
    int stream, output, children; /* output: what they write; children: a signalfd. -1: none */
    int out;                      /* where that goes */
    pid_t program;
    bool is_stopping, has_killed;
    int64_t kill_us; /* when SIGTERM has not been enough */
    char line[PROGRAM_LINE_SIZE], last_line[PROGRAM_LINE_SIZE];
    size_t line_length;
};

/* ---- the program's first steps, in its own process ---- */

static _Noreturn void fail_birth(int birth, enum birth_stage stage, int error)
{
    const struct birth told = {.stage = stage, .error = error};
    ssize_t written = write(birth, &told, sizeof told);
    (void)written; /* the controller is gone */
    _exit(127);
}

static void become_program(const struct keeper_task *task, int output, pid_t keeper)
{
    sigset_t none;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0 || setpgid(0, 0) != 0)
        fail_birth(task->birth, BIRTH_MACHINE, errno);
    int rc = task->place->is_user ? netns_become_user(task->place->user, task->place->group) : 0;
    if (rc != 0)
        fail_birth(task->birth, BIRTH_MACHINE, -rc);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of the user would have taken it back */
    if (getppid() != keeper)
        _exit(127);
    process_take_default_signals();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (task->place->before_execution != NULL) {
        rc = task->place->before_execution(task->place->context);
        if (rc != 0)
            fail_birth(task->birth, BIRTH_MACHINE, -rc);
    }
    execvp(task->words[0], task->words);
    fail_birth(task->birth, BIRTH_EXECUTION, errno);
}

/* ---- what they write ---- */

static void end_line(struct keeper *keeper)
{
    keeper->line[keeper->line_length] = '\0';
    if (keeper->line[strspn(keeper->line, " \t\r")] != '\0')
        memcpy(keeper->last_line, keeper->line, keeper->line_length + 1);
    keeper->line_length = 0;
}

static void remember(struct keeper *keeper, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n')
            end_line(keeper);
        else if (keeper->line_length < sizeof keeper->line - 1)
            keeper->line[keeper->line_length++] = text[i];
}

static bool takes_more(int fd, int wait_ms)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    return poll(&out, 1, wait_ms) == 1;
}

/* Where the reader does not take it, it waits in the pipe, and in the end its writer waits: as he would
 * without us. Returns whether there may be more. */
static bool pass_on(struct keeper *keeper, int wait_ms)
{
    char text[PIPE_BUF]; /* what poll() has room for is written without waiting */
    if (keeper->output < 0 || !takes_more(keeper->out, wait_ms))
        return false;
    ssize_t length = read(keeper->output, text, sizeof text);
    if (length < 0)
        return errno == EINTR;
    if (length == 0) {
        close(keeper->output);
        keeper->output = -1;
        return false;
    }
    remember(keeper, text, (size_t)length);
    ssize_t written = write(keeper->out, text, (size_t)length);
    (void)written; /* nobody reads it */
    return true;
}

/* ---- who they are ---- */

struct sending {
    int number;
};

static int send_signal(void *context, pid_t pid)
{
    kill(pid, ((const struct sending *)context)->number);
    return 0;
}

static void signal_all(const struct keeper *keeper, int number)
{
    struct sending sending = {.number = number};
    if (keeper->has_own_pids)
        kill(-1, number);
    else
        process_each_descendant(getpid(), send_signal, &sending);
}

static void tell(const struct keeper *keeper, struct keeper_news *news)
{
    memcpy(news->last_line, keeper->last_line, sizeof news->last_line);
    printable(news->last_line);
    send(keeper->stream, news, sizeof *news, MSG_NOSIGNAL);
}

static void tell_end(struct keeper *keeper, int status)
{
    struct keeper_news news = {.wait_status = status};
    while (pass_on(keeper, 0))
        continue;
    if (keeper->line_length > 0)
        end_line(keeper);
    tell(keeper, &news);
}

/* Returns whether anybody is left. */
static bool reap(struct keeper *keeper)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
        if (pid == keeper->program)
            tell_end(keeper, status);
    return pid == 0;
}

/* ---- their end ---- */

static void begin_to_stop(struct keeper *keeper, int64_t patience_ms)
{
    keeper->is_stopping = true;
    keeper->kill_us = monotonic_us() + patience_ms * 1000;
    if (patience_ms == 0)
        return;
    signal_all(keeper, SIGTERM);
    signal_all(keeper, SIGCONT); /* who is stopped hears nothing else */
}

static void hear_controller(struct keeper *keeper)
{
    struct keeper_order order = {.patience_ms = 0};
    ssize_t length = recv(keeper->stream, &order, sizeof order, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    begin_to_stop(keeper, length == (ssize_t)sizeof order ? order.patience_ms : 0);
    if (length <= 0) { /* it is gone */
        close(keeper->stream);
        keeper->stream = -1;
    }
}

static void kill_when_due(struct keeper *keeper)
{
    if (!keeper->is_stopping || monotonic_us() < keeper->kill_us)
        return;
    struct keeper_news news = {.was_killed = true};
    if (!keeper->has_killed && keeper->stream >= 0)
        tell(keeper, &news);
    keeper->has_killed = true;
    signal_all(keeper, SIGKILL);
    keeper->kill_us = monotonic_us() + KILL_EVERY_MS * 1000;
}

static int wait_ms(const struct keeper *keeper)
{
    int64_t left_us = keeper->kill_us - monotonic_us();
    return !keeper->is_stopping ? -1 : left_us > 0 ? (int)(left_us / 1000 + 1) : 0;
}

static void keep(struct keeper *keeper)
{
    struct signalfd_siginfo taken;
    while (reap(keeper)) {
        bool is_clogged = keeper->output >= 0 && !takes_more(keeper->out, 0);
        struct pollfd waits[] = {
            {.fd = keeper->stream, .events = POLLIN},
            {.fd = keeper->children, .events = POLLIN},
            {.fd = is_clogged ? -1 : keeper->output, .events = POLLIN},
            {.fd = is_clogged ? keeper->out : -1, .events = POLLOUT},
        };
        if (poll(waits, sizeof waits / sizeof waits[0], wait_ms(keeper)) < 0 && errno != EINTR)
            begin_to_stop(keeper, 0);
        if (waits[0].revents != 0)
            hear_controller(keeper);
        if (waits[1].revents != 0 && read(keeper->children, &taken, sizeof taken) < 0)
            continue;
        if (waits[2].revents != 0)
            pass_on(keeper, 0);
        kill_when_due(keeper);
    }
}

/* ---- its own beginning ---- */

/* In a pid namespace of its own /proc must be of that one. */
static int mount_proc(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
                   mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0
               ? 0
               : errno;
}

/* A Ctrl-C is for the controller; in a group of its own it is not asked by the terminal. */
static void leave_signals_to_controller(void)
{
    static const int left[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTTOU};
    sigset_t none;
    process_take_default_signals();
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        signal(left[i], SIG_IGN);
    sigemptyset(&none);
    sigaddset(&none, SIGCHLD);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int open_children(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void keeper_live(const struct keeper_task *task)
{
    struct keeper keeper = {
        .has_own_pids = task->has_own_pids, .stream = task->stream, .out = task->place->output};
    int output[2];
    leave_signals_to_controller();
    setpgid(0, 0);
    int error = task->has_own_pids ? mount_proc() : 0;
    if (error != 0)
        fail_birth(task->birth, BIRTH_PIDS, error);
    keeper.children = open_children();
    if (keeper.children < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe2(output, O_CLOEXEC) != 0 ||
        fcntl(output[0], F_SETFL, O_NONBLOCK) != 0) /* the program has the other end */
        fail_birth(task->birth, BIRTH_MACHINE, errno);
    keeper.output = output[0];
    pid_t own = getpid();
    keeper.program = fork();
    if (keeper.program < 0)
        fail_birth(task->birth, BIRTH_MACHINE, errno);
    if (keeper.program == 0)
        become_program(task, output[1], own);
    close(output[1]);
    close(task->birth);
    keep(&keeper);
    while (pass_on(&keeper, LAST_WORDS_MS))
        continue;
    _exit(0);
}
