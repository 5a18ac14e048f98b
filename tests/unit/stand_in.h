/* A terminal in the place of a standard descriptor, and what a person would see on it. */
#ifndef TESTS_STAND_IN_H
#define TESTS_STAND_IN_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

struct stand_in {
    int descriptor, kept, master, slave;
};

static inline struct stand_in stand_in_for(int descriptor)
{
    struct stand_in in = {.descriptor = descriptor, .master = posix_openpt(O_RDWR | O_NOCTTY)};
    if (in.master < 0)
        skip();
    assert_int_equal(grantpt(in.master), 0);
    assert_int_equal(unlockpt(in.master), 0);
    in.slave = open(ptsname(in.master), O_RDWR | O_NOCTTY);
    assert_true(in.slave >= 0);
    in.kept = dup(descriptor);
    dup2(in.slave, descriptor);
    return in;
}

static inline void stand_in_resize(const struct stand_in *in, int columns, int rows)
{
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    ioctl(in->slave, TIOCSWINSZ, &size);
}

/* What the program wrote since the last time; to be freed. A byte of ours marks its end, as a terminal hands
 * on what was written only after a while. */
static inline char *stand_in_read(const struct stand_in *in)
{
    static const char mark = '\x06';
    size_t length = 0, size = 65536;
    char *text = malloc(size);
    assert_non_null(text);
    fflush(NULL);
    assert_int_equal(write(in->slave, &mark, 1), 1);
    do {
        ssize_t got = read(in->master, text + length, size - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
    } while (text[length - 1] != mark && length < size - 1);
    text[length - 1] = '\0';
    return text;
}

/* A failed assertion speaks on standard error: nothing is asserted of a stand-in for it before this. */
static inline void take_back(const struct stand_in *in)
{
    fflush(NULL);
    dup2(in->kept, in->descriptor);
    close(in->kept);
    close(in->slave);
    close(in->master);
}

/* ---- a screen ---- */

enum { SCREEN_ROWS = 100, SCREEN_COLUMNS = 256 };

/* As much of a terminal as our output needs; it has no lower end. */
struct screen {
    int columns;
    char cells[SCREEN_ROWS][SCREEN_COLUMNS][4]; /* a character of UTF-8 each */
    int row, column;
    bool has_wrapped;   /* a line was longer than the terminal is wide */
    bool has_flickered; /* something was erased that was written before */
    bool has_colours;
    char text[SCREEN_COLUMNS * 4]; /* of screen_line */
};

static inline void screen_erase(struct screen *screen, int row, int from)
{
    for (int column = from; column < SCREEN_COLUMNS; column++)
        memset(screen->cells[row][column], 0, sizeof screen->cells[row][column]);
}

static inline bool screen_has_text(const struct screen *screen, int row, int from)
{
    for (int column = from; column < SCREEN_COLUMNS; column++)
        if (screen->cells[row][column][0] != '\0' && screen->cells[row][column][0] != ' ')
            return true;
    return false;
}

/* ESC [ ... letter: returns its end. */
static inline const char *screen_control(struct screen *screen, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    while (*end == ';')
        strtol(end + 1, &end, 10);
    switch (*end) {
    case 'A':
        screen->row = screen->row > number ? screen->row - (int)number : 0;
        break;
    case 'J':
        screen->has_flickered |= screen_has_text(screen, screen->row, screen->column);
        for (int row = screen->row + 1; row < SCREEN_ROWS; row++)
            screen_erase(screen, row, 0);
        screen_erase(screen, screen->row, screen->column);
        break;
    case 'K':
        screen_erase(screen, screen->row, screen->column);
        break;
    case 'm':
        screen->has_colours = true;
        break;
    default:
        fail_msg("an escape sequence that this screen does not know: ESC [ %s", text);
    }
    return end + 1;
}

static inline const char *screen_put(struct screen *screen, const char *text)
{
    if (screen->column == screen->columns) {
        screen->has_wrapped = true;
        screen->column = 0;
        screen->row++;
    }
    char *cell = screen->cells[screen->row][screen->column++];
    memset(cell, 0, 4);
    cell[0] = *text++;
    for (int i = 1; i < 4 && ((unsigned char)*text & 0xc0) == 0x80; i++)
        cell[i] = *text++;
    return text;
}

/* Shows more text. What happens to it is told from the text alone, from now on. */
static inline void screen_show(struct screen *screen, const char *text)
{
    screen->has_wrapped = screen->has_flickered = screen->has_colours = false;
    while (*text != '\0') {
        assert_true(screen->row < SCREEN_ROWS);
        if (*text == '\r')
            screen->column = 0;
        else if (*text == '\n')
            screen->row++;
        if (text[0] == '\033' && text[1] == '[')
            text = screen_control(screen, text + 2);
        else if (*text == '\r' || *text == '\n')
            text++;
        else
            text = screen_put(screen, text);
    }
}

/* A line of it without what is empty at its end; valid until the next call. */
static inline const char *screen_line(struct screen *screen, int row)
{
    size_t length = 0, filled = 0;
    for (int column = 0; column < screen->columns; column++) {
        const char *cell = screen->cells[row][column];
        size_t size = cell[0] == '\0' ? 1 : strnlen(cell, 4);
        memcpy(screen->text + length, cell[0] == '\0' ? " " : cell, size);
        length += size;
        if (cell[0] != '\0' && cell[0] != ' ')
            filled = length;
    }
    screen->text[filled] = '\0';
    return screen->text;
}

/* Lines from the first to the last that has something. */
static inline int screen_lines(struct screen *screen)
{
    int lines = 0;
    for (int row = 0; row < SCREEN_ROWS; row++)
        if (*screen_line(screen, row) != '\0')
            lines = row + 1;
    return lines;
}

/* The first line that has this text, or NULL. */
static inline const char *screen_find(struct screen *screen, const char *part)
{
    for (int row = 0; row < SCREEN_ROWS; row++)
        if (strstr(screen_line(screen, row), part) != NULL)
            return screen_line(screen, row);
    return NULL;
}

#endif
