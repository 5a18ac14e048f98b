#include "base/diag.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool be_quiet;
static bool line_is_drawn;

void diag_set_quiet(bool quiet)
{
    be_quiet = quiet;
}

bool diag_is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

static int columns(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col : 80;
}

void diag_progress_clear(void)
{
    if (line_is_drawn)
        fputs("\r\033[K", stderr);
    line_is_drawn = false;
}

static void say(const char *kind, const char *format, va_list arguments)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    /* What a user typed may hold newlines and escapes: a message stays one plain line. */
    for (char *p = text; *p != '\0'; p++)
        if (iscntrl((unsigned char)*p))
            *p = '?';
    diag_progress_clear();
    fprintf(stderr, "tcpstorm: %s%s\n", kind, text);
}

void diag_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void diag_warn(const char *format, ...)
{
    if (be_quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    say("warning: ", format, arguments);
    va_end(arguments);
}

void diag_progress(const char *format, ...)
{
    if (be_quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    if (diag_is_terminal()) {
        char line[256];
        vsnprintf(line, sizeof line, format, arguments);
        fprintf(stderr, "\r\033[K%.*s", columns() - 1, line); /* a line that wraps could not be taken back */
        fflush(stderr);
        line_is_drawn = true;
    } else {
        say("", format, arguments);
    }
    va_end(arguments);
}
