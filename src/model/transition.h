/* transition: what a move from one TCP state to another is: an arrow of the diagram in RFC 9293
 * (section 3.3.2, figure 5, with its notes 1 and 2), something else that the RFC or Linux does, or nothing
 * that either does. The figure's CLOSED is STATE_GONE here. Its LISTEN to SYN-RECEIVED is a connection that
 * begins in SYN_RECV: the listener stays where it is. */
#ifndef MODEL_TRANSITION_H
#define MODEL_TRANSITION_H

#include "events/transition_counts.h"

#include <stdbool.h>

enum transition_kind {
    TRANSITION_DIAGRAM,    /* an arrow of figure 5 */
    TRANSITION_RESET,      /* an RST: note 3 of figure 5 */
    TRANSITION_ABORT,      /* its own side gave it up with an RST (3.10.5), or without one */
    TRANSITION_UNANSWERED, /* nobody answered: the user timeout (3.10.8) */
    TRANSITION_SHORTENED,  /* Linux leaves TIME_WAIT out: tcp_fin_timeout, tcp_max_tw_buckets or an RST of its
                              own */
    TRANSITION_UNSEEN,  /* the kernel goes on with a small socket, which this level of events does not see */
    TRANSITION_OUTSIDE, /* neither the RFC nor Linux does that */
    TRANSITION_KINDS,
};

/* sees_small: timewait sockets are counted too (EVENTS_ALL). `why` counts only for moves to STATE_GONE. */
enum transition_kind transition_kind(enum side side, enum tcp_state from, enum tcp_state to,
                                     enum transition_why why, bool sees_small);

/* What makes the arrow, as figure 5 has it: "rcv FIN / snd ACK"; "" for TRANSITION_OUTSIDE. */
const char *transition_event(enum side side, enum tcp_state from, enum tcp_state to, enum transition_why why);

/* "diagram", "reset", "abort", "unanswered", "shortened", "unseen", "outside": in JSON. */
const char *transition_kind_name(enum transition_kind kind);

/* "orderly", "reset", "timed-out", "destroyed", "unacknowledged". */
const char *transition_why_name(enum transition_why why);

/* All moves of that kind, of both sides. */
int64_t transitions_of_kind(const struct transition_counts *counts, enum transition_kind kind,
                            bool sees_small);

/* All moves of a side from one state to another, whatever the reason. */
int64_t transitions_between(const struct side_transitions *side, enum tcp_state from, enum tcp_state to);

/* All moves of both sides. */
int64_t transitions_in_all(const struct transition_counts *counts);

/* What came after `before` was read. The longest time of a state is that of its longest bucket where an
 * earlier one was longer. */
struct transition_counts transitions_since(const struct transition_counts *now,
                                           const struct transition_counts *before);

/* Adds all of it; the longest time is the longer of both. */
void transitions_add(struct transition_counts *to, const struct transition_counts *from);

#endif
