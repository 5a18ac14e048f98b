/* audit: does a server close when its clients do? Connections are opened to it, closed in one of four ways,
 * and for a while it is watched what the server does. What it holds then is looked up in the kernel's tables,
 * if the server is on this machine. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "tcp/address.h"
#include "tcp/tcp_state.h"
#include "tcp/witness.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the client does to each connection, after a request where there is one. */
enum audit_order {
    AUDIT_HALF_CLOSE,   /* shutdown(SHUT_WR): it still hears the server close */
    AUDIT_CLIENT_FIRST, /* close() */
    AUDIT_ABORT,        /* close() with SO_LINGER 0: RST */
    AUDIT_IDLE,         /* nothing */
    AUDIT_ORDER_COUNT,
};

/* "half-close"; NULL at the end. The index is an audit_order. */
extern const char *const audit_order_names[];

enum { AUDIT_ROUNDS_MAX = 64 };

struct audit_settings {
    const char *target; /* as typed, for sentences */
    struct address address;
    uint16_t port;
    int64_t conns; /* a round */
    int64_t repeat;
    enum audit_order order;
    const char *request; /* NULL: none; not ended by 0 */
    size_t request_length;
    int64_t rate; /* connections a second; 0: as fast as they come up */
    int64_t grace_ms;
    int64_t connect_timeout_ms;
};

/* In which one of these a connection ends. */
enum audit_class {
    CLASS_CLOSED,           /* the server closed: FIN */
    CLASS_RESET,            /* RST */
    CLASS_STILL_RESPONDING, /* the server still sends after the client's FIN: a legitimate streamer */
    CLASS_HELD,             /* not closed when the grace period is over */
    CLASS_NEVER_ACCEPTED,   /* likewise, and no process has the server's end */
    CLASS_REFUSED,          /* connect(): RST */
    CLASS_TIMED_OUT,        /* connect(): no answer; or the server's kernel never had the whole of it */
    CLASS_FAILED,           /* connect(): another error of this machine */
    CLASS_COUNT,
};

/* "closed", "never_accepted". */
const char *audit_class_name(enum audit_class class);

/* What the server's ends that are held have in common. */
enum audit_group {
    GROUP_NONE,
    GROUP_FROM_AFAR,     /* the server is not on this machine, or its ends are in another network namespace */
    GROUP_NO_OWNER,      /* never accepted */
    GROUP_EOF_UNREAD,    /* Recv-Q >= 1 */
    GROUP_EOF_READ,      /* everything read, only close() is missing */
    GROUP_OTHER_PROCESS, /* CLOSE_WAIT, held by a process that does not listen */
    GROUP_GHOST,         /* descriptors of connections that are in no table */
    GROUP_OPEN,          /* ESTABLISHED: nobody has closed */
    GROUP_COUNT,
};

/* "eof_unread". */
const char *audit_group_name(enum audit_group group);

/* One connection, when all is over. */
struct audit_connection {
    int round;
    enum audit_class class;
    bool before_act;  /* it ended before the client did anything to it */
    int64_t close_us; /* from the client's act to the server's; -1: not seen */
    int64_t bytes;    /* received */
    int error;        /* CLASS_FAILED: errno */
    uint16_t port;    /* of the client's end; 0: it never had one */
    /* The server's end, where it was held and is on this machine: */
    bool server_seen;
    enum tcp_state server_state;
    uint32_t unread;
    uint64_t inode;
    pid_t owner;      /* 0: not known */
    char command[16]; /* of the owner; "" when not known */
    bool owner_listens;
    enum audit_group group;
    bool held_to_the_end; /* it was still there when the last round was over */
};

struct audit_result {
    int64_t count;
    struct audit_connection *connections; /* count of them; audit_free */
    int rounds;
    int64_t by_class[CLASS_COUNT];
    int64_t by_group[GROUP_COUNT];             /* of those held */
    int64_t reset_after_reply;                 /* of those reset: something had come before */
    int64_t held_after[AUDIT_ROUNDS_MAX];      /* round by round: held when its grace period was over */
    int64_t held_to_the_end[AUDIT_ROUNDS_MAX]; /* of that round's */
    int64_t p50_us, p90_us, p99_us, max_us;    /* time to close; -1: none closed */
    int64_t before_act;
    bool server_is_here; /* its sockets are in our tables */
    pid_t listener;      /* 0: not known */
    int64_t ghosts;      /* descriptors that those who listen hold on nothing, more than before */
    int64_t ghosts_after[AUDIT_ROUNDS_MAX]; /* so many of them when that round was over */
    bool ghosts_known;                      /* its descriptors may be looked into */
    bool interrupted;
    double elapsed_s;
};

/* What is going on, a few times a second. */
typedef void audit_progress(void *context, const char *doing, int64_t done, int64_t total);

/* Returns 0, or a negative errno when this machine could not do it; ENOENT: AUDIT_ABORT, and nobody listens
 * there in this network namespace. */
int audit_run(const struct audit_settings *settings, audit_progress *progress, void *context,
              struct audit_result *result);
void audit_free(struct audit_result *result);

/* The first round after which something was held: whether that is so to the end tells a leak from a slow
 * closer. Negative: none. */
int audit_first_held(const struct audit_result *result);

/* Whether something is held that should not be: exit code 1. A slow closer is not, when rounds were repeated.
 */
bool audit_leaks(const struct audit_result *result, const struct audit_settings *settings);

/* Whether there is no verdict: no connection came so far as to be closed. */
bool audit_is_void(const struct audit_result *result);

#endif
