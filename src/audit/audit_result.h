/* audit_result: what an audit has found: of each connection, of their server's processes, and what it comes
 * to. */
#ifndef AUDIT_AUDIT_RESULT_H
#define AUDIT_AUDIT_RESULT_H

#include "audit/audit_growth.h"
#include "audit/audit_settings.h"
#include "audit/reply_end.h"
#include "audit/tls.h"
#include "kernel/tcp_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* In which one of these a connection ends. */
enum audit_class {
    CLASS_CLOSED,           /* the server closed: FIN */
    CLASS_RESET,            /* RST */
    CLASS_REPLY_LOST,       /* AUDIT_EOF_WITH_REQUEST: it ended with less than a reply: see reply_bytes */
    CLASS_STILL_RESPONDING, /* the server still sends after the client's FIN: a legitimate streamer */
    CLASS_HELD,             /* not closed when the grace period is over */
    CLASS_NEVER_ACCEPTED,   /* likewise, and no process has the server's end */
    CLASS_REFUSED,          /* connect(): RST */
    CLASS_TIMED_OUT,        /* connect(): no answer; or the server's kernel never had the whole of it; or its
                               accept queue had no room, so that connect() was not called */
    CLASS_FAILED,           /* an error of this machine, at any moment: nothing is known of the server */
    CLASS_UNKNOWN,          /* interrupted before the grace period was over, or not to be seen from here */
    CLASS_COUNT,
};

/* "closed", "never_accepted". */
const char *audit_class_name(enum audit_class class);
/* For the manual, in Markdown. */
const char *audit_class_meaning(enum audit_class class);

/* What the server's ends that are held have in common. */
enum audit_group {
    GROUP_NONE,
    GROUP_FROM_AFAR,     /* the server is not on this machine, or its ends are in another network namespace */
    GROUP_NO_OWNER,      /* never accepted */
    GROUP_EOF_UNREAD,    /* Recv-Q >= 1 */
    GROUP_EOF_READ,      /* everything read, only close() is missing */
    GROUP_EOF_UNSURE,    /* all data read; the FIN came with it, so that perhaps nobody has read EOF */
    GROUP_OTHER_PROCESS, /* CLOSE_WAIT, held by processes that inherited it and do not serve it */
    GROUP_NO_DESCRIPTOR, /* in any state; no process has a descriptor: a call on it goes on, or it is on its
                            way from one process to another */
    GROUP_GHOST,         /* descriptors of connections that are in no table */
    GROUP_OPEN,          /* ESTABLISHED: nobody has closed */
    GROUP_SHUT_DOWN,     /* FIN_WAIT2 with a descriptor: shutdown(SHUT_WR), and no close() */
    GROUP_STALLED,       /* it has data to send (Send-Q), and the client's window is closed */
    GROUP_COUNT,
};

/* "eof_unread". */
const char *audit_group_name(enum audit_group group);
const char *audit_group_meaning(enum audit_group group); /* likewise */

/* How a process came by a connection that it holds; of several that hold it, which one is its owner. */
enum audit_owner_role {
    OWNER_UNKNOWN,  /* not looked for, or it may not be looked into */
    OWNER_ACCEPTED, /* it listens, or nobody is known to */
    OWNER_GIVEN,  /* it does not listen, and was there before: it was handed over in a message (SCM_RIGHTS) */
    OWNER_CHILD,  /* it was started later, and has this one only: the child that serves it, or an heir */
    OWNER_HEIR,   /* it was started later, and inherited what was open at the time */
    OWNER_NOBODY, /* every process was looked into, and none has it */
};

/* One connection, when all is over. */
struct audit_connection {
    int round;
    enum audit_class class;
    bool before_act;                /* it ended before the client did anything to it */
    bool requested;                 /* the server had been sent the whole request */
    int64_t begun_us, connected_us; /* on the clock of monotonic_us(): when it was opened; 0: never */
    int64_t close_us;               /* from the client's act to the server's; -1: not seen */
    int64_t idle_us; /* from the last byte, or the handshake, to the server's FIN; -1: not seen, or it does
                        not keep a connection that is idle */
    int64_t bytes;   /* received */
    int error;       /* CLASS_FAILED: errno */
    uint16_t port;   /* of the client's end; 0: it never had one */
    /* The server's end, where it was held and is on this machine: */
    bool server_seen;
    enum tcp_state server_state;
    uint32_t unread, unsent;
    bool fin_with_data; /* see struct socket_entry; false also where an answer came before the FIN left */
    uint64_t inode;
    pid_t owner;      /* 0: not known */
    char command[16]; /* of the owner; "" when not known */
    enum audit_owner_role role;
    enum audit_group group;
    bool held_to_the_end; /* it was still there when the last round was over */
};

/* Whether the server's descriptors could be looked into, for sockets that are in no table. */
enum audit_ghost_sight {
    GHOSTS_FROM_AFAR, /* no: nobody listens there in this network namespace */
    GHOSTS_NOT_OURS,  /* no: they are another user's, or in another pid namespace */
    GHOSTS_SEEN,
};

/* What became of the server's processes while it was audited. */
enum audit_fate {
    FATE_LIVES,           /* or it is not on this machine, or nobody can tell */
    FATE_ENDED,           /* all processes that listened have ended */
    FATE_CRASHED,         /* one of them was killed by a signal of a fault, such as SIGSEGV */
    FATE_STOPPED,         /* its listening sockets are gone; its processes are there */
    FATE_STOPPED_SOMEHOW, /* likewise, and which processes had them is not known */
};

/* One of those that ended. */
struct audit_ending {
    pid_t pid;
    char command[16];
    bool is_status_known;
    int status; /* as wait() has it */
};

/* What it all means. */
enum audit_outcome {
    AUDIT_CLOSES,
    AUDIT_LEAKS,
    AUDIT_LOSES,       /* replies, when the client's FIN comes with the request */
    AUDIT_ENDED,       /* the server did not survive it */
    AUDIT_OFF_TIME,    /* it closes idle clients, at another time than was expected */
    AUDIT_NO_VERDICT,  /* too little was seen */
    AUDIT_INTERRUPTED, /* by a signal: nothing is said of the server */
};

/* "no_verdict". */
const char *audit_outcome_name(enum audit_outcome outcome);

/* Connections on which more than one request was to be sent. */
struct audit_requests {
    int64_t sent;     /* it was */
    int64_t answered; /* of those: bytes came after the last one, */
    int64_t lost;     /* or the server closed or reset instead, */
    int64_t silent;   /* or neither */
    int64_t not_kept; /* the server closed after an earlier reply */
};

struct audit_result {
    int64_t count;
    struct audit_connection *connections; /* count of them; audit_free */
    int rounds;                           /* that were begun */
    int64_t by_class[CLASS_COUNT];
    int64_t by_group[GROUP_COUNT]; /* of those held */
    int64_t reply_bytes; /* AUDIT_EOF_WITH_REQUEST: what a client gets that waits; 0: nothing; -1: no such
                            client came through */
    struct reply_end reply_end; /* what all of those end with; of length 0: they do not end alike */
    int64_t idle_us;            /* after which the server closes an idle client: the median; -1: not seen */
    struct audit_requests later;
    int64_t orphans; /* AUDIT_STALL: closed by the server, while its kernel still has data for the client */
    int64_t reset_after_reply;                 /* of those reset: something had come before */
    int64_t held_after[AUDIT_ROUNDS_MAX];      /* round by round: held when its grace period was over */
    int64_t held_to_the_end[AUDIT_ROUNDS_MAX]; /* of that round's */
    int64_t watched_ms[AUDIT_ROUNDS_MAX];   /* from that round's last act to the last look at what it left */
    int64_t p50_us, p90_us, p99_us, max_us; /* time to close; -1: none closed */
    int64_t before_act;
    int64_t asked; /* connections that the settings ask for */
    /* Those on which the order was played, or that the server ended before when it had been asked or had
     * answered: that is a conversation, and it is over. */
    int64_t audited;
    int64_t not_played; /* the others that the server ended before the client did anything */
    int64_t half_open;  /* those of which the server's kernel knows, and waits to hand them over */
    int64_t not_opened; /* those for which the accept queue had no room in connect_timeout_ms */
    int64_t forgotten; /* AUDIT_CLIENT_FIRST: our kernel has forgotten their ends, and cannot tell any more */
    int64_t to_itself; /* the kernel connected the client to itself: nobody listens there */
    bool server_is_here;       /* its sockets are in our tables */
    pid_t listener;            /* 0: not known */
    char listener_command[16]; /* its name when the audit began */
    enum audit_ghost_sight ghost_sight;
    /* GHOSTS_SEEN: of the server's processes so many may not be looked into (see server_process.h); what they
     * hold is not known. */
    int unseen_kin;
    pid_t unseen_kin_pid; /* one of them; 0: not known */
    char unseen_kin_command[16];
    bool has_unseen_holder; /* likewise: connections that were open were in no process that may be looked into
                             */
    int64_t ghosts; /* TCP descriptors of nothing that the server's processes hold, besides those of before */
    int64_t ghosts_after[AUDIT_ROUNDS_MAX]; /* so many of them when that round was over */
    pid_t ghost_owner;                      /* one of those that hold them; 0: none */
    int64_t descriptors_left; /* that the process might open, before the audit, which had the fewest left; -1:
                                 not known */
    struct audit_growth growth; /* where ghost_sight is GHOSTS_SEEN; else all 0 */
    bool sees_every_pid;  /* it is not in a PID namespace of its own, outside of which there may be owners */
    int64_t closed_calls; /* of threads that are in a call on a descriptor that is closed; at least */
    pid_t caller;         /* a process that has such threads */
    enum audit_fate fate;
    struct audit_ending ending;     /* FATE_ENDED, FATE_CRASHED */
    char tls_refusal[TLS_WHY_SIZE]; /* why the first handshake of TLS failed, in words; "": none did */
    const char *failure;            /* what this machine could not do: a whole clause; NULL: nothing */
    int failure_error;              /* errno */
    bool interrupted;
    double elapsed_s;
};

#endif
