#include "base/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80 };

static struct termios before;
static bool is_taken;

bool terminal_take_keys(void)
{
    static bool restores_at_exit;
    if (is_taken || tcgetattr(STDIN_FILENO, &before) != 0)
        return is_taken;
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    is_taken = tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) == 0;
    if (is_taken && !restores_at_exit)
        restores_at_exit = atexit(terminal_restore) == 0;
    return is_taken;
}

void terminal_restore(void)
{
    if (is_taken)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    is_taken = false;
}

void terminal_fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void terminal_drop_unwritten(void)
{
    fflush(stdout);
    __fpurge(stdout);
    clearerr(stdout);
}

int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL_WIDTH;
    return size.ws_col;
}
