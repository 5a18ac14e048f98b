/* output: streams for people and scripts that never wait for their reader. What the reader does not take at
 * once is kept in memory, in order, and written later: a pipe that nobody drains and a terminal under Ctrl-S
 * stop nobody but themselves.
 *
 * No descriptor is made non-blocking: standard output and error are shared with other processes, which would
 * see it too. Instead nothing is written where poll() says that there is no room, at most PIPE_BUF bytes are
 * written at once, and a write that waits all the same (another process has filled the pipe in between) is
 * interrupted by a timer: SIGALRM belongs to this file. What goes into a pipe are whole lines, so that a
 * reader never gets half a row.
 *
 * Every function takes any other FILE too, such as one of open_memstream(), which is never waiting. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Makes stdout such a stream: once, before anything is written. Without memory it stays what it was.
 * diag_prepare() does the same with stderr. */
void output_take_stdout(void);

/* A stream on fd, which the caller keeps open. Where it is the same terminal, pipe or file as `other` they
 * share a queue, so that nothing overtakes. NULL without memory. */
FILE *output_beside(FILE *other, int fd, const char *name);

/* Truncates or makes the file. `name` is what it is called when it cannot be written; it is copied. Returns
 * NULL with errno. output_close closes it. */
FILE *output_open(const char *path, const char *name);

/* The same on a descriptor, which output_close closes. */
FILE *output_on(int fd, const char *name);

/* Closes a stream of output_open or output_on, and any other with fclose(); what still waits is dropped.
 * Returns 0, or the negative errno of a file system that tells only now what it could not write. */
int output_close(FILE *out);

/* "standard output", or the name that it was opened with. */
const char *output_name(FILE *out);

/* The descriptor; -1 where there is none. */
int output_fd(FILE *out);

/* Hands everything to the descriptor that it takes. Returns 0, or once a negative errno when something could
 * not be written since it was opened: whoever gets it tells the user. What is written after that is dropped.
 */
int output_flush(FILE *out);

/* Writes what waits in all outputs, as far as they take it. */
void output_push_all(void);

/* Something that was flushed has not been taken yet. */
bool output_is_waiting(FILE *out);

/* So much is waiting that no more rows should be made. */
bool output_is_clogged(FILE *out);

/* Lines that wait. */
size_t output_waiting_lines(FILE *out);

/* Waits until there is room, at most so long, and writes. A signal ends it early. */
void output_wait(FILE *out, int ms);

/* Drops what waits, and everything from now on, without an error. */
void output_drop(FILE *out);

/* From now on nobody cares whether it can be written: an error drops it. */
void output_forgive(FILE *out);

#endif
