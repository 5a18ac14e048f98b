/* debt: what each side has left to do, from a look: the one rule that the verdict, the live view, CSV, JSON,
 * picture and report go by.
 *
 *   owed      ends that a program of this side must still close: CLOSE_WAIT, ghosts (see histogram.h), and
 *             SYN_SENT whose connect() it has given up
 *   stuck     CLOSE_WAIT that were never accepted: no program has a descriptor to close
 *   unclosed  ESTABLISHED and accepted: this side has not closed, and has heard no FIN that asks for it */
#ifndef ANALYSIS_DEBT_H
#define ANALYSIS_DEBT_H

#include "kernel/histogram.h"

struct debt {
    int64_t owed, stuck, unclosed;
};

struct debt debt_of(const struct histogram *seen);

/* Of what is owed the SYN_SENT. */
int64_t debt_abandoned(const struct histogram *seen);

struct debt_text {
    char text[160];
};

/* "The server owes 1,014 close() calls; 129 more were never accepted.", "Nobody owes a close()."; what is
 * graver is told first, and of both sides the server. scripts/plot and scripts/report word it alike. */
struct debt_text debt_sentence(const struct histogram sides[SIDE_COUNT]);

#endif
