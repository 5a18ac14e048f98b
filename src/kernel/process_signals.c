#include "kernel/process_signals.h"

#include "kernel/proc_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "SigIgn:\t0000000000001000": bit 0 is signal 1 */
bool process_signals_line_has(const char *line, int signal)
{
    bool is_mask = strncmp(line, "SigIgn:", 7) == 0 || strncmp(line, "SigCgt:", 7) == 0;
    uint64_t mask = is_mask ? strtoull(line + 7, NULL, 16) : 0;
    return (mask >> (signal - 1) & 1) != 0;
}

static int has_signal(void *context, const char *line)
{
    const int *signal = context;
    return process_signals_line_has(line, *signal);
}

int process_survives_signal(pid_t pid, int signal)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return proc_file_each_line(path, has_signal, &signal);
}
