#include "kernel/thread_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A thread that is in no call: it runs, or is about to. */
enum { RUNS = -1 };

struct call {
    long number; /* SYS_recvfrom, ...; RUNS */
    int first;   /* its first argument */
};

/* Calls that may wait for a socket which is their first argument. */
static const long on_socket[] = {
    SYS_read,   SYS_readv,   SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_write,   SYS_writev,
    SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_accept,  SYS_accept4,  SYS_connect,
};

/* Calls that wait for any of several, or for a thread that may have served. */
static const long on_several[] = {
    SYS_ppoll,        SYS_pselect6, SYS_epoll_pwait, SYS_io_uring_enter, SYS_futex, RUNS,
#ifdef SYS_poll
    SYS_poll,         SYS_select,   SYS_epoll_wait,
#endif
#ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#endif
};

static bool is_among(long number, const long *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

#define IS_AMONG(number, numbers) is_among((number), (numbers), sizeof(numbers) / sizeof(numbers)[0])

static int error_of(int error)
{
    return error == ENOENT ? -ESRCH : error == EPERM ? -EACCES : -error;
}

/* Returns 1, or 0 when the thread has ended, or a negative errno. */
static int read_call(pid_t pid, const char *thread, struct call *call)
{
    char path[96], text[256];
    unsigned long first;
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/syscall", (int)pid, thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    int error = errno;
    if (file >= 0)
        close(file);
    if (length < 0)
        return error == ENOENT || error == ESRCH ? 0 : error_of(error);
    text[length] = '\0';
    *call = (struct call){.number = RUNS};
    if (sscanf(text, "%ld %lx", &call->number, &first) == 2)
        call->first = (int)first;
    return 1;
}

/* Sums up what `judge` says of each thread. */
static int64_t sum_up(pid_t pid, int (*judge)(pid_t pid, const struct call *call))
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return error_of(errno);
    const struct dirent *entry;
    int64_t count = 0;
    int rc = 0;
    while (rc >= 0 && (entry = readdir(threads)) != NULL) {
        struct call call;
        if (entry->d_name[0] == '.')
            continue;
        rc = read_call(pid, entry->d_name, &call);
        count += rc > 0 ? judge(pid, &call) : 0;
    }
    closedir(threads);
    return rc < 0 ? rc : count;
}

static int is_on_closed(pid_t pid, const struct call *call)
{
    char path[64];
    struct stat of_link;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, call->first);
    return IS_AMONG(call->number, on_socket) && lstat(path, &of_link) != 0 && errno == ENOENT;
}

static int may_serve(pid_t pid, const struct call *call)
{
    char path[64], target[16] = "";
    if (IS_AMONG(call->number, on_several))
        return 1;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, call->first);
    return IS_AMONG(call->number, on_socket) && (readlink(path, target, sizeof target - 1) < 0 ||
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
