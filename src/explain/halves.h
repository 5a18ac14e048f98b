/* halves: which open connection of a proxy is the other half of an accepted one whose peer has closed, so
 * surely that it may be acted on. Nothing in the kernel names such a pair. A proxy that copies bytes shows
 * it: both have carried the same bytes both ways, the last of them at the same time, and no other connection
 * of the process that may still be served fits as well.
 *
 * A proxy that changes what it copies (TLS, headers) has no sure halves. */
#ifndef EXPLAIN_HALVES_H
#define EXPLAIN_HALVES_H

#include "explain/facts.h"

enum {
    HALVES_EARLY_MS = 300, /* a table that is read for so long tells clocks of different moments */
    HALVES_LATE_MS = 2000, /* a proxy under load passes on what it gets within that time */
};

enum half_finding {
    HALF_FOUND,
    HALF_NONE,     /* no open connection has carried the same at the same time */
    HALF_SILENT,   /* it has carried nothing, so nothing shows which one it is */
    HALF_DOUBTFUL, /* a connection fits that may be that of another client */
    HALF_SHARED,   /* several processes hold it, or it has no descriptor, or is not yet done with */
    HALF_COUNT,
};

struct half {
    int lingering, other; /* of facts->sockets; other is -1 unless it is found */
    enum half_finding finding;
};

/* Of each socket for which lingers[i] says so, `halves`, which has room for as many, in their order. Returns
 * how many, or -ENOMEM. */
int halves_find(const struct facts *facts, const bool *lingers, struct half *halves);

#endif
