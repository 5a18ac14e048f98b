#include "base/foreground.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Hands the terminal on when `from` has it. From the background this is only allowed with SIGTTOU blocked. */
static bool hand_over(pid_t from, pid_t to)
{
    sigset_t ttou, before;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return false;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &before);
    bool is_done = tcgetpgrp(terminal) == from && tcsetpgrp(terminal, to) == 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(terminal);
    return is_done;
}

bool foreground_lend(pid_t group)
{
    if (!hand_over(getpgrp(), group))
        return false;
    kill(-group, SIGCONT);
    return true;
}

void foreground_take_back(pid_t group)
{
    hand_over(group, getpgrp());
}
