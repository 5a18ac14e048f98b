/* event_witness: the second witness of an order, where there is one: what the kernel's programs count of its
 * transitions (--witness events), held against the looks of the first. */
#ifndef ENGINE_EVENT_WITNESS_H
#define ENGINE_EVENT_WITNESS_H

#include "analysis/transition_report.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

struct event_witness {
    struct socket_events *events;      /* borrowed; NULL: there is none, and nothing is done */
    struct transition_counts before;   /* the order */
    struct transition_counts at_begin; /* of the last look */
    struct transition_counts now;      /* of the order, at the last reading */
    bool is_still;                     /* nothing moved while the last look lasted */
    int64_t agreed, compared;
    struct difference no_verdict; /* a difference at a time when events were missed: "" when there was none */
};

/* What a comparison comes to. */
enum agreement {
    AGREES,  /* or there is nothing to compare */
    MOVES,   /* sockets moved while the look lasted: another one may tell */
    DIFFERS, /* and how */
};

/* Counts the sockets of these ports in this process's network namespace, from now on: before their listeners
 * are there. */
void event_witness_aim(struct event_witness *witness, struct socket_events *events,
                       const struct port_range *ports);

void event_witness_look_begins(struct event_witness *witness);
void event_witness_look_ends(struct event_witness *witness);

/* The gauge and the look that has ended. */
enum agreement event_witness_compare(const struct event_witness *witness,
                                     const struct histogram sides[SIDE_COUNT], struct difference *difference);

/* Takes note of what a settled step has come to. A difference while events were missed is none: it goes to
 * no_verdict. Returns false for one that is. */
bool event_witness_note(struct event_witness *witness, enum agreement agreement,
                        const struct difference *difference);

/* Reads what there is now. */
void event_witness_read(struct event_witness *witness);

/* The sockets that are there now, given the last look. */
void event_witness_gauge(const struct event_witness *witness, const struct histogram looked[SIDE_COUNT],
                         struct histogram sides[SIDE_COUNT]);

/* False, and how not, when the transitions are not what the order makes; expected NULL: any that TCP makes.
 */
bool event_witness_is_as_expected(struct event_witness *witness, int64_t conns,
                                  const struct order_transitions *expected, struct difference *difference);

/* Of the last reading; borrowed from the witness. */
struct transition_report event_witness_report(const struct event_witness *witness, int64_t conns);

#endif
