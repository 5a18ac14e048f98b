/* proc_file: how files below /proc/PID are read. In all of it the negative errno ESRCH says that there is no
 * such process, thread or descriptor any more, EACCES that it is not ours to look into. */
#ifndef KERNEL_PROC_FILE_H
#define KERNEL_PROC_FILE_H

#include <stddef.h>

/* Fills `text`, of `size` bytes with the '\0', from the start of a file. One read(): what the kernel makes at
 * once belongs to one moment. Returns the length or a negative errno. */
int proc_file_read(const char *path, char *text, size_t size);

/* Called for each line, without its newline; anything but 0 ends the reading with that value. */
typedef int on_line(void *context, const char *line);

/* Reads a file of any length line by line. Returns 0, what the callback ended it with, or a negative errno.
 */
int proc_file_each_line(const char *path, on_line *each, void *context);

/* A negative errno from that of a call on a file below /proc/PID. */
int proc_file_error(int error);

#endif
