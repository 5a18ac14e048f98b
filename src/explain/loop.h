/* loop: does a process's loop turn? It rests where it waits for events; it is stuck where none of its threads
 * does, and one of them has been asleep in something else, or computes. */
#ifndef EXPLAIN_LOOP_H
#define EXPLAIN_LOOP_H

#include "explain/facts.h"

enum loop_state {
    LOOP_UNKNOWN, /* its threads could not be seen, or they merely run at this moment */
    LOOP_RESTS,   /* a thread waits for events, or in accept() */
    LOOP_STUCK,
};

enum {
    LOOP_STUCK_MS = 300, /* asleep for less is no reason to call a thread stuck */
    LOOP_BUSY_PERCENT = 80,
};

/* Waits for events: epoll_wait(), accept(), io_uring_enter(), and poll() and select() unless they wait only
 * for connections that the process opened itself. */
bool thread_rests(const struct fact_thread *thread);

/* Asleep for LOOP_STUCK_MS, as far as is known, in a call that is no wait for events. */
bool thread_is_outside(const struct fact_thread *thread);

bool thread_is_busy(const struct fact_thread *thread);

enum loop_state loop_state_of(const struct facts *facts, int process);

/* The thread that keeps the loop of a process from turning. */
struct loop_culprit {
    int thread;   /* -1: none */
    bool is_sure; /* nothing else could be it */
};

/* Of the threads that do not rest, the likeliest: one that waits for another server or sleeps, one that waits
 * for a lock, one that computes, one that waits for its own client. */
struct loop_culprit loop_culprit_of(const struct facts *facts, int process);

#endif
