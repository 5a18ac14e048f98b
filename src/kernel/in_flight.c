#include "kernel/in_flight.h"

#include "kernel/proc_file.h"

#include <inttypes.h>
#include <stdio.h>

int64_t in_flight_parse(const char *line)
{
    uint32_t count;
    return sscanf(line, "scm_fds: %9" SCNu32, &count) == 1 ? (int64_t)count : -1;
}

static int take(void *context, const char *line)
{
    int64_t count = in_flight_parse(line);
    if (count < 0)
        return 0;
    *(int64_t *)context = count;
    return 1;
}

int64_t in_flight_read(pid_t pid, int fd)
{
    char path[64];
    int64_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    int rc = proc_file_each_line(path, take, &count);
    return rc < 0 ? rc : count;
}
