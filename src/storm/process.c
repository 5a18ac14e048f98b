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

/* In the child: standard input and output are the stream. */
static void take_stream(int control)
{
    process_leave_signals_to_controller(); /* what is ignored stays so over exec: no moment is left open */
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
    pid_t pid = fork();
    if (pid == 0)
        become(words, command, stream[1]);
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

int process_start(struct process *process, const char *const words[PROCESS_WORDS_MAX + 1])
{
    return start(process, words, NULL);
}

int process_launch(struct process *process, const char *command)
{
    return start(process, NULL, command);
}

bool process_reap(struct process *process)
{
    if (process->pid == 0 || process->ended || process->elsewhere)
        return false;
    pid_t got = waitpid(process->pid, &process->wait_status, WNOHANG);
    process->ended = got == process->pid || (got < 0 && errno == ECHILD);
    return process->ended;
}

void process_kill(const struct process *process)
{
    if (process->pid > 0 && !process->ended && !process->elsewhere)
        kill(process->pid, SIGKILL);
}

struct process_end process_end_text(const struct process *process)
{
    struct process_end out;
    int status = process->wait_status;
    if (process->ended && WIFSIGNALED(status))
        snprintf(out.text, sizeof out.text, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (process->ended && WIFEXITED(status) && WEXITSTATUS(status) == PROCESS_OUT_OF_MEMORY)
        snprintf(out.text, sizeof out.text, "ran out of memory");
    else if (process->ended && WIFEXITED(status) && WEXITSTATUS(status) == PROCESS_LOOP_FAILED)
        snprintf(out.text, sizeof out.text, "left: its event loop failed");
    else if (process->ended && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        snprintf(out.text, sizeof out.text, "left with exit status %d", WEXITSTATUS(status));
    else
        snprintf(out.text, sizeof out.text, "closed its stream");
    return out;
}
