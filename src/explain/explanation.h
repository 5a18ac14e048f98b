/* explanation: a look, explained: for each group of sockets that linger the rule that fits and its sentences,
 * and of all of them what they share and how fast they grow. */
#ifndef EXPLAIN_EXPLANATION_H
#define EXPLAIN_EXPLANATION_H

#include "explain/closing.h"
#include "explain/contrast.h"
#include "explain/facts.h"
#include "explain/forecast.h"
#include "explain/group.h"
#include "explain/life.h"
#include "explain/peek.h"
#include "explain/rules.h"
#include "explain/words.h"

enum { EXPLAIN_GRACE_MS = 1000 }; /* a FIN that is younger may just be worked on */

struct finding {
    const struct group *group; /* NULL: connections that are lost, and leave no socket */
    const struct rule *rule;
    enum certainty certainty; /* the rule's, or less where it is not sure which thread it is */
    struct life life;
    int thread;                   /* that the sentences name; -1 */
    struct lingering_share share; /* all 0: there was no window */
    struct words maker;           /* what runs where they were made, if that is another; "" */
    struct words heading;         /* what they are; "" without a group */
    struct words verdict;         /* why they linger */
    struct words act;             /* what to do about it */
    bool is_peeked;               /* explanation_peek() was asked for, and it has a group */
    struct peeked peeked;
};

struct explanation {
    const struct facts *facts;
    struct groups groups;
    struct finding *findings; /* in the order of the groups, the largest first */
    int finding_count;
    int64_t ghosts; /* descriptors of all processes that are in no table */
    struct contrast contrast;
    struct outlook outlook;
    struct closing closing; /* of a window */
};

/* `facts` must stay until explanation_free(). Returns 0 or -ENOMEM with nothing to free. */
int explanation_of(const struct facts *facts, int64_t grace_ms, struct explanation *explanation);
void explanation_free(struct explanation *explanation);

/* Looks at the first bytes that nobody has read, of one socket of each group. */
void explanation_peek(struct explanation *explanation);

/* Something lingers, or is lost. */
bool explanation_has_something(const struct explanation *explanation);

#endif
