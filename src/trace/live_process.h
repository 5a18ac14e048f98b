/* live_process: the processes of a live program, and which of their descriptors are connections: kept up to
 * date by the calls on them, as by the time that a call is heard of the descriptor may be another's. */
#ifndef TRACE_LIVE_PROCESS_H
#define TRACE_LIVE_PROCESS_H

#include "base/number_set.h"
#include "trace/call_events.h"
#include "trace/call_history.h"

#include <stdbool.h>
#include <stddef.h>

/* One that was accepted while the program was followed. */
struct live_connection {
    struct known_connection *known; /* by a number of our own */
    uint64_t inode;                 /* 0: it was not to be read in time */
    int64_t noted_ns;               /* when the last call on it was */
    int descriptors;                /* that are open, in all processes */
};

struct live_process {
    pid_t pid;
    struct live_connection **connections; /* by descriptor; NULL: it is none */
    size_t room;
    bool has_ring, is_foreign;
    const struct site *forked_at;
    uint64_t forked; /* call_history_moment(); 0: it was there */
    struct live_process *next;
};

/* A thread, and the call that it is in. */
struct live_thread {
    pid_t tid;
    struct live_process *process;
    const struct traced_call *call; /* NULL: none that is waited for */
    const struct site *site;
    uint64_t arguments[CALL_EVENT_ARGUMENTS];
    struct live_connection *reads, *writes; /* what the call is on: its first row, and its second */
    struct live_thread *next;
};

enum { THREAD_BUCKETS = 1024 };

/* Zero-initialised: none. */
struct live_processes {
    struct live_process *first;
    struct live_thread *threads[THREAD_BUCKETS];
};

/* NULL: not known so far. */
struct live_process *live_process_find(const struct live_processes *processes, pid_t pid);

/* One that is not known so far, with what its parent has; NULL: none. NULL: out of memory. */
struct live_process *live_process_add(struct live_processes *processes, pid_t pid,
                                      const struct live_process *parent);

/* It has ended, or is not looked at any more: its descriptors are closed, its threads gone. */
void live_process_remove(struct live_processes *processes, struct live_process *process);

/* The thread, known from now on. NULL: out of memory. */
struct live_thread *live_thread_of(struct live_processes *processes, struct live_process *process, pid_t tid);
struct live_thread *live_thread_find(const struct live_processes *processes, pid_t tid);
void live_thread_remove(struct live_processes *processes, pid_t tid);

/* What a descriptor is; NULL: no connection that is followed. */
struct live_connection *live_descriptor(const struct live_process *process, int64_t fd);

/* It is that from now on; NULL: closed. Returns 0 or -ENOMEM. */
int live_descriptor_set(struct live_process *process, int64_t fd, struct live_connection *connection);

void live_processes_clear(struct live_processes *processes);

#endif
