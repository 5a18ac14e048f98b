/* watch: the TCP sockets of this network namespace, or of all, as they are, by port, process and peer,
 * without making any; and whether what lingers grows. */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "analysis/trend.h"
#include "kernel/address.h"
#include "kernel/histogram.h"
#include "kernel/net_namespaces.h"
#include "watch/watch_group.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watch_flow;
struct watch_closings;

struct watch_settings {
    uint16_t port;       /* only sockets with this local or remote port; 0: all */
    pid_t pid;           /* only sockets of this process; 0: all */
    bool by_service;     /* WATCH_SERVICES is filled */
    bool all_namespaces; /* every network namespace that can be seen from here */
    bool by_peer;        /* owners are told apart by their peers' addresses */
    int64_t cheap_us;    /* looks that take no more of this process's time are full, and owners are read anew
                            with all that changes; 0: 10 ms; below 0: none is, but the first, detailed and
                            thorough ones */
    int64_t idle_ms;     /* from when on a connection in which no data moves is idle; 0: none ever is */
    struct watch_flow *flow; /* hears of each connection's end, whose process it may be; borrowed. NULL:
                                nobody does. Of one namespace only */
    struct watch_closings *closings; /* hears of each socket; borrowed. NULL: nobody does. Likewise */
};

enum { WATCH_ROWS_MAX = 4096 }; /* of each set */

/* Ages fall into the first bucket whose bound, in seconds, they are not above; that of the last is INFINITY.
 */
enum { WATCH_AGES = 7 };
extern const double watch_age_bounds_s[WATCH_AGES];

/* Every socket is counted once in each set. A leak may be one process that keeps more and more connections
 * (owners), a process for every client that keeps one (ports), or a program that is everywhere (programs). */
enum watch_set {
    WATCH_OWNERS,   /* a port and a process; of a client the remote port */
    WATCH_PORTS,    /* a server's port, whoever holds its connections; a program and a remote port */
    WATCH_PROGRAMS, /* a name of processes, whatever the port; without sockets that no process holds */
    WATCH_SERVICES, /* a service, container or pod, whatever its ports and processes; only by_service */
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
    uint32_t netns;   /* a number for the network namespace; 0: that of this process */
    uint32_t service; /* likewise */
};

struct watch_row {
    struct watch_key key;
    bool listens;        /* of a server: something listens on the port now */
    int processes;       /* that hold its sockets */
    pid_t pid;           /* of the only one; 0: none, or several */
    char command[16];    /* of the only one, or of all; "": they differ, or there is none */
    struct address peer; /* of a client or by_peer; family 0: not asked for, or several */
    const char *service; /* the unit or container of all of it; NULL: not known, or several */
    bool has_services;   /* of several */
    const char *netns;   /* the network namespace, by name; NULL: the one that is watched */

    /* Of the only process; -1: not known, or several. */
    int64_t descriptors;      /* in use, of whatever kind */
    int64_t descriptors_most; /* RLIMIT_NOFILE; INT64_MAX: no limit */

    /* Of a server, that of its listeners whose accept queue has the fewest places left; -1: none listens, or
     * not known. One more than the limit fits in. */
    int64_t queue_length, queue_limit;

    bool is_here;            /* in the last look */
    bool is_new;             /* and not in the one before */
    int64_t of[STATE_COUNT]; /* STATE_GONE: ghosts, descriptors whose socket has left all tables */
    int64_t unread;          /* of CLOSE_WAIT: Recv-Q >= 1 */
    int64_t fin_with_data;   /* of CLOSE_WAIT with Recv-Q 0, as far as detailed looks have told: the FIN came
                                with the last data, so that perhaps nobody has read EOF */
    int64_t unowned;         /* of CLOSE_WAIT: never accepted */
    int64_t oldest_ms;       /* of CLOSE_WAIT, at least; -1: none */
    int64_t oldest_most_ms;  /* and at most; INT64_MAX: not known, -1: none */

    double queue_since_s;      /* of those below: since when, t_s of a look; -1: it is not full */
    int64_t queue_came;        /* who had come to it by then */
    pid_t listener;            /* of a server, who listens; 0: nobody, or not known */
    char listener_command[16]; /* "": not known */
    double queue_full_s; /* of WATCH_PORTS: for so long at least has the accept queue been full at each look,
                            and nobody was accepted; -1: it is not, or is for the first time */
    int64_t ages[WATCH_AGES]; /* of CLOSE_WAIT, each at least so old */
    int64_t ages_ms;          /* those added up */

    double since_s;  /* since when it is a row without a break: t_s of a look */
    int64_t arrived; /* connections that were seen for the first time after that */
    int64_t recv_q,
        send_q; /* bytes that lie unread, and that the peer has not acknowledged; a FIN counts as one */
    int64_t count[WATCH_GROUPS];
    int64_t came[WATCH_GROUPS]; /* since the row began: those that were not in the group at the look before,
                                   all of the first look among them. Of groups that are leaks only */
    struct trend_line *trends[WATCH_GROUPS]; /* the watch's own; NULL: it never had any */
};

struct watch_rows {
    struct watch_row *each; /* the watch's own; the most CLOSE_WAIT and ghosts first */
    int count;
    int64_t dropped; /* sockets beyond WATCH_ROWS_MAX rows */
};

enum { WATCH_PORTS_LEFT_MAX = 4 };

/* A destination to which few ephemeral ports (ip_local_port_range) are left. */
struct watch_ports_left {
    struct address local, remote;
    uint16_t port; /* the remote one */
    int64_t left, all;
};

struct watch_look {
    double t_s;      /* since the first look */
    int64_t idle_ms; /* of the watch's settings */
    double
        rest_s; /* how long ago ESTABLISHED and TIME_WAIT, what is at rest, what waits in accept queues, bytes
                   in queues and ephemeral ports were as they are told here; 0: they are as of this look */
    bool is_thorough; /* all is as of this look, and each owner was read in it */
    double took_s;
    double cpu_s;      /* of it this process's own: on a busy machine much less */
    double full_cpu_s; /* likewise, of the last full look, without processes that were read to their end */
    double
        brief_cpu_s; /* likewise, of the last brief look; 0: none yet; -1: the next one is full in any case */
    int64_t sockets;
    int64_t ghosts;   /* of the processes that hold what was seen, or listen there: as last read */
    int ghosts_error; /* why they could not be read anew: errno; 0: they were */
    int64_t doomed;   /* CLOSE_WAIT with keep-alive of hidden processes, at two looks: each of them ends as a
                         ghost that cannot be counted */
    int64_t untimed;  /* ESTABLISHED of which nobody tells when data moved last, at the last detailed look */
    int64_t unlooked; /* listeners whose process is hidden: its ghosts cannot be counted */
    int64_t hidden;   /* sockets with an owner that was found neither now nor at the look before */
    int64_t unsure;   /* with an owner that was not found now: it is hidden, or closed them meanwhile */
    int64_t listen_overflows; /* of our network namespace, since the first look: connections that found an
                                 accept queue full (TcpExtListenOverflows); -1: another one is watched */
    struct watch_ports_left ports_left[WATCH_PORTS_LEFT_MAX];
    int ports_left_count;
    int refused; /* processes that may not be looked into, when the owners were last read */
    const struct net_namespaces *namespaces; /* all, with what has come and gone; NULL: not asked for */
    int entered, read_only, closed; /* of them, without our own: looked into; read from /proc/PID/net, without
                                       ages and backlogs; neither. Of `pid` in another one likewise */
    struct watch_rows sets[WATCH_SETS];
    struct trend_line all; /* CLOSE_WAIT and ghosts of all */
};

/* Whether it grows; of a group that never had any it is unknown. */
struct trend watch_row_trend(const struct watch_row *row, enum watch_group group);

struct watch; /* what is remembered from look to look */

/* NULL with a negative errno in *error: ENOMEM; EXDEV, settings->pid is in another network namespace, where
 * settings->flow hears nothing; ESRCH and EACCES of settings->pid, as
 * process_facts_of() has them; why the kernel cannot be asked. */
struct watch *watch_new(const struct watch_settings *settings, int *error);
void watch_free(struct watch *watch);

/* Makes the next look a thorough one, however long that takes: before somebody is accused. */
void watch_look_thoroughly(struct watch *watch);

/* Looks once; `detailed`: with the kernel's own word on the oldest CLOSE_WAIT and on where data moved last.
 *
 * Where a look at all sockets takes long, most looks are brief, so that they take little of a core: they
 * leave out ESTABLISHED and TIME_WAIT, which are shown as the last full look has shown them (look->rest_s). A
 * detailed look is full.
 *
 * Owners are read anew with each change, and now and then, where that is cheap. Where it is not, the owners
 * of what is new are looked for where they are likely; of those who hold anything but ESTABLISHED and
 * listeners it is made sure that they still do, of 1,000 sockets at a look, in turns; and all are read anew
 * as often as a hundredth of a core allows, a five hundredth where looks are brief, or a fortieth while a
 * socket stays that has no owner yet.
 *
 * What a look points to holds until the next. Returns 0, or a negative errno: ESRCH, the process that is
 * watched has ended; EACCES, it may no longer be looked into; EINTR, the kernel's tables changed too much to
 * be read in one piece: look again. */
int watch_take(struct watch *watch, bool detailed, struct watch_look *look);

struct watch_growth {
    enum watch_set set;
    enum watch_group group;
    const struct watch_row *row;
    struct trend trend;
    int64_t idle_ms; /* of the watch's settings */
};

/* Groups that take detailed looks: data that does not move shows in these only, and a connection may well
 * rest for a while. */
#define GROUPS_AT_REST (GROUP_SET(GROUP_IDLE) | GROUP_SET(GROUP_UNREAD) | GROUP_SET(GROUP_UNSENT))

/* Groups that a brief look does not show. */
#define GROUPS_OF_FULL_LOOKS                                                                                 \
    (GROUP_SET(GROUP_ESTABLISHED) | GROUP_SET(GROUP_TIME_WAIT) | GROUP_SET(GROUP_ACCEPT_QUEUE))

/* How many of those that came to a group since its trend began have left it again, and how many came. */
struct watch_churn {
    int64_t came, left;
};
struct watch_churn watch_row_churn(const struct watch_row *row, enum watch_group group);

/* Whether those that come to it stay: of all but CLOSE_WAIT and ghosts, which nothing but close() ends, at
 * most a quarter of them has left. Otherwise they come and go, and grow as load does. */
bool watch_row_stays(const struct watch_row *row, enum watch_group group);

/* What grows most in one of these groups (a set), significantly and over at least so many seconds: a process;
 * a port or a program where that explains clearly more. False when nothing does, of which those that come
 * stay. */
bool watch_growing(const struct watch_look *look, uint32_t groups, double least_s,
                   struct watch_growth *growing);

/* A port whose accept queue has been full for so long while nobody was accepted; NULL: there is none. */
const struct watch_row *watch_stuck_queue(const struct watch_look *look, double least_s);

#endif
