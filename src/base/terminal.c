#include "base/terminal.h"

#include "base/output.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80, USUAL_HEIGHT = 24 };

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
    output_forgive(stdout); /* what is still said on standard error may go the same way */
}

struct terminal_size terminal_size(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return (struct terminal_size){USUAL_WIDTH, USUAL_HEIGHT};
    return (struct terminal_size){size.ws_col, size.ws_row};
}

bool terminal_can_redraw(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && (term == NULL || (strcmp(term, "dumb") != 0 && strcmp(term, "unknown") != 0));
}

bool terminal_is_ours(int fd)
{
    pid_t foreground = tcgetpgrp(fd);
    return foreground < 0 || foreground == getpgrp();
}

int terminal_put_line(FILE *out, const char *line, int columns)
{
    int width = 0;
    bool in_escape = false;
    for (; *line != '\0'; line++) {
        unsigned char c = (unsigned char)*line;
        bool is_shown = !in_escape && c != '\033', begins = (c & 0xc0) != 0x80;
        width += is_shown && begins;
        if (!is_shown || width <= columns)
            fputc(c, out);
        in_escape = !is_shown && !isalpha(c);
    }
    return width < columns ? width : columns;
}
