/* terminal: single key presses, without Enter. The terminal is put back as it was by terminal_restore, which
 * is also run at exit; a program that dies by a signal must call it first. */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Lets each key of standard input be read at once and unseen; Ctrl-C still interrupts. Drops what was typed
 * before. Does nothing, and returns false, when standard input is no terminal. */
bool terminal_take_keys(void);

void terminal_restore(void);

/* Gives standard input, output and error something where they are closed: nothing to read, and writing fails.
 * Without it the first socket would get the number of one of them, and text would go into the connection. */
void terminal_fill_standard_descriptors(void);

/* After SIGHUP: what standard output no longer takes is dropped, and is no error of ours. */
void terminal_drop_unwritten(void);

struct terminal_size {
    int columns, rows;
};

/* Of the terminal that fd is; 80 by 24 when it is none or does not say. */
struct terminal_size terminal_size(int fd);

/* True when fd is a terminal where the cursor can be moved: not TERM=dumb or unknown. */
bool terminal_can_redraw(int fd);

/* False in a background job: the terminal is somebody else's to draw on. True where fd is not the terminal
 * that controls this process. */
bool terminal_is_ours(int fd);

/* Escape sequences take no column, and a character of UTF-8 takes one. What is beyond the columns is left
 * out, but for escape sequences, so that a colour ends. Returns how many it takes. */
int terminal_put_line(FILE *out, const char *line, int columns);

#endif
