/* workers: the processes of one order as their controller sees them: server workers, client workers and the
 * witness, each with its stream and what it has reported. It starts them, and it sees to it that all of them
 * have left. */
#ifndef CONTROL_WORKERS_H
#define CONTROL_WORKERS_H

#include "analysis/outage.h"
#include "control/link.h"
#include "control/spawn.h"
#include "kernel/histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

struct peer {
    struct host *host; /* where it runs */
    void *owner;       /* whoever made them */
    struct workers *workers;
    struct process process;
    struct link *link; /* NULL before the start */
    bool is_witness;
    int witness;    /* index of the witness that sees its sockets */
    enum side side; /* of a worker */
    bool said_hello;
    int64_t heard_us;     /* when its last line came, CLOCK_MONOTONIC */
    int64_t ping_serial;  /* the last that it was sent; 0: none */
    int64_t pong_serial;  /* the last that it answered */
    int64_t asked_ping;   /* the last that it was sent before the question that it owes an answer to */
    bool killed_by_order; /* killed on purpose: its exit is expected */
    bool acting;          /* has been told to act and has not said that it is done */
    int64_t fds;
    int64_t errors;
    int64_t acted;  /* ends, in the act under way */
    int64_t failed; /* of them */
    int failed_errno;
    bool owes_ghosts;       /* has been asked for them and has not answered */
    bool is_stopping;       /* likewise, to stop */
    bool owes_owners;       /* likewise, a witness, whose the lingering sockets are */
    int reports_owed;       /* that have to come before a flow's step is done */
    struct flow_tally flow; /* where connections come one by one */
};

struct workers {
    struct event_base *base;
    struct peer *peers; /* servers, then as many clients, then the witnesses */
    int pairs;
    int worker_count;
    int count;
    int witness_count; /* one for each host that sees sockets which no other does; one where there are none */
    bool dismissed;    /* has been asked to leave */
    int64_t killed_us; /* when it was killed as a whole; 0: it was not */
    struct event *kill_timer, *child_signal;
    const char *const *roles[SIDE_COUNT];            /* the words that start a worker of that side */
    void (*on_lost)(void *owner, struct peer *peer); /* one left that was not asked to */
    void (*on_dead)(void *owner, struct peer *peer); /* one that was killed by the order has ended */
    link_on_bad *on_bad; /* gets the peer, as on_message does: its lines are none of the protocol */
    void *owner;
};

struct hosts;

/* Makes room for the processes; none is started. `hosts`: where they run.
 * `roles` are each side's words for cmd_worker, NULL at their end, and stay the caller's. Returns 0 or
 * -ENOMEM. */
int workers_init(struct workers *workers, struct event_base *base, int pairs, struct hosts *hosts,
                 const char *const *const roles[SIDE_COUNT], void (*on_lost)(void *owner, struct peer *peer),
                 void *owner);

/* Starts them all; `on_message` gets the peer as its context. Returns 0, or a negative errno and the peer
 * that did not come up. */
int workers_start(struct workers *workers, message_handler *on_message, struct peer **failed);

/* Asks all to leave, and kills those that have not after a while. The event loop is broken when all have
 * left. */
void workers_dismiss(struct workers *workers);

/* Kills one by plan. */
void peer_kill_by_order(struct peer *peer);

/* All of them at once. */
void workers_kill(struct workers *workers);

/* Kills those that are here and waits until they have ended, for half a second at most; the event loop need
 * not turn. Those elsewhere are told to end, and not waited for. */
void workers_end_now(struct workers *workers);

/* Collects who has ended. A SIGCHLD calls it; as one can be missed, so should a timer. */
void workers_reap(struct workers *workers);

/* Where they were killed some seconds ago and a process of this machine is still there: gives it up, so
 * that workers_have_left(), and returns it. NULL: no such one. Those on hosts are the hosts' to end: hosts.h.
 */
const struct peer *workers_give_up(struct workers *workers, int64_t now_us);

/* A line of this peer has come. */
void peer_heard(struct peer *peer);

/* Asks each that has said hello, and has answered before, whether it is there. */
void workers_ping(struct workers *workers);

/* This process was stopped: that nobody was heard proves nothing. */
void workers_excuse(struct workers *workers);

/* True until it has ended, or been killed by plan. */
bool peer_is_alive(const struct peer *peer);

/* True when it was dismissed and no process is left. */
bool workers_have_left(const struct workers *workers);

/* Frees the streams and the room; the processes have left. */
void workers_free(struct workers *workers);

struct peer_text {
    char text[144];
};

/* "client worker 0", and where: " on host \"ssh web1\"" where the run has hosts. */
struct peer_text peer_name(const struct peer *peer);

/* The i-th of witness_count. */
struct peer *workers_witness(const struct workers *workers, int i);

struct peer *workers_server(const struct workers *workers, int pair);
struct peer *workers_client(const struct workers *workers, int pair);

/* What all workers of each side have reported together. */
void workers_sum(const struct workers *workers, int64_t fds[SIDE_COUNT], int64_t errors[SIDE_COUNT]);
void workers_sum_flow(const struct workers *workers, struct flow_tally sums[SIDE_COUNT]);

#endif
