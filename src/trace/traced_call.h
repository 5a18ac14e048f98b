/* traced_call: the system calls that a traced program is stopped at: those that begin, use, hand on or end a
 * connection. From one table follow both the filter in the kernel (seccomp) and what is read at the stop. */
#ifndef TRACE_TRACED_CALL_H
#define TRACE_TRACED_CALL_H

#include <stdbool.h>

enum traced_act {
    TRACED_ACCEPT, /* the result is the new connection */
    TRACED_READ,
    TRACED_WRITE,
    TRACED_SHUTDOWN,
    TRACED_CLOSE,
    TRACED_DUPLICATE, /* there is one descriptor more of it */
    TRACED_WATCH,     /* epoll_ctl */
    TRACED_FORK,
    TRACED_EXEC,
    TRACED_RING, /* io_uring: what goes over it is not seen */
    TRACED_ACT_COUNT,
};

struct traced_call {
    long number;      /* of this machine's own calls */
    const char *name; /* "epoll_ctl" */
    enum traced_act act;
    int fd_at;         /* which argument, from 0, is the descriptor; -1: none */
    bool needs_result; /* the thread is stopped when the call returns as well */
};

/* NULL: not of the table. */
const struct traced_call *traced_call_of(long number);

/* By its name; NULL: not of the table. */
const struct traced_call *traced_call_named(const char *name);

/* Has the kernel stop this process, and all that come from it, at these calls from now on: for good. Without
 * the right to do so otherwise (CAP_SYS_ADMIN) it gives up ever gaining rights by execution (no_new_privs).
 * Returns 0, or a negative errno. */
int traced_calls_filter(void);

#endif
