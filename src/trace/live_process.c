#include "trace/live_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DESCRIPTORS = 1 << 24, ROOM_AT_FIRST = 64 };

struct live_process *live_process_find(const struct live_processes *processes, pid_t pid)
{
    struct live_process *each = processes->first;
    while (each != NULL && each->pid != pid)
        each = each->next;
    return each;
}

static int make_room(struct live_process *process, size_t wanted)
{
    size_t room = process->room > 0 ? process->room : ROOM_AT_FIRST;
    while (room < wanted)
        room *= 2;
    if (room == process->room)
        return 0;
    struct live_connection **more = realloc(process->connections, room * sizeof(struct live_connection *));
    if (more == NULL)
        return -ENOMEM;
    memset(more + process->room, 0, (room - process->room) * sizeof(struct live_connection *));
    process->connections = more;
    process->room = room;
    return 0;
}

struct live_process *live_process_add(struct live_processes *processes, pid_t pid,
                                      const struct live_process *parent)
{
    struct live_process *process = calloc(1, sizeof *process);
    if (process == NULL)
        return NULL;
    process->pid = pid;
    if (parent != NULL && parent->room > 0 && make_room(process, parent->room) < 0) {
        free(process);
        return NULL;
    }
    for (size_t fd = 0; parent != NULL && fd < parent->room; fd++)
        live_descriptor_set(process, (int64_t)fd, parent->connections[fd]);
    process->next = processes->first;
    processes->first = process;
    return process;
}

static void free_process(struct live_process *process)
{
    for (size_t fd = 0; fd < process->room; fd++)
        live_descriptor_set(process, (int64_t)fd, NULL);
    free(process->connections);
    free(process);
}

/* Threads of the process, or of all: NULL. */
static void remove_threads(struct live_processes *processes, const struct live_process *process)
{
    for (int i = 0; i < THREAD_BUCKETS; i++)
        for (struct live_thread **at = &processes->threads[i], *thread; (thread = *at) != NULL;) {
            if (process != NULL && thread->process != process) {
                at = &thread->next;
                continue;
            }
            *at = thread->next;
            free(thread);
        }
}

void live_process_remove(struct live_processes *processes, struct live_process *process)
{
    struct live_process **at = &processes->first;
    remove_threads(processes, process);
    while (*at != NULL && *at != process)
        at = &(*at)->next;
    if (*at != NULL)
        *at = process->next;
    free_process(process);
}

/* ---- threads ---- */

static struct live_thread **bucket_of(struct live_processes *processes, pid_t tid)
{
    return &processes->threads[(unsigned)tid % THREAD_BUCKETS];
}

struct live_thread *live_thread_find(const struct live_processes *processes, pid_t tid)
{
    struct live_thread *each = processes->threads[(unsigned)tid % THREAD_BUCKETS];
    while (each != NULL && each->tid != tid)
        each = each->next;
    return each;
}

struct live_thread *live_thread_of(struct live_processes *processes, struct live_process *process, pid_t tid)
{
    struct live_thread *thread = live_thread_find(processes, tid);
    if (thread != NULL && thread->process == process)
        return thread;
    if (thread != NULL)
        live_thread_remove(processes, tid);
    thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    struct live_thread **bucket = bucket_of(processes, tid);
    *thread = (struct live_thread){.tid = tid, .process = process, .next = *bucket};
    *bucket = thread;
    return thread;
}

void live_thread_remove(struct live_processes *processes, pid_t tid)
{
    struct live_thread **at = bucket_of(processes, tid);
    while (*at != NULL && (*at)->tid != tid)
        at = &(*at)->next;
    struct live_thread *thread = *at;
    if (thread == NULL)
        return;
    *at = thread->next;
    free(thread);
}

/* ---- descriptors ---- */

struct live_connection *live_descriptor(const struct live_process *process, int64_t fd)
{
    return fd >= 0 && (uint64_t)fd < process->room ? process->connections[fd] : NULL;
}

int live_descriptor_set(struct live_process *process, int64_t fd, struct live_connection *connection)
{
    struct live_connection *before = live_descriptor(process, fd);
    if (before == connection || fd < 0 || fd >= MOST_DESCRIPTORS)
        return 0;
    if (connection != NULL && make_room(process, (size_t)fd + 1) < 0)
        return -ENOMEM;
    if (before != NULL)
        before->descriptors--;
    if (connection != NULL)
        connection->descriptors++;
    process->connections[fd] = connection;
    return 0;
}

void live_processes_clear(struct live_processes *processes)
{
    remove_threads(processes, NULL);
    while (processes->first != NULL) {
        struct live_process *next = processes->first->next;
        free_process(processes->first);
        processes->first = next;
    }
}
