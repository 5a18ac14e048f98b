/* growth: what of the processes' stock is new, round by round, and whether it is a leak.
 *
 * A pool grows too, and log files and worker's pipes are opened once: to grow is no leak. A leak goes on:
 * each round adds as many for its connections as the rounds before, and what they have left is still there at
 * the end. So where something grew with the last round, the audit plays rounds more by itself, of few
 * connections at a time: a pool has idle entries for those. What grew with two in a row is a leak; what did
 * not with the last is none; in between another round is played, CHECK_ROUNDS in all.
 *
 * A server has other clients too. What is new and takes the place of what was there is no growth; and what
 * grew no more than the others' connections did is theirs, for all that is known. */
#ifndef AUDIT_GROWTH_H
#define AUDIT_GROWTH_H

#include "audit/stock.h"

enum { CHECK_CONNS_MAX = 160 };

/* Zero-initialised: nothing is known. */
struct growth {
    struct stock first;   /* before the first connection */
    struct stock last;    /* of the round before, when it was over */
    struct stock reading; /* the last one of this round; empty: none yet */
};

/* Takes `stock` over as what is held before the first connection. */
void growth_begin(struct growth *growth, struct stock *stock);

/* Adds the stock of processes that were found later to what is held before the first connection. Returns 0 or
 * -ENOMEM. */
int growth_add_to_first(struct growth *growth, const struct stock *more);

/* Takes `stock` over as another reading in a round, of which 1 is the first. What is not in the reading
 * before, too, is not taken for growth yet. */
void growth_read(struct growth *growth, struct stock *stock, int round);

/* The last reading of all. */
const struct stock *growth_newest(const struct growth *growth);

/* The round is over: what is new from now on is of the next. */
void growth_end_round(struct growth *growth);

/* Ghosts of connections to the audited port that are new since the first connection, and in *owner a process
 * that holds one (0: none). */
int64_t growth_ghosts(const struct growth *growth, pid_t *owner);

/* Fills in what grew: rows, their verdicts, what is held before and after. `found->rounds`, `check_rounds`
 * and `conns` are the caller's. The server's ends of connections to the audited port, their ghosts too, are
 * judged elsewhere (findings.h): they are in no row. */
void growth_conclude(const struct growth *growth, struct audit_growth *found);

/* Whether a row grew with the last round so much that it is worth to wait for, or to check. */
bool growth_is_open(const struct audit_growth *found);

/* So many connections a check round takes to tell, at most CHECK_CONNS_MAX; 0: the rounds had too few. */
int64_t growth_check_conns(const struct audit_growth *found);

/* And so many at a time: half of what the least of them grew to, so that a pool has idle entries for all. */
int64_t growth_check_at_once(const struct audit_growth *found);

/* Whether some row is a leak. */
bool growth_is_leak(const struct audit_growth *found);

void growth_free(struct growth *growth);

#endif
