/* watch_outlook: when what grows will hurt: a process has no descriptor left, an accept queue no place. */
#ifndef WATCH_WATCH_OUTLOOK_H
#define WATCH_WATCH_OUTLOOK_H

#include "analysis/exhaustion.h"
#include "watch/watch.h"

#include <stdbool.h>

struct watch_outlook {
    const struct watch_row *row;
    enum watch_group group; /* GROUP_ACCEPT_QUEUE: its places are what runs out; else descriptors */
    double room;            /* what is left now */
    struct exhaustion forecast;
    double then_queue_s; /* the accept queue of a server without descriptors is full within so many seconds,
                            as clients come now; -1: not known */
};

/* What of a row will be gone first. False where nothing grows for sure: see analysis/exhaustion.h. */
bool watch_outlook_of(const struct watch_look *look, const struct watch_row *row,
                      struct watch_outlook *outlook);

/* What will be gone first of all, by the end of its interval; of what has grown for at least so many seconds.
 */
bool watch_soonest(const struct watch_look *look, double least_s, struct watch_outlook *outlook);

#endif
