/* traced_call: the system calls that a traced program is stopped at: those that begin, use, hand on or end a
 * connection. From one table follow both the filter in the kernel (seccomp) and what is read at the stop. */
#ifndef TRACE_TRACED_CALL_H
#define TRACE_TRACED_CALL_H

#include <stdbool.h>

enum traced_act {
    TRACED_ACCEPT, /* the result is the new connection */
    TRACED_CONNECT,
    TRACED_READ,
    TRACED_WRITE,
    TRACED_SHUTDOWN,
    TRACED_CLOSE,
    TRACED_DUPLICATE, /* there is one descriptor more of it */
    TRACED_WATCH,     /* epoll_ctl */
    TRACED_EXEC,      /* closes the descriptors that are so marked (FD_CLOEXEC) */
    TRACED_EXIT,      /* closes all descriptors of the process */
    TRACED_RING,      /* io_uring: what goes over it is not seen */
    TRACED_ATTACH,    /* ptrace: there cannot be two tracers */
    TRACED_LISTEN,    /* of no connection: the first stack of a program takes long, and is taken here */
    TRACED_ACT_COUNT,
};

enum { TRACED_ONLY = 2 };

/* A call that does two things has a row for each, one after the other: dup2() makes a descriptor more of one
 * connection, and closes one of another. */
struct traced_call {
    long number;      /* of this machine's own calls; below 0: a call within the program, which tells of it */
    const char *name; /* "epoll_ctl" */
    enum traced_act act;
    int fd_at;         /* which argument, from 0, is the descriptor; -1: none */
    bool needs_result; /* the thread is stopped when the call returns as well */
    int detail_at;     /* which argument is the note's detail; 0: none */
    int size_at;       /* which argument is how much to read: nothing read of 0 is no end of file; 0: none */
    int only_at; /* it is only such a call when this argument is one of `only`; 0: whatever the arguments are
                  */
    long only[TRACED_ONLY];
};

/* The first row of it; NULL: not of the table. */
const struct traced_call *traced_call_of(long number);

/* The first row, by its name; NULL: not of the table. */
const struct traced_call *traced_call_named(const char *name);

/* The next row of the same call; NULL: there is none. */
const struct traced_call *traced_call_next(const struct traced_call *call);

/* The rows are counted from 0; NULL: there is no such row. */
const struct traced_call *traced_call_at(int row);
int traced_call_row(const struct traced_call *call);

/* Has the kernel stop this process, and all that come from it, at these calls from now on: for good. Without
 * the right to do so otherwise (CAP_SYS_ADMIN) it gives up ever gaining rights by execution (no_new_privs).
 * Returns 0, or a negative errno. */
int traced_calls_filter(void);

#endif
