/* first_aid: what may be done from outside about descriptors that a live program keeps, and what came of it.
 *
 * It helps where an act is missing, or a thread waits: a proxy that does not pass EOF on to its backend, and
 * a handler that is blocked in send(). Everything else it leaves alone: the peer's FIN has told the program
 * already what a shutdown() would, so no descriptor would be freed. The socket would leave the kernel's
 * tables (a ghost), and the leak would only be harder to see.
 *
 * No socket is acted on that may still be served. Each is looked at again right before its shutdown(), by
 * inode, cookie, state and bytes, and is left alone when anything has changed. The first one of each process
 * is a trial: when it frees no descriptor, the others are left alone. */
#ifndef EXPLAIN_FIRST_AID_H
#define EXPLAIN_FIRST_AID_H

#include "explain/explanation.h"
#include "explain/halves.h"

enum {
    FIRST_AID_MOST = 1000,        /* sockets that are acted on in one run */
    FIRST_AID_STALLED_MS = 10000, /* a peer that has taken something since then may only be slow */
    FIRST_AID_WAIT_MS = 5000,     /* for the descriptors of a trial; after the last one, without progress */
};

/* Why sockets that linger are left alone. */
enum aid_reason {
    AID_KNOWS_EOF,   /* a shutdown() tells the program nothing that the FIN has not told it */
    AID_UNHEARD,     /* nobody in the program hears it, and what it holds is open */
    AID_HELD_UP,     /* a thread is in the way that it does not wake */
    AID_PAUSED,      /* it would wake the program with a hang-up that this has not asked for */
    AID_QUEUED,      /* no process has a descriptor */
    AID_GHOST,       /* there is no connection left */
    AID_HEIRS,       /* processes hold them that do not serve them */
    AID_OF_OTHERS,   /* who holds them is not known */
    AID_NO_SOCKET,   /* connections that are lost, and leave none */
    AID_CLIENTS,     /* the half that is open is a client's, who may send another request */
    AID_SHARED,      /* as HALF_SHARED */
    AID_SILENT,      /* as HALF_SILENT */
    AID_DOUBTFUL,    /* as HALF_DOUBTFUL */
    AID_NO_HALF,     /* as HALF_NONE */
    AID_OTHER_PORTS, /* the look left out connections of other ports, one of which may be served by that half
                      */
    AID_NOT_BLOCKED, /* no thread is in send() on it, or that may not be seen */
    AID_SLOW,        /* its peer has taken something of late */
    AID_SIGPIPE,     /* the write that fails then would end the program, or may */
    AID_TOO_MANY,    /* FIRST_AID_MOST */
    AID_REASON_COUNT,
};

enum aid_outcome {
    AID_PLANNED, /* not acted on: a dry run, or interrupted before it */
    AID_DONE,
    AID_CHANGED, /* left alone: it is not what it was */
    AID_STOPPED, /* left alone: the trial freed no descriptor */
    AID_FAILED,  /* `error` says why; it is left alone */
    AID_OUTCOME_COUNT,
};

/* One shutdown(). Sockets are those of the facts that it was planned from. */
struct aid_step {
    enum cure cure;
    pid_t pid, tid;                      /* tid: of the thread in send(); 0 */
    const struct fact_socket *lingering; /* why it is done */
    const struct fact_socket *on;        /* what it is done to: the other half, or the same */
    enum aid_outcome outcome;
    int error;
    int descriptors, freed; /* that it should free, and has freed */
    int ghosts;             /* of these, those that are open and whose socket is gone */
};

/* Sockets of one finding that are left alone. */
struct aid_left {
    const struct finding *finding; /* NULL: ghosts of which nothing else is known */
    enum aid_reason reason;
    int64_t count;
};

/* What there is of the processes that were asked about. */
struct aid_tally {
    int64_t descriptors, ghosts;
    int states[STATE_COUNT]; /* of their sockets */
};

struct first_aid {
    struct aid_step *steps; /* by process and cure */
    int step_count;
    struct aid_left *left;
    int left_count;
    int64_t wait_ms; /* FIRST_AID_WAIT_MS */
    bool is_dry;
    bool is_interrupted;
    struct aid_tally before, after;
    bool was_looked_after; /* first_aid_look_after() was called: */
    int after_error;       /* why there is no `after`: 0, or an errno */
    bool lingers;          /* something does, afterwards */
};

/* What could be done. `explanation` and its facts must stay until first_aid_free(). Returns 0, or -ENOMEM
 * with nothing to free. */
int first_aid_plan(const struct explanation *explanation, struct first_aid *aid);

/* Does it, until *stop; `is_dry`: only looks whether the sockets are still what they were. */
void first_aid_give(struct first_aid *aid, bool is_dry, const volatile sig_atomic_t *stop);

/* How many steps ended so. */
int first_aid_count(const struct first_aid *aid, enum aid_outcome outcome);

/* Looks again, in one look, at what there is afterwards. */
void first_aid_look_after(struct first_aid *aid, const struct facts_request *request, int64_t grace_ms);

void first_aid_free(struct first_aid *aid);

/* The call of a cure as a programmer writes it: "shutdown(SHUT_WR)". */
const char *cure_call(enum cure cure);

#endif
