/* transition_report: what the transitions of an order mean: how many are arrows of the diagram and what the
 * rest is, whether they are those of the order, and whether the gauge of the events agrees with a look. */
#ifndef ANALYSIS_TRANSITION_REPORT_H
#define ANALYSIS_TRANSITION_REPORT_H

#include "analysis/expectation.h"
#include "events/socket_events.h"
#include "model/order_transitions.h"

#include <stdbool.h>
#include <stdint.h>

/* What the events have come to. */
struct transition_report {
    enum events_level level;
    const char *lack;                       /* why it is not EVENTS_ALL; "" where it is */
    const struct transition_counts *counts; /* of this order */
    int64_t conns;
    int64_t agreed, compared; /* settled steps at which gauge and look were equal, and at which they were held
                                 against each other */
};

/* True when the kernel says that events were missed: then a difference is no proof of anything. */
bool transitions_were_missed(const struct transition_counts *counts);

/* How the gauge differs from a look during which nothing moved: false, and how. Compared are the states that
 * the level sees. */
bool transitions_agree(const struct transition_counts *counts, enum events_level level,
                       const struct histogram sides[SIDE_COUNT], struct difference *difference);

/* What is there now: of the states whose sockets the level counts all as the events have them, of others as
 * the last look had them. What only a look tells of a state's sockets is of no more than are there. */
void transitions_gauge(const struct transition_counts *counts, enum events_level level,
                       const struct histogram looked[SIDE_COUNT], struct histogram sides[SIDE_COUNT]);

/* True when nothing has moved between the two. */
bool transitions_are_still(const struct transition_counts *before, const struct transition_counts *after);

/* Whether none is outside of what TCP does, and, with `expected`, each is there as often as the order makes
 * it: false, and how not. */
bool transitions_are_as_expected(const struct transition_report *report,
                                 const struct order_transitions *expected, struct difference *difference);

struct transition_text {
    char text[1800];
};

/* "1,000 connections made 10,002 transitions, every one an arrow of RFC 9293's diagram, 0 outside. ...":
 * sentences, one a line. */
struct transition_text transition_sentences(const struct transition_report *report);

/* "10,002 transitions, every one an arrow of RFC 9293's diagram, 0 outside." */
struct transition_text transition_summary(const struct transition_report *report);

/* What is not counted, and what was missed: sentences, one a line; "" when nothing is. */
struct transition_text transition_caveats(const struct transition_report *report);

#endif
