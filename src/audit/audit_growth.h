/* audit_growth: what the server's processes hold more of than before the audit, as data for the views. */
#ifndef AUDIT_AUDIT_GROWTH_H
#define AUDIT_AUDIT_GROWTH_H

#include "audit/audit_settings.h"
#include "kernel/address.h"
#include "kernel/tcp_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one thing that a process holds. */
enum stock_kind {
    STOCK_TCP_LISTENS,  /* in the kernel's tables */
    STOCK_TCP_ACCEPTED, /* likewise; its own port is one that is listened on */
    STOCK_TCP_OUTGOING, /* likewise; any other */
    STOCK_GHOST,        /* TCP, in no table: the connection is over */
    STOCK_SOCKET,       /* of another protocol, or TCP that was never connected */
    STOCK_PIPE,
    STOCK_EPOLL,
    STOCK_EVENTFD,
    STOCK_TIMERFD,
    STOCK_KERNEL_OBJECT, /* signalfd, inotify, io_uring, ... */
    STOCK_FILE,
    STOCK_KIND_COUNT,
};

/* "tcp_outgoing", "pipe". */
const char *stock_kind_name(enum stock_kind kind);

enum {
    STOCK_PROTOCOL_SIZE = 14, /* "UNIX-STREAM" */
    CHECK_ROUNDS = 2, /* rounds more that the audit plays by itself where something grew: see growth.h */
    GROWTH_ROUNDS_MAX = AUDIT_ROUNDS_MAX + CHECK_ROUNDS,
    GROWTH_ROWS_MAX = 32,
};

/* Whether what is held more of is a leak. */
enum growth_verdict {
    GROWTH_UNDECIDED,
    GROWTH_STOPS,     /* later connections added none: a pool, or something that is opened once */
    GROWTH_PASSES,    /* what earlier connections had left is gone: slow, and no leak */
    GROWTH_OF_OTHERS, /* other clients came meanwhile, half as many or more: it may be theirs */
    GROWTH_GOES_ON    /* each round adds as many for its connections, and none of them goes: a leak */
};

/* "goes_on". */
const char *growth_verdict_name(enum growth_verdict verdict);

/* What is alike: of one kind; TCP also to or on the same port. */
struct growth_row {
    enum stock_kind kind;
    char protocol[STOCK_PROTOCOL_SIZE]; /* STOCK_SOCKET: "UDP"; else "" */
    struct address peer;                /* STOCK_TCP_OUTGOING */
    uint16_t port; /* STOCK_TCP_OUTGOING: the peer's, 0: of several; STOCK_TCP_ACCEPTED: its own */
    int64_t count; /* new, and there at the end */
    int64_t gone;  /* that were there before the first connection, and are not any more */
    int64_t of_round[GROWTH_ROUNDS_MAX]; /* so many of them are of that round */
    int64_t by_state[STATE_COUNT];       /* of TCP */
    int64_t unread, unsent;              /* so many of them have a Recv-Q, a Send-Q */
    pid_t pid;                           /* one of the processes that hold them */
    char command[16];                    /* its name; "" when not known */
    bool has_more_holders;
    enum growth_verdict verdict;
};

struct audit_growth {
    int rounds;                              /* of the settings, of which stock was taken */
    int check_rounds;                        /* that were played beside them; 0 to CHECK_ROUNDS */
    int64_t conns[GROWTH_ROUNDS_MAX];        /* connections that were made in each */
    int64_t before[STOCK_KIND_COUNT];        /* held before the first connection */
    int64_t after[STOCK_KIND_COUNT];         /* and after the last round */
    int64_t others;                          /* other clients' connections, more than before */
    int count;                               /* of rows */
    struct growth_row rows[GROWTH_ROWS_MAX]; /* what grew the most comes first */
};

#endif
