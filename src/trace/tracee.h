/* tracee: a thread that the tracer has, and the process that it is one of. */
#ifndef TRACE_TRACEE_H
#define TRACE_TRACEE_H

#include "trace/call_history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRACEE_BUCKETS = 1024, PENDING_NOTES = 2 };

struct traced_process {
    pid_t pid;
    pid_t face; /* a thread in whose name all of it can be read: the first one, while that is there */
    int threads;
    int handle;                   /* a pidfd; -1: not opened */
    const struct site *forked_at; /* NULL: not known */
    uint64_t forked;              /* the moment; 0: it is the program's first process */
    bool has_ring, has_attached, is_foreign;
    struct traced_process *next;
};

/* A call that the kernel has begun, and not ended. */
struct pending_note {
    struct known_connection *connection;
    struct traced_note note;
};

/* The connections of a process that begins to execute another program. */
struct execution {
    const struct traced_call *call; /* NULL: it does not */
    const struct site *site;
    uint64_t *inodes;
    size_t count, room;
};

struct tracee {
    pid_t tid;
    struct traced_process *process;
    const struct traced_call *call; /* whose end is waited for; NULL: none is */
    uint64_t arguments[6];
    struct pending_note pending[PENDING_NOTES];
    int pending_count;
    struct execution execution;
    struct tracee *next;
};

/* Zero-initialised: none. */
struct tracees {
    struct tracee *threads[TRACEE_BUCKETS];
    struct traced_process *processes[TRACEE_BUCKETS];
};

/* NULL: it is not there. */
struct tracee *tracee_find(const struct tracees *tracees, pid_t tid);
struct traced_process *traced_process_find(const struct tracees *tracees, pid_t pid);

/* The thread, of that process, each made where it is not there yet. NULL: out of memory. */
struct tracee *tracee_of(struct tracees *tracees, pid_t tid, pid_t pid);

/* Called before the last thread of a process goes, and the process with it. */
typedef void on_last_thread(void *context, struct traced_process *process);

void tracee_remove(struct tracees *tracees, struct tracee *tracee, on_last_thread *on_last, void *context);

/* Called for each of them; anything but 0 ends it with that value. */
int tracees_each_process(const struct tracees *tracees,
                         int (*each)(void *context, const struct traced_process *process), void *context);
int tracees_each(const struct tracees *tracees, int (*each)(void *context, struct tracee *tracee),
                 void *context);

#endif
