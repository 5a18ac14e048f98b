/* call_history: what has been done with each connection. A connection is known by the inode of its socket,
 * which no other has while the machine runs: a descriptor's number may be another's at the next call. */
#ifndef TRACE_CALL_HISTORY_H
#define TRACE_CALL_HISTORY_H

#include "base/number_set.h"
#include "trace/trace_report.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HISTORY_NOTES = 32, /* of a connection; of more, the first HISTORY_FIRST and the last are kept */
    HISTORY_FIRST = 12,
};

struct known_connection {
    struct traced_connection is; /* without its holders */
    int room;                    /* for notes */
    uint64_t born;               /* when it was met: see call_history_moment() */
    int place, unreturned;       /* while a report is made: in it, and calls that have not returned */
    struct known_connection *next;
};

/* Zero-initialised: empty. */
struct call_history {
    struct known_connection **buckets;
    size_t bucket_count, count;
    struct number_set others; /* inodes of sockets that are no connections, and do not become one */
    uint64_t moment;
};

/* A number that is larger each time: what came first. */
uint64_t call_history_moment(struct call_history *history);

/* NULL: none of those met so far. */
struct known_connection *call_history_find(const struct call_history *history, uint64_t inode);

/* One that was not met so far. NULL: out of memory. */
struct known_connection *call_history_add(struct call_history *history, uint64_t inode);

/* Returns 0 or -ENOMEM. */
int call_history_note(struct known_connection *connection, const struct traced_note *note);

void call_history_free(struct call_history *history);

#endif
