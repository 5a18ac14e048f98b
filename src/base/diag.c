#include "base/diag.h"

#include "base/terminal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool be_quiet;

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
static int drawn_width[LINES_MAX]; /* columns of each line */

/* Columns of a line: escape sequences take none, and a character of UTF-8 takes one. */
static int width_of(const char *line)
{
    int width = 0;
    bool in_escape = false;
    for (; *line != '\0'; line++) {
        unsigned char c = (unsigned char)*line;
        if (c == '\033')
            in_escape = true;
        else if (in_escape)
            in_escape = !isalpha(c);
        else
            width += (c & 0xc0) != 0x80;
    }
    return width;
}

/* Rows from the first to the last one drawn: a terminal that has become narrower has wrapped them. */
static int drawn_rows(void)
{
    int columns = terminal_size(STDERR_FILENO).columns, rows = 0;
    for (int i = 0; i < drawn_count; i++)
        rows += drawn_width[i] > columns ? (drawn_width[i] + columns - 1) / columns : 1;
    return rows;
}

static void go_to_the_first(FILE *out)
{
    int rows = drawn_rows();
    fputc('\r', out);
    if (rows > 1)
        fprintf(out, "\033[%dA", rows - 1);
}

void diag_progress_clear(void)
{
    if (drawn_count > 0) {
        go_to_the_first(stderr);
        fputs("\033[J", stderr);
    }
    drawn_count = 0;
}

/* In one write, and line over line: nothing is erased before it is drawn again, so that nothing flickers. */
void diag_progress_block(const char *const *lines, int count)
{
    char *text = NULL;
    size_t size;
    FILE *out = be_quiet ? NULL : open_memstream(&text, &size);
    if (out == NULL)
        return;
    count = count < LINES_MAX ? count : LINES_MAX;
    go_to_the_first(out);
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s%s\033[K", i > 0 ? "\n" : "", lines[i]);
        drawn_width[i] = width_of(lines[i]);
    }
    fputs("\033[J", out);
    drawn_count = count;
    if (fclose(out) == 0)
        fwrite(text, 1, size, stderr);
    free(text);
    fflush(stderr);
}

/* ---- what is said ---- */

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

void diag_note(const char *format, ...)
{
    if (be_quiet)
        return;
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
    char line[256];
    if (diag_is_terminal()) {
        vsnprintf(line, sizeof line, format, arguments);
        int columns = terminal_size(STDERR_FILENO).columns; /* a line that wraps could not be taken back */
        if (columns <= (int)sizeof line)
            line[columns - 1] = '\0';
        diag_progress_block((const char *const[]){line}, 1);
    } else {
        say("", format, arguments);
    }
    va_end(arguments);
}
