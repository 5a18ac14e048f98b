#include "trace/tracee.h"

#include <stdlib.h>
#include <unistd.h>

static size_t bucket_of(pid_t number)
{
    return (size_t)number % TRACEE_BUCKETS;
}

struct tracee *tracee_find(const struct tracees *tracees, pid_t tid)
{
    struct tracee *each = tracees->threads[bucket_of(tid)];
    while (each != NULL && each->tid != tid)
        each = each->next;
    return each;
}

struct traced_process *traced_process_find(const struct tracees *tracees, pid_t pid)
{
    struct traced_process *each = tracees->processes[bucket_of(pid)];
    while (each != NULL && each->pid != pid)
        each = each->next;
    return each;
}

static struct traced_process *process_of(struct tracees *tracees, pid_t pid)
{
    struct traced_process *process = traced_process_find(tracees, pid);
    if (process != NULL)
        return process;
    process = calloc(1, sizeof *process);
    if (process == NULL)
        return NULL;
    process->pid = process->face = pid;
    process->handle = -1;
    process->next = tracees->processes[bucket_of(pid)];
    tracees->processes[bucket_of(pid)] = process;
    return process;
}

static void remove_process(struct tracees *tracees, struct traced_process *process)
{
    struct traced_process **link = &tracees->processes[bucket_of(process->pid)];
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    if (process->handle >= 0)
        close(process->handle);
    free(process);
}

struct tracee *tracee_of(struct tracees *tracees, pid_t tid, pid_t pid)
{
    struct tracee *tracee = tracee_find(tracees, tid);
    if (tracee != NULL)
        return tracee;
    struct traced_process *process = process_of(tracees, pid);
    tracee = process != NULL ? calloc(1, sizeof *tracee) : NULL;
    if (tracee == NULL) {
        if (process != NULL && process->threads == 0)
            remove_process(tracees, process);
        return NULL;
    }
    tracee->tid = tid;
    tracee->process = process;
    tracee->next = tracees->threads[bucket_of(tid)];
    tracees->threads[bucket_of(tid)] = tracee;
    process->threads++;
    return tracee;
}

void tracee_remove(struct tracees *tracees, struct tracee *tracee, on_last_thread *on_last, void *context)
{
    struct traced_process *process = tracee->process;
    struct tracee **link = &tracees->threads[bucket_of(tracee->tid)];
    while (*link != tracee)
        link = &(*link)->next;
    *link = tracee->next;
    free(tracee->execution.inodes);
    free(tracee);
    if (--process->threads > 0)
        return;
    on_last(context, process);
    remove_process(tracees, process);
}

int tracees_each_process(const struct tracees *tracees,
                         int (*each)(void *context, const struct traced_process *process), void *context)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TRACEE_BUCKETS; i++)
        for (const struct traced_process *process = tracees->processes[i]; rc == 0 && process != NULL;
             process = process->next)
            rc = each(context, process);
    return rc;
}

int tracees_each(const struct tracees *tracees, int (*each)(void *context, struct tracee *tracee),
                 void *context)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TRACEE_BUCKETS; i++)
        for (struct tracee *tracee = tracees->threads[i], *next; rc == 0 && tracee != NULL; tracee = next) {
            next = tracee->next; /* `each` may remove it */
            rc = each(context, tracee);
        }
    return rc;
}
