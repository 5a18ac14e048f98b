#include "kernel/process.h"

#include "base/printable.h"
#include "kernel/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A process that is gone is missing from /proc; one that /proc hides (hidepid) is EPERM. */
static int process_error(int error)
{
    return error == ENOENT ? -ESRCH : error == EPERM ? -EACCES : -error;
}

static int read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return process_error(errno);
    ssize_t length = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (length < 0)
        return process_error(error);
    text[length] = '\0';
    return 0;
}

static struct process_command printable_command(const char *name, size_t length)
{
    struct process_command command = {{0}};
    length = length < sizeof command.text ? length : sizeof command.text - 1;
    memcpy(command.text, name, length);
    printable_word(command.text);
    return command;
}

enum { IS_EXITING = 0x4 }; /* PF_EXITING in include/linux/sched.h */

int process_stat_of(pid_t pid, struct process_stat *stat)
{
    /* as man 5 proc counts the words */
    enum { STATE = 3, PARENT = 4, FLAGS = 9, STARTED = 22, EXIT_CODE = 52 };
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int rc = read_text(path, text, sizeof text);
    if (rc != 0)
        return rc;
    *stat = (struct process_stat){0};
    char *rest = strrchr(text, ')'), *word, *next; /* the name before it may have spaces and brackets in it */
    const char *name = strchr(text, '(');
    int i = STATE;
    if (name != NULL && rest != NULL && name < rest)
        stat->command = printable_command(name + 1, (size_t)(rest - name) - 1);
    for (word = rest != NULL ? strtok_r(rest + 1, " ", &next) : NULL; word != NULL;
         word = strtok_r(NULL, " ", &next), i++) {
        if (i == STATE)
            stat->state = *word;
        else if (i == PARENT)
            stat->parent = (pid_t)strtol(word, NULL, 10);
        else if (i == FLAGS)
            stat->is_ending = (strtoul(word, NULL, 10) & IS_EXITING) != 0;
        else if (i == STARTED)
            stat->started = strtoull(word, NULL, 10);
        else if (i == EXIT_CODE)
            stat->exit_code = (int)strtol(word, NULL, 10);
    }
    return i > PARENT ? 0 : -ESRCH;
}

bool process_has_ended(const struct process_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X' || stat->is_ending;
}

bool process_descends_from(pid_t pid, pid_t ancestor)
{
    enum { DEEP = 256 }; /* parents change while they are read: there may be no end to find */
    struct process_stat stat;
    for (int i = 0; i < DEEP && pid > 1 && process_stat_of(pid, &stat) == 0; i++) {
        if (stat.parent == ancestor)
            return true;
        pid = stat.parent;
    }
    return false;
}

int process_each_descendant(pid_t ancestor, int (*on_process)(void *context, pid_t pid), void *context)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && process_descends_from(pid, ancestor))
            rc = on_process(context, pid);
    }
    if (rc == 0 && entry == NULL)
        rc = -errno;
    closedir(proc);
    return rc;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The kernel counts from the boot on, and counts the time that the machine was asleep. */
int64_t process_started_us(const struct process_stat *stat)
{
    int64_t since_boot_us = (int64_t)stat->started * 1000000 / sysconf(_SC_CLK_TCK);
    return since_boot_us - (clock_us(CLOCK_BOOTTIME) - clock_us(CLOCK_MONOTONIC));
}

int process_facts_of(pid_t pid, struct process_facts *facts)
{
    struct process_command command;
    return process_named_facts_of(pid, facts, &command);
}

int process_named_facts_of(pid_t pid, struct process_facts *facts, struct process_command *command)
{
    char path[32];
    struct stat directory;
    struct process_stat stat_now;
    int rc = process_stat_of(pid, &stat_now);
    if (rc != 0)
        return rc;
    if (process_has_ended(&stat_now))
        return -ESRCH;
    facts->started = stat_now.started;
    *command = stat_now.command;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    facts->descriptors = stat(path, &directory) == 0 && directory.st_size > 0 ? directory.st_size : -1;
    return 0;
}

int64_t process_descriptors_left(pid_t pid)
{
    struct process_facts facts;
    struct rlimit limit;
    if (process_facts_of(pid, &facts) != 0 || facts.descriptors < 0 ||
        prlimit(pid, RLIMIT_NOFILE, NULL, &limit) != 0)
        return -1;
    int64_t most = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
    return most > facts.descriptors ? most - facts.descriptors : 0;
}

int process_shares_network(pid_t pid)
{
    char path[32];
    struct stat ours, its;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat("/proc/self/ns/net", &ours) != 0)
        return 0; /* a kernel without namespaces */
    if (stat(path, &its) != 0)
        return process_error(errno);
    return its.st_dev == ours.st_dev && its.st_ino == ours.st_ino ? 0 : -EXDEV;
}

/* The number of the first one is fixed (PROC_PID_INIT_INO in include/linux/proc_ns.h). */
bool process_sees_every_pid(void)
{
    char target[32] = "";
    return readlink("/proc/self/ns/pid", target, sizeof target - 1) > 0 &&
           strcmp(target, "pid:[4026531836]") == 0;
}

static struct process_command command_in(const char *path)
{
    char text[64];
    if (read_text(path, text, sizeof text) != 0)
        return (struct process_command){{0}};
    size_t length = strlen(text);
    return printable_command(text, length > 0 ? length - 1 : 0); /* without the newline at the end */
}

struct process_command process_command(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    return command_in(path);
}

struct process_command thread_command(pid_t pid, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)pid, (int)tid);
    return command_in(path);
}

struct socket_reading {
    on_process_socket *on_socket;
    void *context;
};

static int pass_on_socket(void *context, const struct descriptor *descriptor)
{
    const struct socket_reading *reading = context;
    bool is_socket = descriptor->kind == DESCRIPTOR_SOCKET && descriptor->inode != 0;
    return is_socket ? reading->on_socket(reading->context, descriptor->fd, descriptor->inode) : 0;
}

int process_each_socket(pid_t pid, on_process_socket *on_socket, void *context)
{
    return process_each_socket_from(pid, 0, on_socket, context);
}

int process_each_socket_from(pid_t pid, int first, on_process_socket *on_socket, void *context)
{
    struct socket_reading reading = {on_socket, context};
    return descriptors_each_from(pid, first, pass_on_socket, &reading);
}

bool pid_is_among(pid_t pid, const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}
