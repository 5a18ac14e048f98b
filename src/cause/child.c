#include "cause/child.h"

#include "control/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool drop_standard_descriptors(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
           dup2(null, STDERR_FILENO) >= 0;
}

static void be_child(pid_t parent, void (*run)(const void *context), const void *context)
{
    sigset_t none;
    process_leave_signals_to_controller();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && drop_standard_descriptors())
        run(context);
    _exit(127);
}

pid_t child_start(void (*run)(const void *context), const void *context)
{
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* our handlers must not run in the child */
    pid_t pid = fork();
    if (pid == 0)
        be_child(parent, run, context);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid > 0 ? pid : -error;
}

static void be_helper(const void *unused)
{
    (void)unused;
    execl("/bin/sleep", "sleep", "86400", (char *)NULL);
}

/* The other end of a pipe that exec() closes, or the death of the child. */
static void wait_for_exec(int fd)
{
    char nothing;
    while (read(fd, &nothing, 1) < 0 && errno == EINTR)
        continue;
}

pid_t child_start_helper(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = child_start(be_helper, NULL);
    close(ends[1]);
    if (pid > 0)
        wait_for_exec(ends[0]);
    close(ends[0]);
    return pid;
}

void child_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
