/* call_events: the system calls of a live process and of all that comes from it, as the kernel's tracepoints
 * tell of them (raw_syscalls; perf_event_open, man 2), with the registers and the top of the stack of whoever
 * calls. Nothing is stopped; a call takes some microseconds longer.
 *
 *   thread x processor -> event --+
 *   thread x processor -> event --+-> a ring a processor -> call_events_read(), in order of time
 *
 * What comes faster than it is read is lost, and counted. It takes root, or CAP_PERFMON. */
#ifndef TRACE_CALL_EVENTS_H
#define TRACE_CALL_EVENTS_H

#include "code/thread_registers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum call_event_kind {
    CALL_BEGINS,
    CALL_RETURNS,
    THREAD_BEGINS, /* of a process that is there, or the first of a new one */
    THREAD_ENDS,
    PROGRAM_BEGINS, /* the process executes another one since now */
};

enum { CALL_EVENT_ARGUMENTS = 6 };

struct call_event {
    enum call_event_kind kind;
    int64_t time_ns; /* CLOCK_MONOTONIC */
    pid_t pid, tid;
    pid_t parent, parent_tid;                 /* THREAD_BEGINS: who has made it */
    bool is_foreign;                          /* CALL_BEGINS: of another machine (32 bit) */
    long number;                              /* CALL_BEGINS, CALL_RETURNS */
    uint64_t arguments[CALL_EVENT_ARGUMENTS]; /* CALL_BEGINS */
    int64_t result;                           /* CALL_RETURNS */
    struct thread_registers registers;        /* CALL_BEGINS */
    const void *stack;                        /* CALL_BEGINS: from the stack pointer on */
    size_t stack_size;
};

struct call_ring;

/* Zero-initialised: none. */
struct call_events {
    struct call_ring *rings;
    int ring_count;
    size_t ring_size; /* bytes, a power of two */
    int *fds;
    size_t fd_count, fd_room;
    struct followed_thread {
        pid_t pid, tid;
    } * threads; /* that were there when it began, and those that they have made until then */
    size_t thread_count, thread_room;
    struct pending_event *pending;
    size_t pending_room;
    int begins, returns; /* ids of the tracepoints */
    char *filters[2];
    int64_t lost; /* records */
};

/* Follows the threads of these processes, and those to come from them, at the calls of these numbers; those
 * of `returning` also when they return. Returns 0, or a negative errno: EACCES, this user may not; ENOENT,
 * the kernel has no such tracepoints; EMFILE; ENOMEM; ESRCH, there is no such process; ENOTSUP, not on this
 * machine. */
int call_events_open(struct call_events *events, const pid_t *pids, int pid_count, const long *numbers,
                     int count, const long *returning, int returning_count);

typedef void on_call_event(void *context, const struct call_event *event);

/* What has happened since, in order, up to some moments ago. Returns how many, or a negative errno: ENOMEM.
 */
int call_events_read(struct call_events *events, on_call_event *each, void *context);

/* Waits until there is something to be read, for so long at most. */
void call_events_wait(const struct call_events *events, int64_t most_ms);

void call_events_close(struct call_events *events);

#endif
