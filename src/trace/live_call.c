#include "trace/live_call.h"

#include "base/array.h"
#include "code/code.h"
#include "kernel/descriptors.h"
#include "kernel/process.h"
#include "kernel/thread_call.h"
#include "kernel/witness.h"
#include "trace/call_events.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How processes are made: the table has none of these, as a tracer is told of it in another way. */
static const long forks[] = {
    SYS_clone,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
#ifdef SYS_clone3
    SYS_clone3,
#endif
};

enum { FORKS = sizeof forks / sizeof *forks };

static bool is_fork(long number)
{
    for (int i = 0; i < FORKS; i++)
        if (forks[i] == number)
            return true;
    return false;
}

/* A connection is followed from its accept() on; what the program connects to is not. Rows below 0 are no
 * calls of the kernel. */
static bool is_heard(const struct traced_call *call)
{
    return call->number >= 0 && call->act != TRACED_CONNECT && call->act != TRACED_ATTACH &&
           call->act != TRACED_LISTEN;
}

static bool returns(const struct traced_call *call)
{
    return call->needs_result || call->act == TRACED_DUPLICATE;
}

int live_call_numbers(long *numbers)
{
    int count = 0;
    const struct traced_call *call;
    for (int row = 0; (call = traced_call_at(row)) != NULL && count < LIVE_CALLS - FORKS; row++)
        if (is_heard(call) && traced_call_of(call->number) == call)
            numbers[count++] = call->number;
    for (int i = 0; i < FORKS; i++)
        numbers[count++] = forks[i];
    return count;
}

int live_call_returning(long *numbers)
{
    int count = 0;
    const struct traced_call *call;
    for (int row = 0; (call = traced_call_at(row)) != NULL && count < LIVE_CALLS; row++)
        if (is_heard(call) && returns(call) && traced_call_of(call->number) == call)
            numbers[count++] = call->number;
    return count;
}

void live_calls_clear(struct live_calls *calls)
{
    live_processes_clear(&calls->processes);
    for (size_t i = 0; i < calls->count; i++)
        free(calls->connections[i]);
    free(calls->connections);
    call_history_free(&calls->history);
    number_set_free(&calls->listeners);
    number_set_free(&calls->others);
    code_free(calls->code);
    *calls = (struct live_calls){0};
}

/* ---- notes ---- */

static const struct site *site_of(struct live_calls *calls, const struct call_event *event)
{
    const struct site *site =
        event->stack_size == 0
            ? NULL
            : code_site_copied(calls->code, event->pid, &event->registers, event->stack, event->stack_size);
    calls->unplaced += site == NULL;
    return site;
}

static struct traced_note note_of(const struct traced_call *call, pid_t pid, const uint64_t *arguments,
                                  const struct site *site)
{
    return (struct traced_note){.call = call,
                                .detail = call->detail_at > 0 ? (int)arguments[call->detail_at] : 0,
                                .pid = pid,
                                .site = site};
}

static void put_note(struct live_calls *calls, struct live_connection *connection,
                     const struct traced_note *note, int64_t now_ns)
{
    connection->noted_ns = now_ns;
    if (call_history_note(connection->known, note) != 0)
        calls->error = -ENOMEM;
}

static void set_descriptor(struct live_calls *calls, struct live_process *process, int64_t fd,
                           struct live_connection *connection)
{
    if (live_descriptor_set(process, fd, connection) != 0)
        calls->error = -ENOMEM;
}

/* ---- accepted ---- */

static uint64_t inode_of(pid_t pid, int64_t fd)
{
    char path[64], target[64];
    struct descriptor descriptor = {.fd = (int)fd};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, (int)fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return 0;
    target[length] = '\0';
    descriptor_parse(target, &descriptor);
    return descriptor.kind == DESCRIPTOR_SOCKET ? descriptor.inode : 0;
}

static int on_listener(void *context, const struct socket_entry *entry)
{
    struct live_calls *calls = context;
    if (entry->state != STATE_LISTEN || entry->inode == 0)
        return 0;
    return number_set_add(&calls->listeners, entry->inode) < 0 ? -ENOMEM : 0;
}

static void read_listeners(struct live_calls *calls)
{
    int error;
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return;
    witness->each_listener(AF_INET, NULL, on_listener, calls);
    witness->each_listener(AF_INET6, NULL, on_listener, calls);
}

/* Whether a descriptor listens for TCP; a Unix socket may do so too. One that is gone by now may have. */
static bool is_tcp_listener(struct live_calls *calls, pid_t pid, int64_t fd)
{
    uint64_t inode = inode_of(pid, fd);
    if (inode == 0 || number_set_has(&calls->others, inode))
        return inode == 0;
    if (!number_set_has(&calls->listeners, inode))
        read_listeners(calls);
    if (number_set_has(&calls->listeners, inode))
        return true;
    if (number_set_add(&calls->others, inode) < 0)
        calls->error = -ENOMEM;
    return false;
}

static struct live_connection *add_connection(struct live_calls *calls)
{
    struct live_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || ARRAY_RESERVE(calls->connections, calls->room, calls->count + 1) < 0 ||
        (connection->known = call_history_add(&calls->history, calls->count + 1)) == NULL) {
        free(connection);
        calls->error = -ENOMEM;
        return NULL;
    }
    calls->connections[calls->count++] = connection;
    return connection;
}

/* Two cannot have one inode: what was read too late is the later one's. */
static void take_inode(struct live_calls *calls, struct live_connection *connection, pid_t pid, int64_t fd)
{
    enum { NEAR = 64 };
    connection->inode = inode_of(pid, fd);
    for (size_t i = calls->count, tries = 0; i > 0 && tries < NEAR && connection->inode != 0; i--, tries++)
        if (calls->connections[i - 1] != connection && calls->connections[i - 1]->inode == connection->inode)
            calls->connections[i - 1]->inode = 0;
}

void live_call_find_inodes(struct live_calls *calls)
{
    for (struct live_process *process = calls->processes.first; process != NULL; process = process->next)
        for (size_t fd = 0; fd < process->room; fd++) {
            struct live_connection *connection = process->connections[fd];
            if (connection != NULL && connection->inode == 0)
                connection->inode = inode_of(process->pid, (int64_t)fd);
        }
}

static void note_accepted(struct live_calls *calls, struct live_thread *thread, int64_t fd, int64_t now_ns)
{
    struct live_process *process = thread->process;
    set_descriptor(calls, process, fd, NULL); /* its close() was lost */
    if (!is_tcp_listener(calls, process->pid, (int64_t)thread->arguments[0]))
        return;
    struct live_connection *connection = add_connection(calls);
    if (connection == NULL)
        return;
    take_inode(calls, connection, process->pid, fd);
    set_descriptor(calls, process, fd, connection);
    struct traced_note note = note_of(thread->call, process->pid, thread->arguments, thread->site);
    note.result = RESULT_SOME;
    put_note(calls, connection, &note, now_ns);
}

/* ---- a call begins ---- */

/* dup2(4, 4) does nothing; nothing read of 0 bytes is no end of file. */
static bool does_nothing(const struct traced_call *call, const uint64_t *arguments)
{
    return (call->size_at > 0 && arguments[call->size_at] == 0) ||
           (call->act == TRACED_CLOSE && call->fd_at == 1 && arguments[0] == arguments[1]);
}

static void close_between(struct live_calls *calls, struct live_process *process,
                          const struct call_event *event, const struct traced_call *call, uint64_t first,
                          uint64_t last)
{
    const struct site *site = NULL;
    bool has_site = false;
    for (uint64_t fd = first; fd < process->room && fd <= last; fd++) {
        struct live_connection *connection = process->connections[fd];
        if (connection == NULL)
            continue;
        site = has_site ? site : site_of(calls, event);
        has_site = true;
        struct traced_note note = note_of(call, process->pid, event->arguments, site);
        put_note(calls, connection, &note, event->time_ns);
        set_descriptor(calls, process, (int64_t)fd, NULL);
    }
}

/* A call on descriptors: each row of it is on one. */
static void begin_on_descriptors(struct live_calls *calls, struct live_thread *thread,
                                 const struct call_event *event)
{
    struct live_process *process = thread->process;
    struct live_connection **waits = &thread->reads;
    for (const struct traced_call *row = thread->call; row != NULL; row = traced_call_next(row)) {
        int64_t fd = (int)event->arguments[row->fd_at];
        struct live_connection *connection =
            does_nothing(row, event->arguments) ? NULL : live_descriptor(process, fd);
        if (row != thread->call)
            waits = &thread->writes;
        if (connection == NULL)
            continue;
        if (thread->site == NULL)
            thread->site = site_of(calls, event);
        if (row->needs_result) {
            *waits = connection;
            continue;
        }
        struct traced_note note = note_of(row, process->pid, event->arguments, thread->site);
        put_note(calls, connection, &note, event->time_ns);
        if (row->act == TRACED_CLOSE)
            set_descriptor(calls, process, fd, NULL);
    }
}

static bool is_call(const struct traced_call *call, const uint64_t *arguments)
{
    return call->only_at == 0 || (long)arguments[call->only_at] == call->only[0] ||
           (long)arguments[call->only_at] == call->only[1];
}

static void begin_call(struct live_calls *calls, struct live_thread *thread, const struct call_event *event)
{
    const struct traced_call *call = traced_call_of(event->number);
    thread->call = NULL;
    thread->site = NULL;
    thread->reads = thread->writes = NULL;
    memcpy(thread->arguments, event->arguments, sizeof thread->arguments);
    if (is_fork(event->number)) {
        thread->site = site_of(calls, event);
        return;
    }
    if (call == NULL || !is_call(call, event->arguments))
        return;
    calls->calls++;
    thread->call = call;
    switch (call->act) {
    case TRACED_ACCEPT:
        thread->site = site_of(calls, event);
        break;
    case TRACED_EXEC:
        thread->site = site_of(calls, event);
        break;
    case TRACED_EXIT:
        close_between(calls, thread->process, event, call, 0, UINT64_MAX);
        break;
    default:
        if (call->fd_at >= 0)
            begin_on_descriptors(calls, thread, event);
        else if (call->act == TRACED_CLOSE && ((unsigned)event->arguments[2] & CLOSE_RANGE_CLOEXEC) == 0)
            close_between(calls, thread->process, event, call, (unsigned)event->arguments[0],
                          (unsigned)event->arguments[1]);
    }
}

/* ---- it returns ---- */

static bool is_error(int64_t result)
{
    return result < 0 && result >= -4095;
}

/* The kernel makes the call once more: ERESTARTSYS to ERESTART_RESTARTBLOCK, of its include/linux/errno.h. */
static bool comes_again(int64_t result)
{
    return result <= -512 && result >= -516;
}

static void note_result(struct live_calls *calls, struct live_thread *thread, const struct traced_call *row,
                        struct live_connection *connection, const struct call_event *event)
{
    if (connection == NULL || row == NULL)
        return;
    struct traced_note note = note_of(row, thread->process->pid, thread->arguments, thread->site);
    note.result = is_error(event->result) ? RESULT_ERROR : event->result == 0 ? RESULT_ZERO : RESULT_SOME;
    note.error = is_error(event->result) ? (int)-event->result : 0;
    put_note(calls, connection, &note, event->time_ns);
}

static void end_call(struct live_calls *calls, struct live_thread *thread, const struct call_event *event)
{
    const struct traced_call *call = thread->call;
    struct live_process *process = thread->process;
    note_result(calls, thread, call, thread->reads, event);
    note_result(calls, thread, traced_call_next(call), thread->writes, event);
    if (is_error(event->result))
        return;
    switch (call->act) {
    case TRACED_ACCEPT:
        note_accepted(calls, thread, event->result, event->time_ns);
        break;
    case TRACED_DUPLICATE:
        set_descriptor(calls, process, event->result, live_descriptor(process, (int)thread->arguments[0]));
        break;
    case TRACED_RING:
        calls->rings += !process->has_ring;
        process->has_ring = true;
        break;
    default:
        break;
    }
}

/* ---- processes ---- */

static struct live_process *process_of(struct live_calls *calls, pid_t pid)
{
    struct live_process *process = live_process_find(&calls->processes, pid);
    if (process == NULL)
        process = live_process_add(&calls->processes, pid, NULL);
    if (process == NULL)
        calls->error = -ENOMEM;
    return process;
}

static void begin_process(struct live_calls *calls, const struct call_event *event)
{
    if (event->pid == event->parent || live_process_find(&calls->processes, event->pid) != NULL)
        return; /* a thread */
    const struct live_thread *maker = live_thread_find(&calls->processes, event->parent_tid);
    const struct live_process *parent = live_process_find(&calls->processes, event->parent);
    struct live_process *process = live_process_add(&calls->processes, event->pid, parent);
    if (process == NULL) {
        calls->error = -ENOMEM;
        return;
    }
    process->forked_at = maker != NULL ? maker->site : NULL;
    process->forked = call_history_moment(&calls->history);
    code_forked(calls->code, event->parent, event->pid);
}

static void end_process(struct live_calls *calls, const struct call_event *event)
{
    struct process_stat stat;
    struct live_process *process = live_process_find(&calls->processes, event->pid);
    live_thread_remove(&calls->processes, event->tid);
    if (process == NULL || (process_stat_of(event->pid, &stat) == 0 && !process_has_ended(&stat)))
        return;
    live_process_remove(&calls->processes, process);
    code_forget(calls->code, event->pid);
}

/* What is open still after another program began. */
struct keeping {
    struct live_process *process;
    struct number_set fds; /* and 1 */
};

static int keep_open(void *context, int fd, uint64_t inode)
{
    struct keeping *keeping = context;
    const struct live_connection *connection = live_descriptor(keeping->process, fd);
    if (connection == NULL || (connection->inode != 0 && connection->inode != inode))
        return 0;
    return number_set_add(&keeping->fds, (uint64_t)fd + 1) < 0 ? -ENOMEM : 0;
}

static void begin_program(struct live_calls *calls, const struct call_event *event)
{
    struct live_process *process = process_of(calls, event->pid);
    const struct live_thread *thread = live_thread_find(&calls->processes, event->tid);
    code_forget(calls->code, event->pid);
    if (process == NULL)
        return;
    struct keeping keeping = {.process = process};
    int rc = process_each_socket(event->pid, keep_open, &keeping);
    for (size_t fd = 0; fd < process->room && rc == 0; fd++) {
        struct live_connection *connection = process->connections[fd];
        if (connection == NULL || number_set_has(&keeping.fds, fd + 1))
            continue;
        if (thread != NULL && thread->call != NULL && thread->call->act == TRACED_EXEC) {
            struct traced_note note = note_of(thread->call, process->pid, thread->arguments, thread->site);
            put_note(calls, connection, &note, event->time_ns);
        }
        set_descriptor(calls, process, (int64_t)fd, NULL);
    }
    number_set_free(&keeping.fds);
}

void live_call_take_waiting(struct live_calls *calls, pid_t pid, pid_t tid)
{
    struct thread_call is;
    if (thread_call_read_exactly(pid, tid, &is) != 1 || !is.has_arguments)
        return;
    const struct traced_call *call = traced_call_of(is.number);
    struct live_process *process = call != NULL && call->act == TRACED_ACCEPT ? process_of(calls, pid) : NULL;
    struct live_thread *thread = process != NULL ? live_thread_of(&calls->processes, process, tid) : NULL;
    if (thread == NULL)
        return;
    thread->call = call;
    thread->site = code_site_asleep(calls->code, pid, tid);
    memcpy(thread->arguments, is.arguments, sizeof thread->arguments);
}

/* ---- all of them ---- */

static void hear_call(struct live_calls *calls, const struct call_event *event)
{
    struct live_process *process = process_of(calls, event->pid);
    struct live_thread *thread =
        process != NULL ? live_thread_of(&calls->processes, process, event->tid) : NULL;
    if (thread == NULL) {
        calls->error = -ENOMEM;
    } else if (event->kind == CALL_RETURNS) {
        bool is_waited_for = thread->call != NULL && thread->call->number == event->number;
        if (is_waited_for && !comes_again(event->result))
            end_call(calls, thread, event);
        thread->call = NULL;
    } else if (event->is_foreign) {
        calls->foreign += !process->is_foreign;
        process->is_foreign = true;
        thread->call = NULL;
    } else {
        begin_call(calls, thread, event);
    }
}

void live_call_hear(void *context, const struct call_event *event)
{
    struct live_calls *calls = context;
    if (event->time_ns < calls->from_ns)
        return;
    switch (event->kind) {
    case CALL_BEGINS:
    case CALL_RETURNS:
        hear_call(calls, event);
        break;
    case THREAD_BEGINS:
        begin_process(calls, event);
        break;
    case THREAD_ENDS:
        end_process(calls, event);
        break;
    case PROGRAM_BEGINS:
        begin_program(calls, event);
        break;
    }
}
