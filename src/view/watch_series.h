/* watch_series: what a monitor is told of, row by row: a port of a server, or a program and the remote port
 * that it uses. A row stays when all of its sockets have gone, so that its numbers go back to 0 and do not
 * end.
 *
 * There are at most WATCH_SERIES_MAX of them: then the one that has been empty for the longest time makes
 * room, and where none is empty the sockets are counted in one last row, WATCH_SERIES_OTHER. */
#ifndef VIEW_WATCH_SERIES_H
#define VIEW_WATCH_SERIES_H

#include "analysis/recent_trend.h"
#include "watch/watch.h"

#include <stdbool.h>
#include <stdint.h>

enum { WATCH_SERIES_MAX = 128, WATCH_SERIES_OTHER = WATCH_SERIES_MAX };

struct watch_series_row {
    bool is_used;
    const char *side;                                  /* "server", "client", "unknown"; "other" */
    char port[8], program[16], service[64], netns[64]; /* the last three "": not known */
    double empty_since_s;                              /* on the looks' clock; negative: it has sockets */
    struct watch_row now;                              /* its pointers are not kept */
    int64_t came[WATCH_GROUPS];                        /* as of the last look at which it had sockets */
    struct recent_trend *trends[WATCH_GROUPS];         /* NULL: it never had any */
};

/* Zero-initialised: none. */
struct watch_series {
    struct watch_series_row rows[WATCH_SERIES_MAX + 1];
};

void watch_series_free(struct watch_series *series);

/* Takes over what a look has shown. Returns 0 or -ENOMEM. */
int watch_series_note(struct watch_series *series, const struct watch_look *look);

/* How the group has grown of late; unknown where the row has no sockets now. */
struct trend watch_series_trend(const struct watch_series_row *row, enum watch_group group);

/* Whether that is a leak, over long enough to be sure; of all but CLOSE_WAIT and ghosts, which nothing but
 * close() ends, those that come have to stay: see watch_growing(). */
bool watch_series_grows(const struct watch_series_row *row, enum watch_group group);

/* Seconds until the descriptors of its process are gone. INFINITY: nothing of what it holds grows; NAN: its
 * limit is not known. */
struct watch_series_forecast {
    double earliest_s, s, latest_s;
};
struct watch_series_forecast watch_series_forecast(const struct watch_series_row *row);

#endif
