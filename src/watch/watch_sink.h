/* watch_sink: whoever is told of each look of a watch: a table, a file, a server of metrics, a recorder, a
 * screen that stays. A watch has several, and tells them in their order. */
#ifndef WATCH_WATCH_SINK_H
#define WATCH_WATCH_SINK_H

#include "watch/watch.h"

#include <stdbool.h>
#include <stddef.h>

enum { WATCH_SINKS_MAX = 8, WATCH_SINK_ENDS = 1 };

/* Each function may be NULL. They return 0, or WATCH_SINK_ENDS, after which the watch ends in order, with a
 * last look; or a negative errno, after which it ends at once: what it writes to takes no more. */
struct watch_sink_ops {
    int (*begin)(void *sink); /* before the first look */
    /* `is_last`: none follows. What the look points to holds until the next one. */
    int (*look)(void *sink, const struct watch_look *look, bool is_last);
    /* A look that could not be taken: the kernel's tables moved too much (EINTR). Another one follows. */
    int (*lost)(void *sink, int error);
    /* Between two looks: when its descriptor has something to read, and every 50 ms at the latest. */
    int (*between)(void *sink);
    int (*end)(void *sink); /* after the last look, or when the watch has failed */
};

struct watch_sink {
    const struct watch_sink_ops *ops;
    void *self;
    const char *name; /* of what it writes to, in "cannot write NAME" */
    int fd;           /* that it waits to read from, an epoll set of several; -1: none */
};

struct watch_sinks {
    struct watch_sink each[WATCH_SINKS_MAX];
    int count;
};

/* There is room: the sinks of a command are known. */
static inline void watch_sinks_add(struct watch_sinks *sinks, struct watch_sink sink)
{
    sinks->each[sinks->count++] = sink;
}

#endif
