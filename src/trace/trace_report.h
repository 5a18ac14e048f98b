/* trace_report: what a tracer has seen of a program's connections: for each of them the calls on it, in
 * order, with the places in the source that made them. */
#ifndef TRACE_TRACE_REPORT_H
#define TRACE_TRACE_REPORT_H

#include "code/code.h"
#include "kernel/address.h"
#include "trace/traced_call.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum call_result {
    RESULT_UNKNOWN, /* not asked for, or the call has not returned */
    RESULT_ZERO,    /* of a read: end of file; of another call: it has succeeded */
    RESULT_SOME,    /* > 0 */
    RESULT_ERROR,
};

/* One call, or several of the same kind in a row, made at the same place with the same result. Calls that
 * found nothing to do (EAGAIN) are also counted to one like them that is not the last but shortly before. */
struct traced_note {
    const struct traced_call *call;
    enum call_result result;
    int error;               /* RESULT_ERROR: errno */
    int detail;              /* of epoll_ctl: EPOLL_CTL_ADD, _MOD or _DEL; of shutdown: SHUT_RD, ... ;
                                of sendmsg and recvmsg that pass the descriptor itself on: SCM_RIGHTS; else 0; -1: of a
                                call within the program */
    pid_t pid;               /* who made it */
    int times;               /* >= 1 */
    const struct site *site; /* NULL: not known */
};

/* A process that had a descriptor of it when the report was made. */
struct traced_holder {
    pid_t pid;
    const struct site
        *forked_at; /* where its parent made it, while the connection was open; NULL: it was not made so */
};

struct traced_connection {
    uint64_t inode;
    struct address local, peer;     /* of the program's end, and of the other one */
    uint16_t local_port, peer_port; /* 0: not known */
    bool is_outgoing;               /* the program has connected; else it has accepted */
    bool is_open;                   /* some process has a descriptor of it still, when the report was made */
    bool is_cut;                    /* there were more calls than are kept: those in the middle are missing */
    struct traced_note *notes;      /* in the order of time */
    int count;
    struct traced_holder *holders;
    int holder_count;
};

struct trace_report {
    struct code *code; /* whose sites these are */
    struct traced_connection *connections;
    int count;
    /* What was not seen, and why: */
    int64_t calls; /* all calls that were stopped at */
    int rings;     /* processes that have made an io_uring: what goes over it is not seen */
    int foreign;   /* processes of another machine's calls (32 bit): nothing of them is seen */
    int set_user;  /* programs executed that would have changed their user, and could not */
    int attaches;  /* processes that would trace others, or be traced: there is one tracer already */
    int hidden;    /* processes whose descriptors may not be read: is_open says nothing of them */
    int64_t unknown_sockets; /* calls on a connection whose descriptor could not be looked up */
};

/* Frees what is in it, with the code. */
void trace_report_free(struct trace_report *report);

/* To another process of this very program. Returns 0 or a negative errno. */
int trace_report_write(const struct trace_report *report, FILE *out);

/* Rebuilds what was written, with a code of its own. Returns 0 or a negative errno, with nothing in the
 * report then: ENOMEM; EPROTO, it is no such report, or not all of it. */
int trace_report_read(struct trace_report *report, FILE *in);

#endif
