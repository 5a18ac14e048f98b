/* watch: the TCP sockets of this network namespace as they are, by port, process and peer, without making
 * any; and whether what lingers grows. */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "analysis/trend.h"
#include "kernel/address.h"
#include "kernel/histogram.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watch_settings {
    uint16_t port; /* only sockets with this local or remote port; 0: all */
    pid_t pid;     /* only sockets of this process; 0: all */
    bool by_peer;  /* owners are told apart by their peers' addresses */
};

enum { WATCH_ROWS_MAX = 4096 }; /* of each set */

/* Every socket is counted once in each set. A leak may be one process that keeps more and more connections
 * (owners), a process for every client that keeps one (ports), or a program that is everywhere (programs). */
enum watch_set {
    WATCH_OWNERS,   /* a port and a process; of a client the remote port */
    WATCH_PORTS,    /* a server's port, whoever holds its connections; a program and a remote port */
    WATCH_PROGRAMS, /* a name of processes, whatever the port; without sockets that no process holds */
    WATCH_SETS,
};

/* Of ghosts that were not seen before they left the tables, and whose port does not tell. */
enum { WATCH_SIDE_UNKNOWN = SIDE_COUNT };

/* Sockets that agree in all of the key. What a set does not tell apart is 0 in it; it has no padding. */
struct watch_key {
    uint64_t started; /* of the process, as in struct process_facts */
    int32_t pid;
    uint16_t port; /* the server's: the local one, or of a client the remote one */
    uint8_t side;  /* an enum side, or WATCH_SIDE_UNKNOWN */
    uint8_t family;
    uint8_t peer[16]; /* only by_peer */
    char command[16];
};

struct watch_row {
    struct watch_key key;
    bool listens;        /* of a server: something listens on the port now */
    int processes;       /* that hold its sockets */
    pid_t pid;           /* of the only one; 0: none, or several */
    char command[16];    /* of the only one, or of all; "": they differ, or there is none */
    struct address peer; /* of a client or by_peer; family 0: not asked for, or several */

    bool is_here;             /* in the last look */
    int64_t of[STATE_COUNT];  /* STATE_GONE: ghosts, descriptors whose socket has left all tables */
    int64_t unread;           /* of CLOSE_WAIT: Recv-Q >= 1 */
    int64_t fin_with_data;    /* of CLOSE_WAIT with Recv-Q 0, as far as detailed looks have told: the FIN came
                                 with the last data, so that perhaps nobody has read EOF */
    int64_t unowned;          /* of CLOSE_WAIT: never accepted */
    int64_t oldest_ms;        /* of CLOSE_WAIT, at least; -1: none */
    int64_t oldest_most_ms;   /* and at most; INT64_MAX: not known, -1: none */
    struct trend_line growth; /* of CLOSE_WAIT and ghosts together: with keep-alive one becomes the other */
};

struct watch_rows {
    struct watch_row *each; /* the watch's own; the most CLOSE_WAIT and ghosts first */
    int count;
    int64_t dropped; /* sockets beyond WATCH_ROWS_MAX rows */
};

struct watch_look {
    double t_s; /* since the first look */
    double took_s;
    double cpu_s; /* of it this process's own: on a busy machine much less */
    int64_t sockets;
    int64_t ghosts;   /* of the processes that hold what was seen, or listen there: as last read */
    int ghosts_error; /* why they could not be read anew: errno; 0: they were */
    int64_t doomed;   /* CLOSE_WAIT with keep-alive of hidden processes, at two looks: each of them ends as a
                         ghost that cannot be counted */
    int64_t unlooked; /* listeners whose process is hidden: its ghosts cannot be counted */
    int64_t hidden;   /* sockets with an owner that was found neither now nor at the look before */
    int64_t unsure;   /* with an owner that was not found now: it is hidden, or closed them meanwhile */
    int refused;      /* processes that may not be looked into, when the owners were last read */
    struct watch_rows sets[WATCH_SETS];
    struct trend_line all; /* CLOSE_WAIT and ghosts of all */
};

/* CLOSE_WAIT and ghosts. */
int64_t watch_row_owed(const struct watch_row *row);

struct watch; /* what is remembered from look to look */

/* NULL with a negative errno in *error: ENOMEM; ESRCH, EXDEV and EACCES of settings->pid, as
 * process_shares_network() has them; why the kernel cannot be asked. */
struct watch *watch_new(const struct watch_settings *settings, int *error);
void watch_free(struct watch *watch);

/* Looks once; `detailed`: with the kernel's own word on the oldest CLOSE_WAIT and with all owners read anew,
 * which takes longer. What a look points to holds until the next. Returns 0, or a negative errno: ESRCH, the
 * process that is watched has ended; EACCES, it may no longer be looked into; EINTR, the kernel's tables
 * changed too much to be read in one piece: look again. */
int watch_take(struct watch *watch, bool detailed, struct watch_look *look);

struct watch_growth {
    enum watch_set set;
    const struct watch_row *row;
    struct trend trend;
};

/* What grows most in CLOSE_WAIT and ghosts, significantly and over at least so many seconds: a process; a
 * port or a program where that explains clearly more. False when nothing does. */
bool watch_growing(const struct watch_look *look, double least_s, struct watch_growth *growing);

#endif
