/* evidence: the questions that the rules ask about one group of sockets, each answered from the facts alone.
 */
#ifndef EXPLAIN_EVIDENCE_H
#define EXPLAIN_EVIDENCE_H

#include "explain/facts.h"
#include "explain/group.h"
#include "explain/loop.h"
#include "explain/pairs.h"

/* How many of a listener's connections linger, of those whose end a window has seen. */
struct lingering_share {
    int lingering, all;
    double low, high; /* 95 % (Wilson) */
};

struct evidence {
    const struct facts *facts;
    const struct groups *groups;
    const struct group *group;
    struct loop_culprit culprit;  /* of its holders, or of those that could accept; thread -1: none */
    int culprit_count;            /* threads like it, that wait outside */
    struct lingering_share share; /* all 0: there was no window */
    struct pairs pairs;
};

/* Collects what takes a search. Returns 0 or -ENOMEM. */
int evidence_of(const struct facts *facts, const struct groups *groups, const struct group *group,
                int64_t grace_ms, struct evidence *evidence);

struct lingering_share lingering_share_of(const struct facts *facts, int64_t grace_ms, int listener);

typedef bool question(const struct evidence *evidence);

/* ---- who holds them, what state are they in ---- */
question is_half_closed; /* the program has sent its FIN and keeps the descriptor */
question is_mptcp;       /* what it has read is not known */
question is_queued, is_held, is_with_heirs, is_hidden, is_in_flight, is_in_closed_call, is_ghost_group,
    is_behind, is_outgoing, is_accepted;
question descriptors_are_used_up; /* of the process that holds them, or that could accept */
/* ... or may have been once: its table has had room for as many as the limit. */
question descriptors_were_used_up;

question holder_listens;        /* who holds them is a server */
question is_of_listener;        /* a listener that is open here accepted them */
question was_mostly_never_used; /* nothing was sent on most */
question was_mostly_unanswered; /* something was sent on most, and nothing has come */

/* ---- of ghosts: the error that ended them ---- */
question error_waits, error_was_read, no_error_is_needed;

/* ---- what was read ---- */
question all_is_read, perhaps_all_is_read, recv_queue_is_empty; /* the third: either of them */
question something_is_unread, nothing_is_read, rest_is_unread;
question eof_is_proven;         /* of all */
question is_like_unread_beside; /* EOF may not have been seen, and others, alike but for that, are unread */
question is_beside_read;        /* at least half as many others, alike but for that, have read EOF */
question most_are_unsent;       /* Send-Q > 0 in most */

/* ---- who waits ---- */
question would_be_heard;    /* level-triggered EPOLLIN: whoever turned the loop would hear of it */
question nobody_turns_it;   /* ... and no thread is in epoll_wait() on that set */
question is_deaf;           /* registered, without reading */
question is_spent;          /* EPOLLONESHOT, used up */
question is_edge_triggered; /* EPOLLIN with EPOLLET, or a set of which the mask could not be read */
question nobody_waits;      /* in no set that could be seen, and no thread is in a call on it */
question nobody_hears; /* in no set; or that could not be seen, but it would have woken a thread that rests */
question loop_is_stuck, loop_rests, no_loop_rests; /* the third: it is not seen at rest */
question polls_without_epoll;
question somebody_is_outside; /* there is a culprit */
question somebody_closes;     /* the culprit is in close() */
question somebody_is_busy;
question loop_runs; /* it was not seen at rest, and nothing holds it up: it runs, or waits for a CPU */
question heir_waits_for_another; /* the heirs are in a call on another connection */
question threads_match;          /* a thread each, asleep since their last data, for 70 % of them */
question threads_match_outside;
question late_threads_match;     /* where all was read: ... asleep since any time after their last data */
question handler_may_be_blocked; /* a thread waits outside, or handlers are no threads (Go) */
question others_are_held_up;     /* of the same loop: a queue, or something unread of which it would hear */

/* ---- the listener of a queue ---- */
question listener_would_be_heard, listener_is_unserved, listener_is_deaf, listener_is_edge_triggered;

/* ---- others ---- */
question
    outgoing_ones_match; /* about as many outgoing connections are open, to few addresses, opened with them */
question accepted_ones_match; /* of outgoing ones: the reverse */
question most_leak, few_leak; /* in the window: 90 % and more; clearly less */

#endif
