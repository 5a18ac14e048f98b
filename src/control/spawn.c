#include "control/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const int controller_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

void process_leave_signals_to_controller(void)
{
    for (size_t i = 0; i < sizeof controller_signals / sizeof controller_signals[0]; i++)
        signal(controller_signals[i], SIG_IGN);
}

/* What is ignored stays so over exec, and our handlers are nothing for a child to run. Whether a hang-up is
 * ignored (nohup) is the user's choice, for his commands as for us. */
void process_take_default_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) != 0 || (number == SIGHUP && now.sa_handler == SIG_IGN))
            continue;
        signal(number, SIG_DFL);
    }
}

/* In the child that is to be a command of the user. Should this process die without a word, the command is
 * told. */
static void take_own_group(pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
}

/* In the child: standard input and output are the stream. */
static void take_stream(int control)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* dup2 takes CLOEXEC off the copies only: every other descriptor of the controller stays behind, or a
     * dead controller would never show as EOF. */
    if (dup2(control, STDIN_FILENO) < 0 || dup2(control, STDOUT_FILENO) < 0)
        _exit(127);
}

/* Either of them: this binary with these words, or a command of the shell. */
static void become(const char *const words[], const char *command, int control)
{
    char program[] = "tcpstorm", self[] = "/proc/self/exe", copies[PROCESS_WORDS_MAX][32];
    char *arguments[PROCESS_WORDS_MAX + 2] = {program};
    if (command != NULL)
        process_take_default_signals();
    else
        process_leave_signals_to_controller(); /* they stay ignored over exec: no moment is left open */
    take_stream(control);
    if (command != NULL)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    for (int i = 0; words != NULL && i < PROCESS_WORDS_MAX && words[i] != NULL; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        arguments[i + 1] = copies[i];
    }
    if (words != NULL)
        execv(self, arguments);
    _exit(127);
}

static int start(struct process *process, const char *const words[], const char *command)
{
    int stream[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) != 0)
        return -errno;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all,
                &before); /* the child must not die, or run our handlers, before it ignores them */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0 && command != NULL)
        take_own_group(parent);
    if (pid == 0)
        become(words, command, stream[1]);
    int error = errno;
    if (pid > 0 && command != NULL)
        setpgid(pid, pid); /* whoever of both comes first */
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(stream[1]);
    if (pid < 0) {
        close(stream[0]);
        return -error;
    }
    process->pid = pid;
    process->ended = false;
    process->leads_group = command != NULL;
    process->parting_signal = SIGKILL;
    process->stopped_by = 0;
    return stream[0];
}

int spawn_self(struct process *process, const char *const words[PROCESS_WORDS_MAX + 1])
{
    return start(process, words, NULL);
}

int spawn_command(struct process *process, const char *command)
{
    return start(process, NULL, command);
}

static void signal_group(const struct process *process, int number)
{
    kill(-process->pid, number);
    kill(-process->pid, SIGCONT); /* who is stopped hears nothing else */
}

static void note_stop(struct process *process)
{
    siginfo_t stop = {0};
    if (waitid(P_PID, (id_t)process->pid, &stop, WSTOPPED | WNOHANG) == 0 && stop.si_pid != 0)
        process->stopped_by = stop.si_status;
}

/* It has ended and is not collected yet. */
static bool is_over(const struct process *process)
{
    siginfo_t end = {0};
    int rc = waitid(P_PID, (id_t)process->pid, &end, WEXITED | WNOHANG | WNOWAIT);
    return rc == 0 ? end.si_pid != 0 : errno == ECHILD;
}

bool process_reap(struct process *process)
{
    int status = 0;
    if (process->pid == 0 || process->ended || process->elsewhere)
        return false;
    if (process->leads_group) {
        note_stop(process);
        if (!is_over(process))
            return false;
        signal_group(process, process->parting_signal); /* once it is collected the number may be another's */
    }
    pid_t got;
    do
        got = waitpid(process->pid, &status, WNOHANG);
    while (got < 0 && errno == EINTR);
    process->ended = got == process->pid || (got < 0 && errno == ECHILD);
    if (got == process->pid)
        process->wait_status = status;
    return process->ended;
}

static bool is_here(const struct process *process)
{
    return process->pid > 0 && !process->ended && !process->elsewhere;
}

void process_kill(const struct process *process)
{
    if (!is_here(process))
        return;
    if (process->leads_group)
        signal_group(process, process->parting_signal);
    kill(process->pid, SIGKILL);
}

void process_ask_to_leave(const struct process *process)
{
    if (is_here(process) && process->leads_group)
        signal_group(process, SIGTERM);
}

/* NULL: a status that says no more than its number. */
static const char *status_words(int status)
{
    static const struct {
        int status;
        const char *words;
    } rows[] = {{.status = PROCESS_OUT_OF_MEMORY, .words = "ran out of memory"},
                {.status = PROCESS_LOOP_FAILED, .words = "ended: its event loop failed"},
                {.status = PROCESS_NOT_STARTED, .words = "could not make what it needs"},
                {.status = PROCESS_STREAM_FAILED, .words = "ended: its messages could not be written"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].words;
    return NULL;
}

struct process_end process_end_text(const struct process *process)
{
    struct process_end out;
    int status = process->wait_status;
    if (process->ended && WIFSIGNALED(status))
        snprintf(out.text, sizeof out.text, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (process->ended && WIFEXITED(status) && !process->leads_group &&
             status_words(WEXITSTATUS(status)) != NULL) /* a command of the user means what it likes by it */
        snprintf(out.text, sizeof out.text, "%s", status_words(WEXITSTATUS(status)));
    else if (process->ended && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        snprintf(out.text, sizeof out.text, "exited with status %d", WEXITSTATUS(status));
    else
        snprintf(out.text, sizeof out.text, "closed its stream");
    return out;
}
