/* forecast: how fast sockets pile up, and when it hurts, from the ages of their FINs in one look.
 *
 * n sockets whose FINs came between the grace and the oldest make a rate; its 95 % interval is that of n, n
 * +- 1.96 sqrt(n F), where F, the Fano factor (variance by mean of the counts in ten bins, at least 1),
 * allows for sockets that come in clumps. Where keep-alive runs the ages are no longer known: there two
 * counts of descriptors make the rate. */
#ifndef EXPLAIN_FORECAST_H
#define EXPLAIN_FORECAST_H

#include "explain/facts.h"
#include "explain/group.h"

enum {
    FORECAST_LEAST = 8, /* sockets, or descriptors that were added: below there is no rate */
    FORECAST_BINS = 10,
};

enum forecast_kind {
    FORECAST_NONE,    /* too few, all at once, or ages that are not known */
    FORECAST_STOPPED, /* none came lately */
    FORECAST_STEADY,
    FORECAST_UNEVEN, /* the newer half came at another rate than the older: the rate is that of the newer */
};

struct forecast {
    enum forecast_kind kind;
    bool from_descriptors; /* else from ages */
    int count;             /* sockets that it is made from */
    double per_s, low_per_s, high_per_s;
    double span_s;      /* over which they came */
    double youngest_ms; /* the last FIN's age; -1: from descriptors */
};

/* Of ages in milliseconds, in any order, which it sorts; none is below the grace. */
struct forecast forecast_of_ages(double *ages_ms, int count, double grace_ms);

/* Of two counts of descriptors. */
struct forecast forecast_of_descriptors(int64_t before, int64_t now, int64_t apart_ms);

enum room_kind { ROOM_NONE, ROOM_DESCRIPTORS, ROOM_QUEUE };

/* When the room is taken up: descriptors of a process, or places in an accept queue. */
struct outlook {
    struct forecast forecast;
    enum room_kind room;
    int process, listener;         /* whose; -1 */
    int64_t left;                  /* -1: not known */
    double seconds, soonest, last; /* INFINITY: never at that rate; seconds < 0: not known */
};

/* Of what fills up first: a process's descriptors, or an accept queue. room is ROOM_NONE when nothing can be
 * told. Returns 0 or -ENOMEM. */
int outlook_of(const struct facts *facts, const struct groups *groups, int64_t grace_ms,
               struct outlook *outlook);

#endif
