/* watch_pick: of a look those ports that a person asks for, in the order that is asked for. */
#ifndef VIEW_WATCH_PICK_H
#define VIEW_WATCH_PICK_H

#include "watch/watch.h"

#include <stdbool.h>

enum watch_order {
    ORDER_OWED,   /* CLOSE_WAIT and ghosts, the most first, as the looks have them */
    ORDER_GROWTH, /* what grows most, in any group that is a leak */
    ORDER_AGE,    /* the oldest CLOSE_WAIT */
    ORDER_SOCKETS,
    ORDER_PORT,
    ORDER_PROCESS, /* by name */
    WATCH_ORDERS,
};

/* "owed", "growth"... */
const char *watch_order_name(enum watch_order order);

struct watch_picking {
    enum watch_order order;
    bool is_reversed;
    const char
        *filter; /* what a port's line, its processes or states have in them, in either case; "": all */
};

/* Makes `picked` a copy of the look with those ports alone; what it shares with the look holds as long as
 * that. Free it with watch_picked_free(). Returns 0 or -ENOMEM. */
int watch_pick(const struct watch_look *look, const struct watch_picking *picking, struct watch_look *picked);
void watch_picked_free(struct watch_look *picked);

#endif
