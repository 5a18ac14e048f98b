#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* A process that is gone is missing from /proc; one that /proc hides (hidepid) is EPERM. */
int proc_file_error(int error)
{
    return error == ENOENT ? -ESRCH : error == EPERM ? -EACCES : -error;
}

int proc_file_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return proc_file_error(errno);
    ssize_t length = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (length < 0)
        return proc_file_error(error);
    text[length] = '\0';
    return (int)length;
}

int proc_file_each_line(const char *path, on_line *each, void *context)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return proc_file_error(errno);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int rc = 0;
    while (rc == 0 && (errno = 0, length = getline(&line, &room, file)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        rc = each(context, line);
    }
    if (rc == 0 && errno != 0)
        rc = proc_file_error(errno); /* it ended while it was read */
    free(line);
    fclose(file);
    return rc;
}
