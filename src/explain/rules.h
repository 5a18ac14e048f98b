/* rules: what the facts of a group of sockets mean: one table, of which the first row that fits is taken.
 *
 * Nothing here says more than the kernel can know. Whether it was the program or the runtime under it that
 * has read EOF cannot be seen from outside, and what two bugs look alike in is told as both, with what
 * decides. */
#ifndef EXPLAIN_RULES_H
#define EXPLAIN_RULES_H

#include "explain/evidence.h"

enum certainty {
    CERTAIN_SHOWN,  /* the facts leave no other reading */
    CERTAIN_LIKELY, /* another reading is possible */
    CERTAIN_ONE_OF, /* several readings fit as well as each other: `causes` lists them */
    CERTAIN_NOT,    /* nothing can be told */
    CERTAIN_COUNT,
};

/* What from outside the program may free its descriptors: explain/first_aid makes sure of each socket. */
enum cure {
    CURE_NONE,
    CURE_HALF_CLOSE, /* shutdown(SHUT_WR) on the open half, the call that a proxy forgot */
    CURE_END_SEND,   /* shutdown(SHUT_RDWR), so that a handler's send() returns */
    CURE_COUNT,
};

enum { RULE_QUESTIONS = 5, RULE_CAUSES = 4 };

struct rule {
    const char *name;               /* for scripts: "loop-stuck" */
    question *when[RULE_QUESTIONS]; /* all of them hold */
    enum certainty certainty;
    const char *words;               /* sentences; in braces what explain/words fills in: {thread} */
    const char *causes[RULE_CAUSES]; /* as "tcpstorm causes" lists them; none: no cause of that list */
    const char *act;                 /* what to do about it, without a full stop */
    bool needs_dump;                 /* only a dump of the program's own tasks decides */
    bool needs_window;               /* a window decides */
    bool needs_audit;                /* an audit decides */
    enum cure cure;
};

/* The i-th row; NULL behind the last. */
const struct rule *rule_at(int i);

/* The row that fits: there always is one. */
const struct rule *rule_for(const struct evidence *evidence);

/* A row that speaks of no group: connections that are lost and leave no socket. NULL: nothing of that kind.
 */
const struct rule *rule_for_losses(const struct facts *facts);

/* Its sentences name the thread that stands in the way. */
bool rule_names_thread(const struct rule *rule);

/* "shown", "likely", "one of", "not known". */
const char *certainty_name(enum certainty certainty);

#endif
