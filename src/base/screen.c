#include "base/screen.h"

#include "base/output.h"
#include "base/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

static volatile sig_atomic_t is_shown, must_stop, was_continued;
static struct terminal_size drawn_for;
static struct sigaction stop_before, continue_before;

bool screen_is_possible(void)
{
    const char *term = getenv("TERM");
    return term != NULL && *term != '\0' && terminal_can_redraw(STDOUT_FILENO) && isatty(STDIN_FILENO) == 1 &&
           terminal_is_ours(STDIN_FILENO) && terminal_is_ours(STDOUT_FILENO);
}

static void on_stop(int number)
{
    (void)number;
    must_stop = 1;
}

static void on_continue(int number)
{
    (void)number;
    was_continued = 1;
}

static void hear_stop(void)
{
    const struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGTSTP, &stop, NULL);
}

void screen_open(void)
{
    const struct sigaction go_on = {.sa_handler = on_continue};
    sigaction(SIGTSTP, NULL, &stop_before);
    sigaction(SIGCONT, &go_on, &continue_before);
    if (stop_before.sa_handler != SIG_IGN)
        hear_stop();
}

void screen_leave(void)
{
    if (!is_shown)
        return;
    is_shown = 0;
    drawn_for = (struct terminal_size){0, 0};
    if (terminal_is_ours(STDIN_FILENO))
        terminal_restore();
    fputs(LEAVE, stdout);
    fflush(stdout);
}

void screen_close(void)
{
    screen_leave();
    sigaction(SIGTSTP, &stop_before, NULL);
    sigaction(SIGCONT, &continue_before, NULL);
}

void screen_leave_from_signal(void)
{
    if (!is_shown)
        return;
    is_shown = 0;
    terminal_restore(); /* tcsetattr(), which a handler may call */
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) == 1 && write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1) < 0)
        return; /* nobody is left who looks */
}

static bool may_draw(void)
{
    return terminal_is_ours(STDOUT_FILENO) && terminal_is_ours(STDIN_FILENO) && !output_is_waiting(stdout);
}

/* In one write, and line over line, so that nothing flickers. */
void screen_draw(const char *const *lines, int count)
{
    char *text = NULL;
    size_t size;
    bool may = may_draw() && (is_shown || terminal_take_keys());
    FILE *out = may ? open_memstream(&text, &size) : NULL;
    if (out == NULL)
        return;
    struct terminal_size now = terminal_size(STDOUT_FILENO);
    count = count < now.rows ? count : now.rows;
    fputs(is_shown ? "" : ENTER, out);
    is_shown = 1;
    fputs("\033[H", out);
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "\r\n" : "", out);
        terminal_put_line(out, lines[i], now.columns);
        fputs("\033[K", out);
    }
    fputs("\033[J", out);
    drawn_for = now;
    if (fclose(out) == 0)
        fwrite(text, 1, size, stdout);
    free(text);
    fflush(stdout);
}

/* As a shell expects it: its terminal is in order when the program has stopped. */
static void stop(void)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    screen_leave();
    output_flush(stdout);
    sigaction(SIGTSTP, &usual, NULL);
    raise(SIGTSTP);
    hear_stop();
}

bool screen_has_changed(void)
{
    bool has_stopped = must_stop != 0;
    must_stop = 0;
    if (has_stopped)
        stop();
    if (was_continued && is_shown && terminal_is_ours(STDIN_FILENO))
        screen_leave(); /* it was stopped unasked: whoever had the terminal since has left it as it liked */
    bool is_asked = was_continued || has_stopped;
    was_continued = 0;
    if (!is_shown)
        return is_asked || terminal_is_ours(STDOUT_FILENO);
    struct terminal_size now = terminal_size(STDOUT_FILENO);
    return is_asked || now.columns != drawn_for.columns || now.rows != drawn_for.rows;
}

/* ---- keys ---- */

/* The key of a sequence behind ESC [ or ESC O; *length of its bytes. */
static int key_of_sequence(const char *bytes, int count, int *length)
{
    static const struct {
        const char *bytes;
        int key;
    } known[] = {{"A", KEY_UP},       {"B", KEY_DOWN},       {"C", KEY_RIGHT}, {"D", KEY_LEFT},
                 {"H", KEY_HOME},     {"F", KEY_END},        {"1~", KEY_HOME}, {"4~", KEY_END},
                 {"5~", KEY_PAGE_UP}, {"6~", KEY_PAGE_DOWN}, {"7~", KEY_HOME}, {"8~", KEY_END}};
    for (*length = 1; *length < count && bytes[*length - 1] >= ' ' && bytes[*length - 1] < '@';)
        ++*length;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((int)strlen(known[i].bytes) == *length && memcmp(bytes, known[i].bytes, (size_t)*length) == 0)
            return known[i].key;
    return KEY_OTHER;
}

static int key_at(const char *bytes, int count, int *length)
{
    unsigned char c = (unsigned char)bytes[0];
    *length = 1;
    if (c == '\033' && count > 2 && (bytes[1] == '[' || bytes[1] == 'O')) {
        int key = key_of_sequence(bytes + 2, count - 2, length);
        *length += 2;
        return key;
    }
    if (c == '\r')
        return KEY_ENTER;
    if (c == '\b')
        return KEY_BACKSPACE;
    return c >= 128 ? KEY_OTHER : c;
}

int screen_read_keys(int keys[SCREEN_KEYS_MAX])
{
    char bytes[SCREEN_KEYS_MAX];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (!terminal_is_ours(STDIN_FILENO) || poll(&in, 1, 0) != 1)
        return 0;
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return 0;
    if (got <= 0) {
        keys[0] = KEY_CLOSED;
        return 1;
    }
    int count = 0;
    for (int at = 0, length; at < got; at += length)
        keys[count++] = key_at(bytes + at, (int)got - at, &length);
    return count;
}
