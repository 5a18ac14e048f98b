/* terminal: single key presses, without Enter. The terminal is put back as it was by terminal_restore, which
 * is also run at exit; a program that dies by a signal must call it first. */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdbool.h>

/* Lets each key of standard input be read at once and unseen; Ctrl-C still interrupts. Drops what was typed
 * before. Does nothing, and returns false, when standard input is no terminal. */
bool terminal_take_keys(void);

void terminal_restore(void);

/* Columns of standard output; 80 when it is no terminal or does not say. */
int terminal_width(void);

#endif
