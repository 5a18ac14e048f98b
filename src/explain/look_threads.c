#include "explain/look.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/process.h"
#include "kernel/thread_calls.h"
#include "kernel/wait_set.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 20000 }; /* in all: reading one takes some 30 us */

/* ---- what a call is ---- */

static const enum fact_call calls_of[CALL_KIND_COUNT] = {
    [IN_UNKNOWN] = CALL_UNKNOWN,
    [IN_NOTHING] = CALL_NONE,
    [IN_EPOLL_WAIT] = CALL_EPOLL_WAIT,
    [IN_POLL] = CALL_POLL,
    [IN_SELECT] = CALL_SELECT,
    [IN_POLL_OR_SELECT] = CALL_POLL,
    [IN_ACCEPT] = CALL_ACCEPT,
    [IN_IO_URING] = CALL_IO_URING,
    [IN_READ] = CALL_RECV,
    [IN_WRITE] = CALL_SEND,
    [IN_CONNECT] = CALL_CONNECT,
    [IN_SOCKET] = CALL_OTHER, /* and its name says how much is known */
    [IN_FUTEX] = CALL_FUTEX,
    [IN_SLEEP] = CALL_SLEEP,
    [IN_CHILD] = CALL_CHILD,
    [IN_SIGNAL] = CALL_SIGNAL,
    [IN_FILE] = CALL_FILE,
    [IN_OTHER] = CALL_OTHER,
};

/* The same calls read a socket, a pipe and a file. */
static enum fact_call fact_call_of(const struct look *look, int process, const struct thread_call *call)
{
    enum fact_call kind = calls_of[call->kind];
    if ((kind != CALL_RECV && kind != CALL_SEND) || call->fd < 0)
        return kind;
    const struct descriptor *descriptor = look_descriptor(look, process, call->fd);
    return descriptor != NULL && descriptor->kind != DESCRIPTOR_SOCKET ? CALL_FILE : kind;
}

/* ---- what it is on ---- */

struct on_descriptors {
    struct look *look;
    int process, thread;
    enum fact_waiter kind;
    enum reading_of_threads reading;
};

static uint64_t inode_of(const struct look *look, int process, int fd)
{
    const struct descriptor *descriptor = look_descriptor(look, process, fd);
    return descriptor != NULL && descriptor->kind == DESCRIPTOR_SOCKET ? descriptor->inode : 0;
}

static int note_call_on(void *context, int fd, uint32_t events)
{
    const struct on_descriptors *on = context;
    struct look *look = on->look;
    int rc = ARRAY_RESERVE(look->calls, look->call_room, look->call_count + 1);
    if (rc == 0)
        look->calls[look->call_count++] = (struct call_on){
            .inode = inode_of(look, on->process, fd),
            .process = on->process,
            .thread = on->thread,
            .kind = on->kind,
            .events = events,
            .reading = on->reading,
        };
    return rc;
}

static bool slept_through(const struct thread_usage *before, pid_t pid, pid_t tid)
{
    struct thread_usage after;
    return before->turns < 0 || (thread_usage_read(pid, tid, &after) == 0 && after.turns == before->turns);
}

/* The sets of poll() and select(). A thread that has run meanwhile may have changed them: what was read of it
 * counts for nothing, and it does not sleep there. */
static int take_wait_set(struct look *look, const struct on_descriptors *on, const struct thread_call *call,
                         const struct thread_usage *before)
{
    struct look_process *process = &look->processes[on->process];
    size_t count = look->call_count;
    int rc = call->has_arguments ? wait_set_read(process->pid, call, note_call_on, (void *)on) : -EACCES;
    if (rc == -ENOMEM || rc == -ESRCH)
        return rc;
    if (!slept_through(before, process->pid, look->threads[on->thread].tid))
        look->call_count = count;
    else if (rc < 0) {
        process->unseen[UNSEEN_MEMORY] = -rc;
        process->is_blind_to_calls = true;
        look->threads[on->thread].is_set_unknown = true;
    }
    return 0;
}

static void rest_in_set(struct look *look, int process, int fd, int thread)
{
    for (size_t i = 0; i < look->set_count; i++)
        if (look->sets[i].process == process && (fd < 0 || look->sets[i].fd == fd)) {
            look->sets[i].at_rest = true;
            look->sets[i].thread = thread;
        }
}

/* In epoll_wait() on a set that is not known it may be on any of them. */
static int take_call(struct look *look, const struct on_descriptors *on, const struct thread_call *call,
                     const struct thread_usage *before)
{
    struct look_process *process = &look->processes[on->process];
    struct on_descriptors here = *on;
    switch (call->kind) {
    case IN_EPOLL_WAIT:
        rest_in_set(look, on->process, call->fd, on->thread);
        return 0;
    case IN_POLL:
    case IN_SELECT:
    case IN_POLL_OR_SELECT:
        here.kind = call->kind == IN_SELECT ? WAITER_SELECT : WAITER_POLL;
        return take_wait_set(look, &here, call, before);
    case IN_ACCEPT:
    case IN_READ:
    case IN_WRITE:
    case IN_CONNECT:
    case IN_OTHER:
        if (call->fd < 0 && call->kind == IN_ACCEPT)
            process->accepting_thread = on->thread;
        else if (call->fd < 0 && call->kind != IN_OTHER)
            process->is_blind_to_calls = true;
        if (call->fd < 0)
            return 0;
        here.kind = WAITER_THREAD;
        return note_call_on(&here, call->fd, call->kind == IN_WRITE ? POLLOUT : POLLIN);
    case IN_UNKNOWN:
    case IN_SOCKET:
        process->is_blind_to_calls = true;
        return 0;
    default:
        return 0;
    }
}

/* ---- a thread ---- */

static void take_name(pid_t pid, pid_t tid, char name[16])
{
    struct process_command command = thread_command(pid, tid);
    memcpy(name, command.text, sizeof command.text);
}

static int thread_index(struct look *look, int process, pid_t tid)
{
    size_t from = look->processes[process].first_thread, count = look->thread_count;
    for (size_t i = from; i < count; i++) {
        size_t at =
            look->next_thread >= from ? from + (look->next_thread - from + i - from) % (count - from) : i;
        if (look->threads[at].tid == tid && look->threads[at].process == process) {
            look->next_thread = at + 1;
            return (int)at;
        }
    }
    return -1;
}

/* Its place, a new one where it was not there; -1: without memory. */
static int place_thread(struct look *look, int process, pid_t tid)
{
    int place = thread_index(look, process, tid);
    if (place >= 0)
        return place;
    if (ARRAY_RESERVE(look->threads, look->thread_room, look->thread_count + 1) != 0)
        return -1;
    look->threads[look->thread_count] =
        (struct look_thread){.process = process, .tid = tid, .then = {.turns = -1}};
    return (int)look->thread_count++;
}

static int busy_percent(const struct look_thread *thread, const struct thread_usage *now, int64_t now_us)
{
    int64_t wall_us = now_us - thread->then_us;
    if (!thread->was_there || thread->then.turns < 0 || now->turns < 0 || wall_us <= 0)
        return -1;
    int64_t ns = now->ran_ns - thread->then.ran_ns + now->waited_ns - thread->then.waited_ns;
    int64_t percent = ns / 10 / wall_us;
    return percent < 0 ? 0 : percent > 100 ? 100 : (int)percent;
}

/* All but the call is known of a thread that nobody may attach to. */
static void fill_fact(struct look *look, struct look_thread *thread, const struct thread_call *call,
                      const struct thread_rest *rest, const struct thread_usage *usage, int busy)
{
    const struct look_process *process = &look->processes[thread->process];
    thread->fact = (struct fact_thread){
        .process = thread->process,
        .tid = thread->tid,
        .call = fact_call_of(look, thread->process, call),
        .fd = call->fd,
        .is_on_closed = call->fd >= 0 && call->kind != IN_ACCEPT &&
                        look_descriptor(look, thread->process, call->fd) == NULL &&
                        thread_call_is_on_closed(process->pid, call),
        .inode = call->fd >= 0 ? inode_of(look, thread->process, call->fd) : 0,
        .asleep_ms = rest->asleep_ms,
        .busy_percent = busy,
        .turns = usage->turns,
    };
    if (rest->state == 'R')
        thread->fact.call = CALL_NONE;
    take_name(process->pid, thread->tid, thread->fact.name);
    snprintf(thread->fact.call_name, sizeof thread->fact.call_name, "%.*s",
             (int)sizeof thread->fact.call_name - 1, call->name);
    thread->is_there = true;
}

static void note_source(struct look *look, int index, int source, const struct thread_rest *rest)
{
    struct look_process *process = &look->processes[index];
    if (source != CALL_FROM_SYSCALL)
        process->unseen[UNSEEN_CALLS] = look->request->no_attach ? EPERM : EACCES;
    if (source == CALL_FROM_NOWHERE && rest->state != 'R')
        process->unseen[UNSEEN_WCHAN] = EACCES;
    if (rest->asleep_ms < 0)
        process->unseen[UNSEEN_CLOCKS] = EOPNOTSUPP;
}

/* A thread that runs is in no call that waits, whatever it was in when its call was read. */
static int read_thread(struct look *look, int index, pid_t tid, enum reading_of_threads which)
{
    const struct look_process *process = &look->processes[index];
    struct thread_call call;
    struct thread_rest rest;
    struct thread_usage usage = {.turns = -1};
    int place = place_thread(look, index, tid);
    if (place < 0)
        return -ENOMEM;
    int64_t now_us = monotonic_us();
    if (thread_usage_read(process->pid, tid, &usage) != 0)
        usage.turns = -1;
    bool may_attach = !look->request->no_attach && !process->is_foreign;
    int source = thread_call_read(process->pid, tid, may_attach, &call);
    int rc = source < 0 ? source : thread_rest_read(&look->clocks, process->pid, tid, &rest);
    if (rc < 0)
        return rc;
    struct look_thread *thread = &look->threads[place];
    note_source(look, index, source, &rest);
    if (which == SECOND_READING)
        fill_fact(look, thread, &call, &rest, &usage, busy_percent(thread, &usage, now_us));
    else {
        thread->was_there = true;
        thread->then = usage;
        thread->then_us = now_us;
    }
    struct on_descriptors on = {look, index, place, WAITER_NOBODY, which};
    return rest.state == 'R' ? 0 : take_call(look, &on, &call, &usage);
}

/* ---- all threads ---- */

static int read_threads(struct look *look, int index, enum reading_of_threads which, int *left)
{
    struct look_process *process = &look->processes[index];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        process->unseen[UNSEEN_THREADS] = errno;
        process->is_blind_to_calls = true;
        return 0;
    }
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(tasks)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if ((*left)-- <= 0) {
            process->unseen[UNSEEN_THREADS] = E2BIG;
            process->is_blind_to_calls = true;
            break;
        }
        rc = read_thread(look, index, (pid_t)strtol(entry->d_name, NULL, 10), which);
        rc = rc == -ESRCH || rc == -EACCES ? 0 : rc;
        if (rc == 0 && look_is_stopped(look))
            rc = -EINTR;
    }
    closedir(tasks);
    return rc;
}

int look_threads(struct look *look, enum reading_of_threads which)
{
    int left = THREADS_MAX, rc = 0;
    for (size_t i = 0; i < look->process_count && rc == 0; i++) {
        if (which == FIRST_READING) {
            look->processes[i].first_thread = look->thread_count;
            look->processes[i].accepting_thread = -1;
            look->processes[i].is_foreign = !thread_calls_are_native(look->processes[i].pid);
        }
        look->next_thread = look->processes[i].first_thread;
        rc = read_threads(look, (int)i, which, &left);
    }
    return rc;
}
