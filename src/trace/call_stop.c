#include "trace/call_stop.h"

#include "base/array.h"
#include "kernel/process.h"
#include "trace/node_hook.h"
#include "trace/passed_descriptors.h"

#include <errno.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* The kernel's struct ptrace_syscall_info, which has several names in headers that exclude each other. */
enum { INFO_ENTRY = 1, INFO_EXIT = 2, INFO_SECCOMP = 3 };

struct call_info {
    uint8_t op, padding[3];
    uint32_t machine;
    uint64_t pc, sp;
    union {
        struct {
            uint64_t number, arguments[6];
        } entry;
        struct {
            int64_t result;
            uint8_t is_error;
        } exit;
    };
    uint64_t rest[2];
};

static bool read_call(pid_t tid, struct call_info *info)
{
    memset(info, 0, sizeof *info);
    return ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof *info, info) > 0;
}

static struct traced_note note_of(const struct traced_call *call, const struct tracee *tracee,
                                  const struct site *site)
{
    return (struct traced_note){
        .call = call,
        .detail = call->detail_at > 0 ? (int)tracee->arguments[call->detail_at] : 0,
        .pid = tracee->process->pid,
        .site = site,
    };
}

static void await_end(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    (void)tracing;
    tracee->call = call;
}

/* ---- a connection's descriptor ---- */

static void note_or_await(struct tracing *tracing, struct tracee *tracee, struct known_connection *connection,
                          const struct traced_note *note)
{
    if (!note->call->needs_result) {
        tracing_note(tracing, connection, note);
    } else if (tracee->pending_count < PENDING_NOTES) {
        tracee->pending[tracee->pending_count++] =
            (struct pending_note){.connection = connection, .note = *note};
        tracee->call = note->call;
    }
}

/* dup2(4, 4) does nothing. */
static bool does_nothing(const struct tracee *tracee, const struct traced_call *call)
{
    const uint64_t *arguments = tracee->arguments;
    return (call->size_at > 0 && arguments[call->size_at] == 0) ||
           (call->act == TRACED_CLOSE && call->fd_at == 1 && arguments[0] == arguments[1]);
}

/* Descriptors that are passed on over a socket that is no connection. */
static void note_passed(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    int fds[PASSED_MAX];
    int count = passed_descriptors(tracee->tid, tracee->arguments[1], fds);
    for (int i = 0; i < count; i++) {
        struct known_connection *connection = tracing_socket(tracing, tracee, fds[i], TRACED_DUPLICATE);
        if (connection == NULL)
            continue;
        struct traced_note note = note_of(call, tracee, tracing_site(tracing, tracee));
        note.detail = SCM_RIGHTS;
        note.result = RESULT_SOME;
        tracing_note(tracing, connection, &note);
    }
}

enum { NO_DETAIL = -1 }; /* 0 is SHUT_RD */

/* A call within a program of node. */
static void note_told(struct tracing *tracing, struct tracee *tracee)
{
    struct node_call told;
    if (!node_hook_read(tracing->code, tracee->tid, tracee->arguments[1], tracee->arguments[2], &told))
        return;
    const struct traced_call *call = traced_call_named(told.name);
    struct known_connection *connection = tracing_socket(tracing, tracee, told.fd, call->act);
    if (connection == NULL)
        return;
    const struct traced_note note = {
        .call = call, .detail = NO_DETAIL, .pid = tracee->process->pid, .site = told.site};
    tracing_note(tracing, connection, &note);
}

static void note_descriptor(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    const struct site *site = NULL;
    bool is_of_any = false;
    if (call->number == SYS_write && (int)tracee->arguments[0] == NODE_HOOK_DESCRIPTOR) {
        note_told(tracing, tracee);
        return;
    }
    for (const struct traced_call *row = call; row != NULL; row = traced_call_next(row)) {
        struct known_connection *connection =
            does_nothing(tracee, row)
                ? NULL
                : tracing_socket(tracing, tracee, (int)tracee->arguments[row->fd_at], row->act);
        if (connection == NULL)
            continue;
        site = is_of_any ? site : tracing_site(tracing, tracee);
        is_of_any = true;
        struct traced_note note = note_of(row, tracee, site);
        note_or_await(tracing, tracee, connection, &note);
    }
    if (is_of_any)
        return;
    if (call->number == SYS_sendmsg)
        note_passed(tracing, tracee, call);
    else if (call->number == SYS_recvmsg && passed_descriptors_have_room(tracee->tid, tracee->arguments[1]))
        tracee->call = call;
}

/* ---- all of a process's descriptors ---- */

struct closing {
    struct tracing *tracing;
    struct tracee *tracee;
    const struct traced_call *call;
    const struct site *site;
    bool has_site;
    uint64_t first, last; /* descriptors */
};

/* Of reading all descriptors: a process that is gone has none. */
static void take_error(struct tracing *tracing, int rc)
{
    if (rc == -ENOMEM)
        tracing->error = rc;
    else if (rc != 0 && rc != -ESRCH)
        tracing->unknown_sockets++;
}

static int close_socket(void *context, int fd, uint64_t inode)
{
    struct closing *closing = context;
    struct known_connection *connection = tracing_connection(closing->tracing, inode);
    if (connection == NULL || (uint64_t)fd < closing->first || (uint64_t)fd > closing->last)
        return 0;
    if (!closing->has_site)
        closing->site = tracing_site(closing->tracing, closing->tracee);
    closing->has_site = true;
    struct traced_note note = note_of(closing->call, closing->tracee, closing->site);
    tracing_note(closing->tracing, connection, &note);
    return 0;
}

static void close_all(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call,
                      uint64_t first, uint64_t last)
{
    struct closing closing = {
        .tracing = tracing, .tracee = tracee, .call = call, .first = first, .last = last};
    take_error(tracing, process_each_socket(tracee->tid, close_socket, &closing));
}

static void note_close(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    const uint64_t *arguments = tracee->arguments;
    if (call->fd_at >= 0)
        note_descriptor(tracing, tracee, call);
    else if (((unsigned)arguments[2] & CLOSE_RANGE_CLOEXEC) == 0)
        close_all(tracing, tracee, call, (unsigned)arguments[0], (unsigned)arguments[1]);
}

/* Calls of the other threads end here, whatever the order in which those threads do. */
static void note_exit(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    tracing_end_calls(tracing, tracee->process);
    close_all(tracing, tracee, call, 0, UINT64_MAX);
}

/* ---- another program ---- */

static int remember_socket(void *context, int fd, uint64_t inode)
{
    struct closing *closing = context;
    struct execution *execution = &closing->tracee->execution;
    (void)fd;
    if (tracing_connection(closing->tracing, inode) == NULL)
        return 0;
    if (ARRAY_RESERVE(execution->inodes, execution->room, execution->count + 1) != 0)
        return -ENOMEM;
    execution->inodes[execution->count++] = inode;
    return 0;
}

/* Which descriptors it closes is seen when it is done: it may fail. */
static void begin_execution(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    struct closing closing = {.tracing = tracing, .tracee = tracee, .call = call};
    tracee->execution.call = call;
    tracee->execution.count = 0;
    take_error(tracing, process_each_socket(tracee->tid, remember_socket, &closing));
    tracee->execution.site = tracee->execution.count > 0 ? tracing_site(tracing, tracee) : NULL;
}

static int keep_socket(void *context, int fd, uint64_t inode)
{
    (void)fd;
    return number_set_add(context, inode) < 0 ? -ENOMEM : 0;
}

void call_stop_executed(struct tracing *tracing, struct traced_process *process,
                        const struct execution *began)
{
    struct number_set told = {0}; /* those that it has still, and those that were noted */
    int rc = began->count > 0 ? process_each_socket(process->pid, keep_socket, &told) : 0;
    for (size_t i = 0; rc == 0 && i < began->count; i++) {
        struct known_connection *connection = tracing_connection(tracing, began->inodes[i]);
        int is_new = number_set_add(&told, began->inodes[i]);
        rc = is_new < 0 ? -ENOMEM : 0;
        if (is_new <= 0 || connection == NULL)
            continue;
        const struct traced_note note = {.call = began->call, .pid = process->pid, .site = began->site};
        tracing_note(tracing, connection, &note);
    }
    number_set_free(&told);
    take_error(tracing, rc);
}

/* ---- what is of no connection ---- */

/* Binaries are read now, not while the first clients wait. */
static void prepare_for_stacks(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    (void)call;
    tracing_site(tracing, tracee);
}

static void note_attach(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call)
{
    (void)call;
    tracing->attaches += !tracee->process->has_attached;
    tracee->process->has_attached = true;
}

static void note_ring(struct tracing *tracing, struct traced_process *process)
{
    tracing->rings += !process->has_ring;
    process->has_ring = true;
}

/* ---- a stop ---- */

typedef void on_entry(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call);

static on_entry *const entries[TRACED_ACT_COUNT] = {
    [TRACED_ACCEPT] = await_end,
    [TRACED_CONNECT] = note_descriptor,
    [TRACED_READ] = note_descriptor,
    [TRACED_WRITE] = note_descriptor,
    [TRACED_SHUTDOWN] = note_descriptor,
    [TRACED_CLOSE] = note_close,
    [TRACED_DUPLICATE] = note_descriptor,
    [TRACED_WATCH] = note_descriptor,
    [TRACED_EXEC] = begin_execution,
    [TRACED_EXIT] = note_exit,
    [TRACED_RING] = await_end,
    [TRACED_ATTACH] = note_attach,
    [TRACED_LISTEN] = prepare_for_stacks,
};

bool call_stop_entry(struct tracing *tracing, struct tracee *tracee)
{
    struct call_info info;
    tracee->call = NULL;
    tracee->pending_count = 0;
    tracee->execution.call = NULL;
    const struct traced_call *call = read_call(tracee->tid, &info) && info.op == INFO_SECCOMP
                                         ? traced_call_of((long)info.entry.number)
                                         : NULL;
    if (call == NULL)
        return false;
    tracing->calls++;
    memcpy(tracee->arguments, info.entry.arguments, sizeof tracee->arguments);
    entries[call->act](tracing, tracee, call);
    return tracee->call != NULL;
}

/* The kernel makes the call once more, or the program does: to both it is as if nothing had been. Their
 * numbers, ERESTARTSYS to ERESTART_RESTARTBLOCK, are in include/linux/errno.h of the kernel only. */
static bool comes_again(const struct call_info *info)
{
    return info->exit.is_error && info->exit.result <= -512 && info->exit.result >= -516;
}

static void take_result(struct traced_note *note, const struct call_info *info)
{
    int64_t result = info->exit.result;
    note->result = info->exit.is_error ? RESULT_ERROR : result == 0 ? RESULT_ZERO : RESULT_SOME;
    note->error = info->exit.is_error ? (int)-result : 0;
}

static void note_accepted(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call,
                          int fd)
{
    struct known_connection *connection = tracing_socket(tracing, tracee, fd, TRACED_ACCEPT);
    if (connection == NULL)
        return;
    struct traced_note note = note_of(call, tracee, tracing_site(tracing, tracee));
    note.result = RESULT_SOME;
    tracing_note(tracing, connection, &note);
}

static void end_call(struct tracing *tracing, struct tracee *tracee, const struct traced_call *call,
                     const struct call_info *info)
{
    for (int i = 0; i < tracee->pending_count; i++) {
        struct pending_note *pending = &tracee->pending[i];
        take_result(&pending->note, info);
        if (call->act == TRACED_CONNECT)
            tracing_addresses(tracing, tracee, (int)tracee->arguments[call->fd_at], pending->connection);
        tracing_note(tracing, pending->connection, &pending->note);
    }
    if (info->exit.is_error)
        return;
    if (call->act == TRACED_ACCEPT)
        note_accepted(tracing, tracee, call, (int)info->exit.result);
    else if (call->act == TRACED_RING)
        note_ring(tracing, tracee->process);
    else if (call->number == SYS_recvmsg && tracee->pending_count == 0)
        note_passed(tracing, tracee, call);
}

void call_stop_exit(struct tracing *tracing, struct tracee *tracee)
{
    struct call_info info;
    const struct traced_call *call = tracee->call;
    tracee->call = NULL;
    if (read_call(tracee->tid, &info) && info.op == INFO_EXIT && call != NULL && !comes_again(&info))
        end_call(tracing, tracee, call, &info);
    tracee->pending_count = 0;
}
