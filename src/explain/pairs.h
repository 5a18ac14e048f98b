/* pairs: what belongs to the sockets of a group one to one: a thread that fell asleep over each, the other
 * half of each connection of a proxy. Nothing names such pairs; that their times agree for most of them does.
 */
#ifndef EXPLAIN_PAIRS_H
#define EXPLAIN_PAIRS_H

#include "explain/facts.h"
#include "explain/group.h"

enum { PAIRS_PERCENT = 70 }; /* of the sockets that must have one: the others may have come in between */

struct pairs {
    int threads; /* asleep since the sockets' last data, one each; 0 where EOF was read: a thread that has
                    read it may just have gone back to its pool */
    int outside; /* likewise, of those that do not wait for a lock: idle threads do */
    int late; /* where all was read: asleep since any time after the last data. They may be blocked over it,
                 or idle */
    bool halves; /* about as many connections of the other way are open, to few addresses where they are
                    outgoing, and were opened with these */
};

/* Returns 0 or -ENOMEM. */
int pairs_of(const struct facts *facts, const struct groups *groups, const struct group *group,
             struct pairs *pairs);

#endif
