/* screen: the whole terminal as a page that is drawn again and again, with single keys to be read: standard
 * output and standard input. What was there before is there again when it is left (the alternate screen of
 * xterm(1), which other terminals know too). Whatever diag says leaves it first: it is then shown again by
 * the next page.
 *
 * While it is shown Ctrl-Z puts the terminal back before the program stops, and a program in the background
 * draws nothing. */
#ifndef BASE_SCREEN_H
#define BASE_SCREEN_H

#include <stdbool.h>

/* Both are one terminal that can, and it is ours. */
bool screen_is_possible(void);

/* Hears SIGTSTP and SIGCONT from now on. */
void screen_open(void);

/* Shows these lines, each cut where the terminal ends; they can hold colours. Draws nothing where the
 * terminal is somebody else's now, or has not taken the last page yet. */
void screen_draw(const char *const *lines, int count);

/* Puts the terminal back, where it is not. Nothing else is drawn until the next page. */
void screen_leave(void);

/* And gives the signals back. */
void screen_close(void);

/* Likewise from the handler of a signal that ends the program. */
void screen_leave_from_signal(void);

/* Stops where Ctrl-Z has asked for it, until it is continued. True when the page has to be drawn again: after
 * that, or because the terminal has another size. */
bool screen_has_changed(void);

enum screen_key {
    KEY_NONE = 0,
    KEY_ENTER = '\n',
    KEY_ESCAPE = 27,
    KEY_BACKSPACE = 127,
    KEY_UP = 256, /* below: characters as they are */
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_OTHER,
    KEY_CLOSED, /* nobody is left who types */
};

enum { SCREEN_KEYS_MAX = 64 };

/* What was typed; returns how many there are, without waiting. */
int screen_read_keys(int keys[SCREEN_KEYS_MAX]);

#endif
