/* ladder: one connection as a ladder diagram in the manner of RFC 9293, section 3.5: the client's states on
 * the left, the server's on the right, and between them the segments of each step. */
#ifndef VIEW_LADDER_H
#define VIEW_LADDER_H

#include "kernel/connection.h"
#include "model/close_order.h"
#include "view/view.h"

#include <stdio.h>

struct ladder {
    FILE *out;
    struct look_and_feel feel;
};

/* The names of both ends. */
void ladder_head(const struct ladder *ladder, const struct connection *connection);

/* One step: the call, the segments that the change of states shows, the states that the kernel now reports.
 */
void ladder_step(const struct ladder *ladder, const struct order_step *step,
                 const struct end_sight before[SIDE_COUNT], const struct end_sight after[SIDE_COUNT]);

enum { SEGMENTS_MAX = 6 };

struct segment {
    enum side from;
    const char *flags; /* "FIN", "SYN, ACK", "RST", "data" */
};

/* The segments that a step sent, read from the states before and after it; 0 when it sent nothing. */
int ladder_segments(const struct order_step *step, const struct end_sight before[SIDE_COUNT],
                    const struct end_sight after[SIDE_COUNT], struct segment segments[SEGMENTS_MAX]);

/* Those of an opening that need not come to its end. */
int ladder_opening(enum opening opening, struct segment segments[SEGMENTS_MAX]);

/* What this side calls in the step, or in the opening; "" when it does nothing. */
const char *ladder_call(const struct order_step *step, enum side side);
const char *ladder_opening_call(enum opening opening, enum side side);

#endif
