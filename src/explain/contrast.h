/* contrast: what the sockets that linger have in common and the healthy ones of the same listener have not.
 * Healthy are those that are open, and in a window those that ended in it.
 *
 * A trait is told that at least half of the lingering have, and at least three times as large a share of them
 * as of the healthy; half a socket more is added on each side, so that few sockets prove little. */
#ifndef EXPLAIN_CONTRAST_H
#define EXPLAIN_CONTRAST_H

#include "explain/facts.h"
#include "explain/group.h"

enum trait {
    TRAIT_NEVER_SENT, /* the peer has never sent a byte */
    TRAIT_UNANSWERED, /* it has sent some, and never got one */
    TRAIT_ANSWERED,
    TRAIT_PEER,
    TRAIT_NETWORK, /* of the peer: IPv4 /24, IPv6 /64 */
    TRAIT_LISTENER,
    TRAIT_BYTES, /* so many bytes received */
    TRAIT_KEEPALIVE,
    TRAIT_COUNT,
};

struct shared_trait {
    enum trait trait;
    struct fact_endpoint peer; /* TRAIT_PEER, _NETWORK; TRAIT_LISTENER: the listener's */
    uint64_t bytes;            /* TRAIT_BYTES */
    int lingering, healthy;    /* how many have it */
    double lift;               /* share of the lingering by share of the healthy, as above */
};

enum {
    CONTRAST_LEAST = 5, /* lingering and healthy ones each: below nothing is told */
    CONTRAST_MOST = 3,  /* traits, those that tell the most first */
};

struct contrast {
    struct shared_trait traits[CONTRAST_MOST];
    int count;
    int lingering, healthy; /* that were compared */
};

/* Returns 0 or -ENOMEM. */
int contrast_of(const struct facts *facts, const struct groups *groups, struct contrast *contrast);

#endif
