#include "base/diag.h"

#include "base/output.h"
#include "base/printable.h"
#include "base/screen.h"
#include "base/terminal.h"
#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool be_quiet;

void diag_prepare(void)
{
#ifdef __GLIBC__ /* see output_take_stdout() */
    FILE *err = output_beside(stdout, STDERR_FILENO, "standard error");
    stderr = err != NULL ? err : stderr;
#endif
}

void diag_set_quiet(bool quiet)
{
    be_quiet = quiet;
}

bool diag_is_terminal(void)
{
    return terminal_can_redraw(STDERR_FILENO);
}

/* ---- what is drawn ---- */

enum { LINES_MAX = 64 };

static int drawn_count;
static int drawn_for;              /* columns of the terminal then */
static int drawn_width[LINES_MAX]; /* columns of each line */

/* Rows from the first to where the last begins, where the cursor is: a terminal that has become narrower has
 * wrapped them. */
static int rows_above(void)
{
    int columns = terminal_size(STDERR_FILENO).columns, rows = 0;
    for (int i = 0; i < drawn_count - 1; i++)
        rows += drawn_width[i] > columns ? (drawn_width[i] + columns - 1) / columns : 1;
    return rows;
}

static void go_to_the_first(FILE *out)
{
    int rows = rows_above();
    fputc('\r', out);
    if (rows > 0)
        fprintf(out, "\033[%dA", rows);
}

void diag_progress_forget(void)
{
    drawn_count = 0;
}

void diag_progress_clear(void)
{
    screen_leave();
    if (drawn_count > 0 && terminal_is_ours(STDERR_FILENO)) {
        go_to_the_first(stderr);
        fputs("\033[J", stderr);
        fflush(stderr);
    }
    drawn_count = 0;
}

/* A terminal that does not take what it was given gets no more of what would be old by then; nor is it drawn
 * on while the shell and others have it. */
static bool may_draw(void)
{
    return !be_quiet && !output_is_waiting(stderr) && terminal_is_ours(STDERR_FILENO);
}

/* In one write, and line over line: nothing is erased before it is drawn again, so that nothing flickers. The
 * cursor is left where a ^C of the terminal's own does not wrap. */
void diag_progress_block(const char *const *lines, int count)
{
    char *text = NULL;
    size_t size;
    FILE *out = may_draw() ? open_memstream(&text, &size) : NULL;
    if (out == NULL)
        return;
    count = count < LINES_MAX ? count : LINES_MAX;
    int columns = terminal_size(STDERR_FILENO).columns - 1; /* a line that wraps could not be taken back */
    go_to_the_first(out);
    /* Or the terminal remembers where it had wrapped them, and joins what is there by then. */
    if (columns != drawn_for && drawn_count > 0)
        fputs("\033[J", out);
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "\n" : "", out);
        drawn_width[i] = terminal_put_line(out, lines[i], columns);
        fputs("\033[K", out);
    }
    fputs("\033[J\r", out);
    drawn_count = count;
    drawn_for = columns;
    if (fclose(out) == 0)
        fwrite(text, 1, size, stderr);
    free(text);
    fflush(stderr);
}

/* ---- what is said ---- */

static void say(const char *kind, const char *format, va_list arguments)
{
    char text[2048] = "";
    text_vadd(text, sizeof text, format, arguments);
    printable(text); /* what a user typed may hold newlines and escapes: a message stays one plain line */
    diag_progress_clear();
    fprintf(stderr, "tcpstorm: %s%s\n", kind, text);
    fflush(stderr);
}

/* What a reader that has stopped is not told. */
static bool is_unheard(void)
{
    return be_quiet || output_is_clogged(stderr);
}

void diag_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void diag_from_signal(const char *line)
{
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&err, 1, 0) == 1 && (err.revents & POLLOUT) != 0 && write(STDERR_FILENO, line, strlen(line)) < 0)
        return; /* there is nobody left to be told */
}

void diag_note(const char *format, ...)
{
    if (is_unheard())
        return;
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void diag_warn(const char *format, ...)
{
    if (is_unheard())
        return;
    va_list arguments;
    va_start(arguments, format);
    say("warning: ", format, arguments);
    va_end(arguments);
}

void diag_progress(const char *format, ...)
{
    if (!may_draw())
        return;
    va_list arguments;
    va_start(arguments, format);
    char line[256] = "";
    if (diag_is_terminal()) {
        text_vadd(line, sizeof line, format, arguments);
        diag_progress_block((const char *const[]){line}, 1);
    } else {
        say("", format, arguments);
    }
    va_end(arguments);
}
