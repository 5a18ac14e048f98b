#include "kernel/histogram.h"

const char *side_name(enum side side)
{
    return side == SIDE_SERVER ? "server" : "client";
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
    for (int state = 0; state < STATE_COUNT; state++)
        to->of[state] += from->of[state];
    to->owned += from->owned;
    to->unread += from->unread;
    to->unowned += from->unowned;
    to->half_closed += from->half_closed;
    to->queued += from->queued;
    to->ghosts += from->ghosts;
}

int64_t histogram_ends(const struct histogram *histogram)
{
    int64_t ends = 0;
    for (int state = STATE_ESTABLISHED; state < STATE_COUNT; state++)
        if (state != STATE_LISTEN)
            ends += histogram->of[state];
    return ends;
}

int64_t histogram_gone(const struct histogram *histogram, int64_t opened)
{
    return opened - histogram_ends(histogram);
}

int64_t histogram_of(const struct histogram *histogram, enum tcp_state state, int64_t opened)
{
    return state == STATE_GONE ? histogram_gone(histogram, opened) : histogram->of[state];
}
