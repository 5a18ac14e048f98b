/* kept_state: how connections are brought into one state and kept there, by the steps of a close order. */
#ifndef MODEL_KEPT_STATE_H
#define MODEL_KEPT_STATE_H

#include "model/close_order.h"

struct kept_state {
    enum tcp_state state;     /* that the last step is to keep */
    enum side side;           /* whose ends are in it */
    struct close_order order; /* its name is tcp_state_name(state) */
    const char *given_up_by;  /* the setting after whose count of retransmissions it ends; NULL: none */
    int64_t lasts_at_most_ms; /* a clock of the kernel that nothing stretches; 0: none */
};

/* The states that can be had, in the order of a connection's life: eleven of them. STATE_GONE past the last.
 */
enum tcp_state kept_state_at(size_t i);

/* Fills `out` for that side; SIDE_COUNT: the one that is usual. Returns 0, or -EINVAL when ends of that side
 * are never in that state. */
int kept_state_make(enum tcp_state state, enum side side, struct kept_state *out);

/* How many ends of its side a look shows in the state: ghosts for CLOSE, which no table shows. */
int64_t kept_state_reached(const struct kept_state *kept, const struct histogram sides[SIDE_COUNT]);

#endif
