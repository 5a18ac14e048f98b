/* stacks: where in their source the threads of a look are. Nothing is stopped for it: a thread that runs, or
 * has moved on since the look, is not read, and said to be so. */
#ifndef EXPLAIN_STACKS_H
#define EXPLAIN_STACKS_H

#include "code/code.h"
#include "explain/facts.h"

#include <signal.h>

/* Why a thread matters. The first ones are read first. */
enum stack_interest {
    STACK_OF_LOOP,    /* it keeps a loop from turning */
    STACK_OF_LEAK,    /* it is in a call on a connection whose peer has closed */
    STACK_OF_OUTSIDE, /* it has been asleep for LOOP_STUCK_MS, in no wait for events */
    STACK_OF_OTHER,
};

/* Why a thread's stack was not read. */
enum stack_unread {
    STACK_MOVED,   /* it runs, or has run since the look */
    STACK_REFUSED, /* we may not look into the process */
    STACK_UNKNOWN, /* it could not be followed; the errno is in stacks.error */
    STACK_BEYOND,  /* there are too many threads, or there was no time */
    STACK_UNREAD_COUNT,
};

/* Threads that are in the same call at the same place: site_is_alike(). */
struct stack_group {
    const struct site *site;      /* of the first */
    enum stack_interest interest; /* the first of theirs */
    int threads;                  /* how many */
    int first;                    /* index of one in facts->threads */
    int64_t least_ms, most_ms;    /* asleep; -1: not known */
};

struct stacks {
    struct stack_group *groups; /* by interest, then the largest first */
    int group_count;
    int read, unread[STACK_UNREAD_COUNT]; /* threads */
    int error;                            /* of the first STACK_UNKNOWN */
    struct code *code;                    /* which the sites are of */
};

struct stacks_settings {
    int threads_most;
    int64_t most_ms;                   /* no thread is begun with after so long */
    const volatile sig_atomic_t *stop; /* not 0: read no more; NULL: there is no such flag */
};

/* Reads the stacks of the threads that the facts are of, and notes in each where it is. Returns 0, or -ENOMEM
 * with nothing to free. What is noted in the facts holds until stacks_free(). */
int stacks_take(struct facts *facts, const struct stacks_settings *settings, struct stacks *stacks);
void stacks_free(struct stacks *stacks);

#endif
