#include "kernel/thread_calls.h"

#include "kernel/proc_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Calls that may wait for a socket which is an argument of theirs. */
static bool is_on_descriptor(const struct thread_call *call)
{
    bool may_be_socket = call->kind == IN_READ || call->kind == IN_WRITE || call->kind == IN_ACCEPT ||
                         call->kind == IN_CONNECT;
    return may_be_socket && call->fd >= 0;
}

/* Calls that wait for any of several, or for a thread that may have served; and none, where it runs. */
static bool is_on_several(const struct thread_call *call)
{
    switch (call->kind) {
    case IN_POLL:
    case IN_SELECT:
    case IN_EPOLL_WAIT:
    case IN_IO_URING:
    case IN_FUTEX:
    case IN_NOTHING:
        return true;
    default:
        return false;
    }
}

/* Returns 1, or 0 when the thread has ended, or a negative errno. */
static int read_call(pid_t pid, const char *thread, struct thread_call *call)
{
    int rc = thread_call_read_exactly(pid, (pid_t)strtol(thread, NULL, 10), call);
    if (rc == 0)
        call->kind = IN_NOTHING;
    return rc == -ESRCH ? 0 : rc < 0 ? rc : 1;
}

/* Sums up what `judge` says of each thread. */
static int64_t sum_up(pid_t pid, int (*judge)(pid_t pid, const struct thread_call *call))
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return proc_file_error(errno);
    const struct dirent *entry;
    int64_t count = 0;
    int rc = 0;
    while (rc >= 0 && (entry = readdir(threads)) != NULL) {
        struct thread_call call;
        if (entry->d_name[0] == '.')
            continue;
        rc = read_call(pid, entry->d_name, &call);
        count += rc > 0 ? judge(pid, &call) : 0;
    }
    closedir(threads);
    return rc < 0 ? rc : count;
}

bool thread_call_is_on_closed(pid_t pid, const struct thread_call *call)
{
    char path[64];
    struct stat of_link;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, call->fd);
    return is_on_descriptor(call) && lstat(path, &of_link) != 0 && errno == ENOENT;
}

static int is_on_closed(pid_t pid, const struct thread_call *call)
{
    return thread_call_is_on_closed(pid, call);
}

static int may_serve(pid_t pid, const struct thread_call *call)
{
    char path[64], target[16] = "";
    if (is_on_several(call))
        return 1;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, call->fd);
    return is_on_descriptor(call) && (readlink(path, target, sizeof target - 1) < 0 ||
                                      strncmp(target, "socket:", strlen("socket:")) == 0);
}

int64_t threads_in_closed_calls(pid_t pid)
{
    return sum_up(pid, is_on_closed);
}

int process_may_serve(pid_t pid)
{
    int64_t count = sum_up(pid, may_serve);
    return count < 0 ? (int)count : count > 0;
}
