/* snapshot: what is there now: the last look at every order that is under way, and where it is. For views
 * that show a moment: live, metrics. */
#ifndef VIEW_SNAPSHOT_H
#define VIEW_SNAPSHOT_H

#include "engine/observer.h"

enum { BOARD_ORDERS_MAX = 16 };

struct snapshot_order {
    const struct experiment *experiment;
    int64_t conns;
    char step[32];
    const char *doing; /* static */
    double elapsed_s;
    int64_t done, total; /* as in struct progress */
    double left_s;
    bool has_look;
    struct sample look; /* its pointers are not kept, its sides are below */
    struct histogram sides[SIDE_COUNT];
    int64_t gone[SIDE_COUNT]; /* see histogram_gone */
    int64_t look_began_us;    /* monotonic */
};

struct snapshot {
    int64_t run_began_us; /* monotonic */
    int64_t looks;        /* of the whole run */
    int count;
    struct snapshot_order
        orders[BOARD_ORDERS_MAX]; /* under way; more than one where several are held together */
};

/* What the observer of the same name hears. */
void snapshot_run_start(struct snapshot *snapshot);
void snapshot_order_start(struct snapshot *snapshot, const struct order_start *start);
void snapshot_sample(struct snapshot *snapshot, const struct sample *sample);
void snapshot_gauge(struct snapshot *snapshot, const struct gauge *gauge);
void snapshot_progress(struct snapshot *snapshot, const struct progress *progress);
void snapshot_order_end(struct snapshot *snapshot, const struct order_end *end);

/* Everything added up over the orders under way; look_s and t_s are of the last look. */
struct snapshot_order snapshot_sum(const struct snapshot *snapshot);

/* Connections in a state, gone included, of a sum or an order that has had a look. */
int64_t snapshot_count(const struct snapshot_order *of, enum side side, enum tcp_state state);

#endif
