#include "engine/lane.h"

int64_t lane_capacity(const struct host_limits *limits)
{
    int64_t third = (limits->port_last - limits->port_first + 1) / 3;
    return third > 0 ? third : 1;
}

int64_t lane_share(int64_t total, int parts, int part)
{
    return total / parts + (part < total % parts);
}

static int parts_needed(int64_t total, int64_t capacity)
{
    return (int)((total + capacity - 1) / capacity);
}

int lanes_needed(int64_t conns, int pairs, int64_t capacity)
{
    int count = 0;
    for (int pair = 0; pair < pairs; pair++)
        count += parts_needed(lane_share(conns, pairs, pair), capacity);
    return count;
}

void lanes_fill(struct lane *lanes, int64_t conns, int pairs, int64_t capacity)
{
    for (int pair = 0; pair < pairs; pair++) {
        int64_t share = lane_share(conns, pairs, pair);
        int parts = parts_needed(share, capacity);
        for (int part = 0; part < parts; part++)
            *lanes++ = (struct lane){.pair = pair, .quota = lane_share(share, parts, part)};
    }
}
