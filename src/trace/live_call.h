/* live_call: what a call of a live program is to its connections. */
#ifndef TRACE_LIVE_CALL_H
#define TRACE_LIVE_CALL_H

#include "trace/live_process.h"

#include <stddef.h>
#include <stdint.h>

struct live_calls {
    struct code *code;
    struct call_history history;
    struct live_processes processes;
    struct live_connection *
        *connections; /* all, in the order in which they were accepted; by its number from 1 */
    size_t count, room;
    struct number_set listeners, others; /* inodes: of TCP, and of sockets that are none */
    int64_t from_ns;                     /* what was before is not looked at */
    int64_t calls, unplaced;
    int rings, foreign;
    int error; /* a negative errno: not all has been kept */
};

struct call_event;

/* Fits on_call_event; `context` is a struct live_calls. */
void live_call_hear(void *context, const struct call_event *event);

/* A thread that is in accept() already: its beginning is not heard of. */
void live_call_take_waiting(struct live_calls *calls, pid_t pid, pid_t tid);

/* Reads the inodes that were not to be read in time, of connections whose descriptors are open by now. */
void live_call_find_inodes(struct live_calls *calls);

/* The numbers that are to be heard of, and of which of them the result is. `room` is LIVE_CALLS. Returns how
 * many. */
enum { LIVE_CALLS = 64 };
int live_call_numbers(long *numbers);
int live_call_returning(long *numbers);

void live_calls_clear(struct live_calls *calls);

#endif
