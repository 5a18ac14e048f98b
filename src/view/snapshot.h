/* board: what is there now: the last look at every order that is under way, and where it is. For views that
 * show a moment: live, metrics. */
#ifndef VIEW_SNAPSHOT_H
#define VIEW_SNAPSHOT_H

#include "engine/events.h"

enum { BOARD_ORDERS_MAX = 16 };

struct board_order {
    const struct close_order *order;
    int64_t conns;
    char step[32];
    const char *doing; /* static */
    double elapsed_s;
    int64_t done, total; /* as in struct progress */
    double left_s;
    bool has_look;
    struct sample look; /* its pointers are not kept, its sides are below */
    struct histogram sides[SIDE_COUNT];
    int64_t look_began_us; /* monotonic */
};

struct board {
    int64_t run_began_us; /* monotonic */
    int64_t looks;        /* of the whole run */
    int count;
    struct board_order
        orders[BOARD_ORDERS_MAX]; /* under way; more than one where several are held together */
};

/* What the observer of the same name hears. */
void board_run_start(struct board *board);
void board_order_start(struct board *board, const struct order_start *start);
void board_sample(struct board *board, const struct sample *sample);
void board_progress(struct board *board, const struct progress *progress);
void board_order_end(struct board *board, const struct order_end *end);

/* Everything added up over the orders under way; look_s and t_s are of the last look. */
struct board_order board_sum(const struct board *board);

/* Connections in a state, gone included, of a sum or an order that has had a look. */
int64_t board_count(const struct board_order *of, enum side side, enum tcp_state state);

#endif
