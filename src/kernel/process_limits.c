#include "kernel/process_limits.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads "20000" or "unlimited", and steps over it. */
static int64_t read_limit(const char **at)
{
    static const char none[] = "unlimited";
    *at += strspn(*at, " ");
    if (strncmp(*at, none, sizeof none - 1) == 0) {
        *at += sizeof none - 1;
        return INT64_MAX;
    }
    char *end;
    errno = 0;
    long long limit = strtoll(*at, &end, 10);
    bool is_number = end != *at && errno == 0 && limit >= 0;
    *at = end;
    return is_number ? limit : -1;
}

bool process_limits_parse(const char *text, struct process_limits *limits)
{
    static const char name[] = "Max open files ";
    *limits = (struct process_limits){-1, -1};
    const char *at = strstr(text, name);
    if (at == NULL)
        return false;
    at += sizeof name - 1;
    limits->descriptors_soft = read_limit(&at);
    limits->descriptors_hard = read_limit(&at);
    return limits->descriptors_soft >= 0 && limits->descriptors_hard >= 0;
}

int process_limits_read(pid_t pid, struct process_limits *limits)
{
    char path[64], text[4096];
    *limits = (struct process_limits){-1, -1};
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    int rc = proc_file_read(path, text, sizeof text);
    if (rc < 0)
        return rc;
    return process_limits_parse(text, limits) ? 0 : -EBADMSG;
}
