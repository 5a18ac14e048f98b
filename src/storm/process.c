#include "storm/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const int controller_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

void process_leave_signals_to_controller(void)
{
    for (size_t i = 0; i < sizeof controller_signals / sizeof controller_signals[0]; i++)
        signal(controller_signals[i], SIG_IGN);
}

static void become(const char *const words[], int control)
{
    char program[] = "tcpstorm", self[] = "/proc/self/exe", copies[PROCESS_WORDS_MAX][32];
    char *arguments[PROCESS_WORDS_MAX + 2] = {program};
    for (int i = 0; i < PROCESS_WORDS_MAX && words[i] != NULL; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        arguments[i + 1] = copies[i];
    }
    process_leave_signals_to_controller(); /* what is ignored stays so over exec: no moment is left open */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* dup2 takes CLOEXEC off the copies only: every other descriptor of the controller stays behind, or a
     * dead controller would never show as EOF. */
    if (dup2(control, STDIN_FILENO) >= 0 && dup2(control, STDOUT_FILENO) >= 0)
        execv(self, arguments);
    _exit(127);
}

int process_start(struct process *process, const char *const words[PROCESS_WORDS_MAX + 1])
{
    int stream[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) != 0)
        return -errno;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all,
                &before); /* the child must not die, or run our handlers, before it ignores them */
    pid_t pid = fork();
    if (pid == 0)
        become(words, stream[1]);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(stream[1]);
    if (pid < 0) {
        close(stream[0]);
        return -error;
    }
    process->pid = pid;
    process->ended = false;
    return stream[0];
}

bool process_reap(struct process *process)
{
    if (process->pid == 0 || process->ended)
        return false;
    pid_t got = waitpid(process->pid, &process->wait_status, WNOHANG);
    process->ended = got == process->pid || (got < 0 && errno == ECHILD);
    return process->ended;
}

void process_kill(const struct process *process)
{
    if (process->pid > 0 && !process->ended)
        kill(process->pid, SIGKILL);
}

struct process_end process_end_text(const struct process *process)
{
    struct process_end out;
    int status = process->wait_status;
    if (process->ended && WIFSIGNALED(status))
        snprintf(out.text, sizeof out.text, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (process->ended && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        snprintf(out.text, sizeof out.text, "left with exit status %d", WEXITSTATUS(status));
    else
        snprintf(out.text, sizeof out.text, "closed its stream");
    return out;
}
