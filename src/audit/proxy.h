/* proxy: does a proxy pass on how its clients and its backends end, and what does it hold afterwards? Both
 * ends are ours: we are the client of the proxy, and the backend that it forwards to.
 *
 *                    front                     back
 *   our client ────────────────  proxy  ────────────────  our backend
 *
 * Each way in which the client may end meets each way in which the backend may end: a cell of the matrix,
 * with some pairs of connections. The client ends first, with its last bytes just before; the backend ends
 * when it has heard of it, or when the grace period is over. Where the client stays open the backend is the
 * first. Then what is still open of ours is closed too, and what the proxy holds after another grace period
 * is a leak.
 */
#ifndef AUDIT_PROXY_H
#define AUDIT_PROXY_H

#include "audit/audit_result.h"
#include "kernel/address.h"

enum proxy_manner {
    MANNER_CLOSE,      /* close(): FIN, and nothing is heard any more */
    MANNER_HALF_CLOSE, /* shutdown(SHUT_WR): FIN, and it still hears */
    MANNER_ABORT,      /* close() with SO_LINGER 0: RST */
    MANNER_STAYS,      /* it does nothing */
    MANNER_COUNT,
};

/* "close", "half_close", "abort", "stays": for scripts. */
const char *proxy_manner_name(enum proxy_manner manner);

enum proxy_side { PROXY_FRONT, PROXY_BACK, PROXY_SIDES };

/* "front" or "back". */
const char *proxy_side_name(enum proxy_side side);

static inline enum proxy_side proxy_side_other(enum proxy_side side)
{
    return side == PROXY_FRONT ? PROXY_BACK : PROXY_FRONT;
}

/* What our end has heard of the other one's end. */
enum proxy_heard { HEARD_NOTHING, HEARD_FIN, HEARD_RST, HEARD_COUNT };

/* "nothing", "fin", "rst". */
const char *proxy_heard_name(enum proxy_heard heard);

enum {
    PROXY_BLOCK = 65536,    /* bytes that an end sends just before it ends, or as the body of a reply */
    PROXY_CONNS_MAX = 1000, /* a cell */
    PROXY_PATH_MAX = 1000,  /* bytes of an HTTP path */
    PROXY_CELLS = MANNER_COUNT * MANNER_COUNT,
};

struct proxy_settings {
    const char *front_text, *back_text; /* as typed, for sentences */
    struct address front, back;         /* where the proxy listens, and where we do */
    uint16_t front_port, back_port;
    const char *http_path; /* NULL: plain TCP */
    int64_t conns;         /* a cell */
    int64_t grace_ms, connect_timeout_ms;
};

/* How far a pair of connections came. */
enum proxy_pair_class {
    PAIR_PASSED,      /* our client reached our backend */
    PAIR_REFUSED,     /* connect() to the proxy */
    PAIR_UNANSWERED,  /* connect() timed out */
    PAIR_ENDED_EARLY, /* the proxy ended the client's connection, and none came to the backend */
    PAIR_NO_BACKEND,  /* likewise none came in time */
    PAIR_FAILED,      /* an error of this machine */
    PAIR_UNKNOWN,     /* interrupted */
    PAIR_CLASS_COUNT,
};

/* "passed", "ended_early". */
const char *proxy_pair_class_name(enum proxy_pair_class class);

/* Who holds the proxy's end of a connection when both of ours are gone. */
enum proxy_hold {
    HOLD_NONE,
    HOLD_SOCKET,         /* in the kernel's tables, with a descriptor */
    HOLD_NEVER_ACCEPTED, /* likewise, and no process has it */
    HOLD_GHOST,          /* a descriptor of a connection that has left every table */
    HOLD_FROM_AFAR,      /* our end, in FIN_WAIT2, still waits for a FIN: the proxy's is not in our tables */
    HOLD_COUNT,
};

/* "socket", "ghost". */
const char *proxy_hold_name(enum proxy_hold hold);

/* One of the two connections of a pair. */
struct proxy_leg {
    enum proxy_heard heard; /* by our end, before it ended itself */
    bool heard_early;       /* before the other end had done anything: it is the proxy's own doing */
    int64_t sent, received; /* by our end, in blocks */
    bool was_seen;          /* the proxy's end was in our tables when it was open */
    uint64_t inode;         /* of the proxy's end then */
    bool is_reused;         /* back: the proxy has used it for a later request */
    enum tcp_state
        state; /* of the proxy's end while ours that stay were still open; STATE_GONE: in no table */
    bool has_descriptor; /* then */
    enum proxy_hold hold;
    enum tcp_state held_state; /* HOLD_SOCKET, HOLD_NEVER_ACCEPTED */
    uint32_t unread;           /* likewise: Recv-Q */
    bool fin_with_data;        /* likewise: see struct socket_entry */
    pid_t owner;               /* 0: not known */
    char command[16];          /* of the owner; "" when not known */
};

struct proxy_pair_result {
    enum proxy_manner manner[PROXY_SIDES];
    enum proxy_pair_class class;
    int error; /* PAIR_FAILED: errno */
    struct proxy_leg leg[PROXY_SIDES];
    bool is_lost[PROXY_SIDES]; /* data in flight that our end there sent, in part or all of it */
    enum proxy_side kept_on;   /* is_one_sided */
    bool is_one_sided;         /* one end has gone, and the proxy keeps the other one, which hears nothing */
};

/* The pairs of a cell together. */
struct proxy_cell {
    int64_t count, passed;
    int64_t heard[PROXY_SIDES][HEARD_COUNT]; /* by our ends on that side */
    int64_t early[PROXY_SIDES];              /* of those */
    int64_t answered; /* pairs in which all came that the second end sent after the first one's half-close */
    int64_t replied;  /* HTTP: pairs in which the whole reply came */
    int64_t lost;     /* pairs that lost data in flight */
    int64_t held[PROXY_SIDES];
    int64_t one_sided;
};

enum proxy_outcome {
    PROXY_LETS_GO, /* it holds nothing, and has lost nothing */
    PROXY_LEAKS,
    PROXY_LOSES, /* data in flight */
    PROXY_ENDED, /* it did not survive it */
    PROXY_NO_VERDICT,
    PROXY_INTERRUPTED,
};

/* "lets_go", "loses_data". */
const char *proxy_outcome_name(enum proxy_outcome outcome);

struct proxy_result {
    int64_t count;                                       /* of all pairs */
    struct proxy_pair_result *pairs;                     /* proxy_free */
    struct proxy_cell cells[MANNER_COUNT][MANNER_COUNT]; /* [client][backend] */
    int64_t by_class[PAIR_CLASS_COUNT];
    int64_t by_hold[HOLD_COUNT]; /* connections: two a pair */
    int64_t held;                /* pairs */
    int64_t lost, one_sided;     /* likewise */
    int64_t strangers;           /* connections to the backend that were not of our clients */
    int64_t unseen;  /* pairs of which an end of the proxy was not in our tables when it was open */
    int64_t retried; /* requests that came to the backend once more */
    int64_t pooled;  /* back: kept open by the proxy when their client had gone, HTTP only */
    int64_t reused;  /* requests that came on a connection of an earlier one */
    char answer[96]; /* the first line that the proxy itself has answered a client; "": none */
    pid_t listener;  /* of the proxy; 0: not known */
    char listener_command[16];
    bool is_here; /* the proxy's ends are in our tables */
    enum audit_ghost_sight ghost_sight;
    enum audit_fate fate;       /* of the proxy's processes */
    struct audit_ending ending; /* FATE_ENDED, FATE_CRASHED */
    const char *failure;        /* what this machine could not do: a whole clause; NULL: nothing */
    int failure_error;          /* errno */
    bool interrupted;
    double elapsed_s;
};

typedef void proxy_progress(void *context, const char *doing, int64_t done, int64_t total);

/* Returns 0, or a negative errno when it could not begin: EADDRINUSE, EADDRNOTAVAIL, EACCES: the backend's
 * port cannot be listened on. SIGINT, SIGTERM and SIGHUP (unless it is ignored) end it. */
int proxy_run(const struct proxy_settings *settings, proxy_progress *progress, void *context,
              struct proxy_result *result);
void proxy_free(struct proxy_result *result);

/* What is held or lost is so however few pairs there were; that nothing is is a verdict only when 9 of 10
 * came through in every cell, and the proxy's descriptors could be looked into. */
enum proxy_outcome proxy_outcome_of(const struct proxy_result *result);

/* Of the same cell of a result. */
static inline const struct proxy_cell *proxy_cell_of(const struct proxy_result *result,
                                                     enum proxy_manner client, enum proxy_manner backend)
{
    return &result->cells[client][backend];
}

#endif
