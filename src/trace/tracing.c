#include "trace/tracing.h"

#include "kernel/borrowed_socket.h"
#include "kernel/descriptors.h"
#include "kernel/process.h"
#include "trace/listed_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PIDFD_OF_THREAD = O_EXCL }; /* PIDFD_THREAD, which headers do not have yet */

const struct site *tracing_site(struct tracing *tracing, const struct tracee *tracee)
{
    struct thread_registers registers;
    if (thread_registers_of_stopped(tracee->tid, &registers) != 0)
        return NULL;
    return code_site(tracing->code, tracee->process->face, tracee->tid, &registers);
}

struct known_connection *tracing_connection(const struct tracing *tracing, uint64_t inode)
{
    return call_history_find(&tracing->history, inode);
}

void tracing_note(struct tracing *tracing, struct known_connection *connection,
                  const struct traced_note *note)
{
    if (call_history_note(connection, note) != 0)
        tracing->error = -ENOMEM;
}

void tracing_turn(struct tracing *tracing, struct traced_process *process, pid_t face)
{
    code_forget(tracing->code, process->face);
    process->face = face;
}

void tracing_save_face(struct tracing *tracing, const struct tracee *tracee)
{
    struct process_stat stat;
    struct traced_process *process = tracee->process;
    bool has_ended = tracee->tid != process->face &&
                     (process_stat_of(process->face, &stat) != 0 || process_has_ended(&stat));
    if (has_ended)
        tracing_turn(tracing, process, tracee->tid);
}

/* ---- a descriptor ---- */

/* Returns 1, 0 when it is no socket, or a negative errno. */
static int inode_of(pid_t tid, int fd, uint64_t *inode)
{
    char path[48], target[48];
    struct descriptor descriptor = {.fd = fd};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)tid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return errno == ENOENT || errno == ESRCH ? 0 : -errno;
    target[length] = '\0';
    descriptor_parse(target, &descriptor);
    *inode = descriptor.inode;
    return descriptor.kind == DESCRIPTOR_SOCKET && descriptor.inode != 0;
}

/* Through the thread itself, where its process's first thread has ended: that one has no descriptors any
 * more. (Since Linux 6.9; EINVAL before.) */
static int look_through_thread(pid_t tid, int fd, uint64_t inode, struct borrowed_socket *socket)
{
    int handle = (int)syscall(SYS_pidfd_open, tid, PIDFD_OF_THREAD);
    if (handle < 0)
        return -errno;
    int rc = borrowed_socket_read(handle, fd, inode, socket);
    close(handle);
    return rc;
}

/* Returns 0 or a negative errno, as borrowed_socket_read(). */
static int look_at(struct tracing *tracing, const struct tracee *tracee, int fd, uint64_t inode,
                   struct borrowed_socket *socket)
{
    struct traced_process *process = tracee->process;
    if (process->handle < 0)
        process->handle = borrowed_socket_process(process->pid);
    int rc = process->handle < 0 ? process->handle : borrowed_socket_read(process->handle, fd, inode, socket);
    if ((rc == -ESRCH || rc == -EBADF) && tracee->tid != process->pid) {
        tracing_save_face(tracing, tracee);
        rc = look_through_thread(tracee->tid, fd, inode, socket);
    }
    bool is_forbidden = rc == -EACCES || rc == -EPERM || rc == -ENOSYS || rc == -EINVAL;
    return is_forbidden ? listed_socket_read(tracee->tid, fd, inode, socket) : rc;
}

static void take_addresses(struct traced_connection *connection, const struct borrowed_socket *socket)
{
    connection->local = address_unmapped(&socket->local);
    connection->peer = address_unmapped(&socket->peer);
    connection->local_port = socket->local_port;
    connection->peer_port = socket->peer_port;
}

static struct known_connection *add(struct tracing *tracing, uint64_t inode)
{
    struct known_connection *connection = call_history_add(&tracing->history, inode);
    if (connection == NULL)
        tracing->error = -ENOMEM;
    return connection;
}

/* A socket that was not seen so far: it is a connection from its accept() or its connect() on, or when it has
 * come from elsewhere, and is connected. */
static struct known_connection *meet(struct tracing *tracing, struct tracee *tracee, int fd, uint64_t inode,
                                     enum traced_act act)
{
    struct borrowed_socket socket;
    int rc = look_at(tracing, tracee, fd, inode, &socket);
    if (rc == -EOPNOTSUPP || (rc == 0 && socket.state == STATE_LISTEN)) {
        if (number_set_add(&tracing->history.others, inode) < 0)
            tracing->error = -ENOMEM;
        return NULL;
    }
    if (rc == -EBADF || rc == -ESRCH)
        return NULL; /* it is closed by now */
    if (rc != 0) {
        tracing->unknown_sockets++;
        return NULL;
    }
    if (socket.peer_port == 0 && act != TRACED_ACCEPT && act != TRACED_CONNECT)
        return NULL;
    struct known_connection *connection = add(tracing, inode);
    if (connection == NULL)
        return NULL;
    connection->is.is_outgoing = act == TRACED_CONNECT;
    tracing->unknown_sockets += act == TRACED_ACCEPT && socket.peer_port == 0; /* whose it is is not known */
    take_addresses(&connection->is, &socket);
    return connection;
}

struct known_connection *tracing_socket(struct tracing *tracing, struct tracee *tracee, int fd,
                                        enum traced_act act)
{
    uint64_t inode = 0;
    int rc = fd >= 0 ? inode_of(tracee->tid, fd, &inode) : 0;
    if (rc < 0)
        tracing->unknown_sockets++;
    if (rc <= 0)
        return NULL;
    struct known_connection *connection = call_history_find(&tracing->history, inode);
    if (connection != NULL || number_set_has(&tracing->history.others, inode))
        return connection;
    return meet(tracing, tracee, fd, inode, act);
}

void tracing_addresses(struct tracing *tracing, struct tracee *tracee, int fd,
                       struct known_connection *connection)
{
    struct borrowed_socket socket;
    if (look_at(tracing, tracee, fd, connection->is.inode, &socket) == 0)
        take_addresses(&connection->is, &socket);
    else if (connection->is.peer_port == 0)
        tracing->unknown_sockets++;
}

/* ---- a thread's end ---- */

struct ending {
    struct tracing *tracing;
    const struct traced_process *process;
};

static int end_call(void *context, struct tracee *tracee)
{
    const struct ending *ending = context;
    if (tracee->process != ending->process)
        return 0;
    for (int i = 0; i < tracee->pending_count; i++)
        tracing_note(ending->tracing, tracee->pending[i].connection, &tracee->pending[i].note);
    tracee->pending_count = 0;
    return 0;
}

void tracing_end_calls(struct tracing *tracing, const struct traced_process *process)
{
    struct ending ending = {tracing, process};
    tracees_each(&tracing->tracees, end_call, &ending);
}

static void forget_process(void *context, struct traced_process *process)
{
    struct tracing *tracing = context;
    code_forget(tracing->code, process->face);
}

void tracing_forget(struct tracing *tracing, struct tracee *tracee)
{
    struct ending ending = {tracing, tracee->process};
    end_call(&ending, tracee);
    tracee_remove(&tracing->tracees, tracee, forget_process, tracing);
}
