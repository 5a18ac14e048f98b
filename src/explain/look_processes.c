#include "explain/look.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/process.h"
#include "kernel/ring_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- descriptors of one process ---- */

/* What a process holds, until it is known whether that is wanted. */
struct reading {
    struct descriptor *descriptors;
    size_t count, room;
    uint64_t *ring_sockets;
    size_t ring_count, ring_room;
    bool has_ring;
    int ring_refusal; /* errno */
};

static int note_descriptor(void *context, const struct descriptor *descriptor)
{
    struct reading *reading = context;
    int rc = ARRAY_RESERVE(reading->descriptors, reading->room, reading->count + 1);
    if (rc == 0)
        reading->descriptors[reading->count++] = *descriptor;
    return rc;
}

static int note_ring_socket(void *context, uint64_t inode)
{
    struct reading *reading = context;
    int rc = ARRAY_RESERVE(reading->ring_sockets, reading->ring_room, reading->ring_count + 1);
    if (rc == 0)
        reading->ring_sockets[reading->ring_count++] = inode;
    return rc;
}

static bool is_ring(pid_t pid, int fd)
{
    char path[64], target[32];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return strcmp(target, "anon_inode:[io_uring]") == 0;
}

static int read_rings(pid_t pid, struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        const struct descriptor *descriptor = &reading->descriptors[i];
        if (descriptor->kind != DESCRIPTOR_KERNEL_OBJECT || !is_ring(pid, descriptor->fd))
            continue;
        reading->has_ring = true;
        int rc = ring_files_read(pid, descriptor->fd, note_ring_socket, reading);
        if (rc == -ENOMEM)
            return rc;
        reading->ring_refusal = rc < 0 && rc != -ESRCH ? -rc : reading->ring_refusal;
    }
    return 0;
}

static int by_fd(const void *a, const void *b)
{
    const struct descriptor *one = a, *other = b;
    return (one->fd > other->fd) - (one->fd < other->fd);
}

static int read_process(pid_t pid, struct reading *reading)
{
    reading->count = reading->ring_count = 0;
    reading->has_ring = false;
    reading->ring_refusal = 0;
    int rc = descriptors_each(pid, note_descriptor, reading);
    if (rc == 0 && reading->count > 0)
        qsort(reading->descriptors, reading->count, sizeof *reading->descriptors, by_fd);
    return rc == 0 ? read_rings(pid, reading) : rc;
}

static bool reads_any(const struct reading *reading, const struct number_set *inodes)
{
    for (size_t i = 0; i < reading->count; i++)
        if (reading->descriptors[i].kind == DESCRIPTOR_SOCKET &&
            number_set_has(inodes, reading->descriptors[i].inode))
            return true;
    for (size_t i = 0; i < reading->ring_count; i++)
        if (number_set_has(inodes, reading->ring_sockets[i]))
            return true;
    return false;
}

static int add_sockets(const struct reading *reading, struct number_set *inodes)
{
    int rc = 0;
    for (size_t i = 0; i < reading->count && rc >= 0; i++)
        if (reading->descriptors[i].kind == DESCRIPTOR_SOCKET && reading->descriptors[i].inode != 0)
            rc = number_set_add(inodes, reading->descriptors[i].inode);
    for (size_t i = 0; i < reading->ring_count && rc >= 0; i++)
        rc = number_set_add(inodes, reading->ring_sockets[i]);
    return rc < 0 ? rc : 0;
}

static void free_reading(struct reading *reading)
{
    free(reading->descriptors);
    free(reading->ring_sockets);
}

/* ---- listeners ---- */

struct listener_search {
    struct look *look;
    const struct number_set *held; /* NULL: those on the port */
    uint16_t port;
};

static bool is_among_listeners(const struct look *look, uint64_t cookie)
{
    for (size_t i = 0; i < look->listener_count; i++)
        if (look->listeners[i].cookie == cookie)
            return true;
    return false;
}

/* Its connections cannot be told from those of one that is there: SO_REUSEPORT. */
static bool shares_endpoint(const struct look *look, const struct socket_entry *entry)
{
    for (size_t i = 0; i < look->listener_count; i++)
        if (look->listeners[i].entry.local_port == entry->local_port &&
            address_equal(&look->listeners[i].entry.local, &entry->local))
            return true;
    return false;
}

static int take_listener(void *context, const struct socket_life *socket)
{
    struct listener_search *search = context;
    struct look *look = search->look;
    bool is_wanted = search->held != NULL ? number_set_has(search->held, socket->entry.inode)
                     : search->port != 0  ? socket->entry.local_port == search->port
                                          : shares_endpoint(look, &socket->entry);
    if (!is_wanted || is_among_listeners(look, socket->cookie))
        return 0;
    int rc = ARRAY_RESERVE(look->listeners, look->listener_room, look->listener_count + 1);
    if (rc == 0)
        look->listeners[look->listener_count++] = *socket;
    return rc;
}

static int search_listeners(struct listener_search *search)
{
    int rc = sock_diag_each_life(AF_INET, STATE_SET(STATE_LISTEN), NULL, take_listener, search);
    if (rc == 0)
        rc = sock_diag_each_life(AF_INET6, STATE_SET(STATE_LISTEN), NULL, take_listener, search);
    return rc;
}

static int by_port(const void *a, const void *b)
{
    const struct socket_life *one = a, *other = b;
    if (one->entry.local_port != other->entry.local_port)
        return one->entry.local_port - other->entry.local_port;
    return (one->cookie > other->cookie) - (one->cookie < other->cookie);
}

/* Those held, or on the port, and then those that share an endpoint with them. */
static int find_listeners(struct look *look, const struct number_set *held, uint16_t port)
{
    struct listener_search search = {.look = look, .held = held, .port = port};
    int rc = search_listeners(&search);
    search.held = NULL;
    search.port = 0;
    if (rc == 0)
        rc = search_listeners(&search);
    if (look->listener_count > 0)
        qsort(look->listeners, look->listener_count, sizeof *look->listeners, by_port);
    return rc;
}

static int add_listener_inodes(const struct look *look, struct number_set *inodes)
{
    int rc = 0;
    for (size_t i = 0; i < look->listener_count && rc >= 0; i++)
        if (look->listeners[i].entry.inode != 0)
            rc = number_set_add(inodes, look->listeners[i].entry.inode);
    return rc < 0 ? rc : 0;
}

/* ---- all processes ---- */

int look_each_pid(struct look *look, on_pid *each, void *context)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && (pid != getpid() || pid == look->request->pid))
            rc = each(look, pid, context);
        if (rc == 0 && look_is_stopped(look))
            rc = -EINTR;
    }
    if (rc == 0 && errno != 0)
        rc = -errno;
    closedir(proc);
    return rc;
}

/* The kernel's own threads hold no sockets that a process could have. */
static bool is_kernel_thread(pid_t pid)
{
    enum { KTHREADD = 2 };
    struct process_stat stat;
    return process_stat_of(pid, &stat) == 0 && (stat.parent == KTHREADD || pid == KTHREADD);
}

/* Returns NULL without memory. */
static struct look_process *add_process(struct look *look, pid_t pid)
{
    if (ARRAY_RESERVE(look->processes, look->process_room, look->process_count + 1) != 0)
        return NULL;
    struct look_process *process = &look->processes[look->process_count++];
    *process = (struct look_process){.pid = pid};
    return process;
}

/* ---- who holds what ---- */

/* All processes that may be looked into are kept, until it is known who of them matters. */
static int read_any_process(struct look *look, pid_t pid, void *context)
{
    struct reading *reading = context;
    bool is_asked = pid == look->request->pid;
    int rc = read_process(pid, reading);
    if (rc == -EACCES && !is_asked) {
        look->facts->refused += !is_kernel_thread(pid);
        return 0;
    }
    if (rc == -ESRCH || (rc == 0 && !is_asked && reading->count == 0))
        return 0;
    if (rc != 0 && rc != -EACCES)
        return rc;
    struct look_process *process = add_process(look, pid);
    if (process == NULL)
        return -ENOMEM;
    process->is_asked = is_asked;
    process->unseen[UNSEEN_DESCRIPTORS] = rc == -EACCES ? EACCES : 0;
    process->unseen[UNSEEN_RINGS] = reading->ring_refusal;
    process->is_seen = rc == 0;
    process->read_us = monotonic_us();
    process->has_ring = reading->has_ring;
    process->descriptors = reading->descriptors;
    process->descriptor_count = reading->count;
    process->ring_sockets = reading->ring_sockets;
    process->ring_count = reading->ring_count;
    *reading = (struct reading){0};
    return 0;
}

static void free_process(struct look_process *process)
{
    free(process->descriptors);
    free(process->ring_sockets);
}

static struct reading reading_of(const struct look_process *process)
{
    return (struct reading){
        .descriptors = process->descriptors,
        .count = process->descriptor_count,
        .ring_sockets = process->ring_sockets,
        .ring_count = process->ring_count,
    };
}

/* ---- who was asked about ---- */

static int check_pid(pid_t pid)
{
    struct process_facts facts;
    int rc = process_facts_of(pid, &facts);
    if (rc == 0)
        rc = process_shares_network(pid);
    return rc == -EACCES ? 0 : rc;
}

/* The listeners of the process that was asked about. */
static int find_listeners_of_process(struct look *look)
{
    struct number_set held = {0};
    bool is_there = false;
    int rc = 0;
    for (size_t i = 0; i < look->process_count && rc == 0; i++) {
        struct reading reading = reading_of(&look->processes[i]);
        if (look->processes[i].is_asked) {
            is_there = true;
            rc = add_sockets(&reading, &held);
        }
    }
    if (rc == 0 && !is_there)
        rc = -ESRCH; /* it ended meanwhile */
    if (rc == 0 && held.count > 0)
        rc = find_listeners(look, &held, 0);
    number_set_free(&held);
    return rc;
}

static int find_listeners_on_port(struct look *look)
{
    int rc = find_listeners(look, NULL, look->request->port);
    return rc == 0 && look->listener_count == 0 ? -ESRCH : rc;
}

/* Marks those with a listener, and collects what they and those asked about hold. */
static int mark_siblings(struct look *look)
{
    struct number_set listeners = {0};
    int rc = add_listener_inodes(look, &listeners);
    for (size_t i = 0; i < look->process_count && rc == 0; i++) {
        struct look_process *process = &look->processes[i];
        struct reading reading = reading_of(process);
        bool has_listener = reads_any(&reading, &listeners);
        process->is_asked = process->is_asked || (look->request->pid == 0 && has_listener);
        process->is_sibling = has_listener && !process->is_asked;
        if (process->is_asked || process->is_sibling)
            rc = add_sockets(&reading, &look->own);
    }
    number_set_free(&listeners);
    return rc;
}

/* Lets those go that hold nothing of it all. */
static int keep_heirs(struct look *look)
{
    struct number_set wanted = {0};
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < look->earlier_count && rc >= 0; i++)
        if (look->earlier[i].inode != 0 && (look_is_of_listener(look, &look->earlier[i]) ||
                                            number_set_has(&look->own, look->earlier[i].inode)))
            rc = number_set_add(&wanted, look->earlier[i].inode);
    for (size_t i = 0; i < look->process_count; i++) {
        struct look_process *process = &look->processes[i];
        struct reading reading = reading_of(process);
        if (process->is_asked || process->is_sibling || (rc >= 0 && reads_any(&reading, &wanted)))
            look->processes[kept++] = *process;
        else
            free_process(process);
    }
    look->process_count = kept;
    number_set_free(&wanted);
    return rc < 0 ? rc : 0;
}

static int rank(const struct look_process *process)
{
    return process->is_asked ? 0 : process->is_sibling ? 1 : 2;
}

static int by_rank(const void *a, const void *b)
{
    const struct look_process *one = a, *other = b;
    if (rank(one) != rank(other))
        return rank(one) - rank(other);
    return (one->pid > other->pid) - (one->pid < other->pid);
}

/* ---- holdings ---- */

static int hold(struct look *look, int process, uint64_t inode, int fd)
{
    int rc = ARRAY_RESERVE(look->holdings, look->holding_room, look->holding_count + 1);
    if (rc == 0)
        look->holdings[look->holding_count++] = (struct holding){inode, process, fd};
    return rc;
}

static int hold_all(struct look *look, int index)
{
    const struct look_process *process = &look->processes[index];
    int rc = 0;
    for (size_t i = 0; i < process->descriptor_count && rc == 0; i++)
        if (process->descriptors[i].kind == DESCRIPTOR_SOCKET && process->descriptors[i].inode != 0)
            rc = hold(look, index, process->descriptors[i].inode, process->descriptors[i].fd);
    for (size_t i = 0; i < process->ring_count && rc == 0; i++)
        rc = hold(look, index, process->ring_sockets[i], -1);
    return rc;
}

static int by_inode_and_process(const void *a, const void *b)
{
    const struct holding *one = a, *other = b;
    if (one->inode != other->inode)
        return one->inode > other->inode ? 1 : -1;
    if (one->process != other->process)
        return one->process - other->process;
    unsigned fd = (unsigned)one->fd, other_fd = (unsigned)other->fd; /* -1, a ring's, comes last */
    return (fd > other_fd) - (fd < other_fd);
}

int look_holders(struct look *look)
{
    struct reading reading = {0};
    bool is_by_pid = look->request->pid != 0;
    int rc = is_by_pid ? check_pid(look->request->pid) : find_listeners_on_port(look);
    if (rc == 0)
        rc = look_each_pid(look, read_any_process, &reading);
    free_reading(&reading);
    if (rc == 0 && is_by_pid)
        rc = find_listeners_of_process(look);
    if (rc == 0)
        rc = mark_siblings(look);
    if (rc == 0)
        rc = keep_heirs(look);
    if (rc == 0 && look->process_count > 0)
        qsort(look->processes, look->process_count, sizeof *look->processes, by_rank);
    for (size_t i = 0; i < look->process_count && rc == 0; i++)
        rc = hold_all(look, (int)i);
    if (rc == 0 && look->holding_count > 0)
        qsort(look->holdings, look->holding_count, sizeof *look->holdings, by_inode_and_process);
    return rc;
}

size_t look_holdings_of(const struct look *look, uint64_t inode, size_t *first)
{
    size_t low = 0, high = look->holding_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look->holdings[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    size_t end = low;
    while (end < look->holding_count && look->holdings[end].inode == inode)
        end++;
    return inode != 0 ? end - low : 0;
}

bool look_holds(const struct look *look, int process, uint64_t inode)
{
    size_t first, count = look_holdings_of(look, inode, &first);
    for (size_t i = first; i < first + count; i++)
        if (look->holdings[i].process == process)
            return true;
    return false;
}

const struct descriptor *look_descriptor(const struct look *look, int process, int fd)
{
    const struct descriptor wanted = {.fd = fd};
    const struct look_process *of = &look->processes[process];
    if (of->descriptor_count == 0)
        return NULL;
    return bsearch(&wanted, of->descriptors, of->descriptor_count, sizeof *of->descriptors, by_fd);
}

void look_processes_free(struct look *look)
{
    for (size_t i = 0; i < look->process_count; i++)
        free_process(&look->processes[i]);
    free(look->processes);
    free(look->holdings);
}
