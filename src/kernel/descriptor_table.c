#include "kernel/descriptor_table.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t descriptor_table_parse(const char *text)
{
    static const char name[] = "\nFDSize:";
    const char *at = strstr(text, name);
    if (at == NULL)
        return -1;
    char *end;
    errno = 0;
    long long size = strtoll(at + sizeof name - 1, &end, 10);
    return end != at + sizeof name - 1 && errno == 0 && size >= 0 ? size : -1;
}

int64_t descriptor_table_size(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return proc_file_read(path, text, sizeof text) > 0 ? descriptor_table_parse(text) : -1;
}
