#include "watch/watch_outlook.h"

/* Of these each has a descriptor. */
static const enum watch_group holding[] = {GROUP_OWED, GROUP_FIN_WAIT2, GROUP_SYN_SENT,
                                           GROUP_IDLE, GROUP_UNREAD,    GROUP_UNSENT};

enum { HOLDING_COUNT = sizeof holding / sizeof *holding };

static double at_least_0(int64_t room)
{
    return room > 0 ? (double)room : 0;
}

/* What is taken when so many more are in the group. */
static bool fits_in(const struct watch_row *row, enum watch_group group, double *room)
{
    if (group == GROUP_ACCEPT_QUEUE) {
        *room = at_least_0(row->queue_limit + 1 - row->queue_length);
        return row->queue_limit >= 0 && row->queue_length >= 0;
    }
    *room = at_least_0(row->descriptors_most - row->descriptors);
    return row->descriptors >= 0 && row->descriptors_most >= 0 && row->descriptors_most < INT64_MAX;
}

static void consider(const struct watch_row *row, enum watch_group group, struct watch_outlook *soonest)
{
    struct watch_outlook one = {.row = row, .group = group, .then_queue_s = -1};
    if (row->trends[group] == NULL || !watch_row_stays(row, group) || !fits_in(row, group, &one.room))
        return;
    one.forecast = exhaustion_of(row->trends[group], one.room);
    if (!one.forecast.is_known ||
        (soonest->forecast.is_known && soonest->forecast.latest_s <= one.forecast.latest_s))
        return;
    *soonest = one;
}

/* A client that came and went between two looks was not seen: they come at least as fast. */
static double queue_fills_in(const struct watch_look *look, const struct watch_row *row)
{
    double span_s = look->t_s - row->since_s;
    if (row->queue_limit < 0 || row->arrived <= 0 || span_s <= 0)
        return -1;
    return at_least_0(row->queue_limit + 1 - row->queue_length) / ((double)row->arrived / span_s);
}

bool watch_outlook_of(const struct watch_look *look, const struct watch_row *row,
                      struct watch_outlook *outlook)
{
    *outlook = (struct watch_outlook){.row = NULL};
    for (int i = 0; i < HOLDING_COUNT; i++)
        consider(row, holding[i], outlook);
    consider(row, GROUP_ACCEPT_QUEUE, outlook);
    if (outlook->row != NULL && outlook->group != GROUP_ACCEPT_QUEUE)
        outlook->then_queue_s = queue_fills_in(look, row);
    return outlook->row != NULL;
}

static void find_soonest(const struct watch_look *look, enum watch_set set, double least_s,
                         struct watch_outlook *soonest)
{
    const struct watch_rows *rows = &look->sets[set];
    for (int i = 0; i < rows->count; i++) {
        struct watch_outlook one;
        if (!watch_outlook_of(look, &rows->each[i], &one) ||
            watch_row_trend(one.row, one.group).span_s < least_s ||
            (soonest->row != NULL && soonest->forecast.latest_s <= one.forecast.latest_s))
            continue;
        *soonest = one;
    }
}

bool watch_soonest(const struct watch_look *look, double least_s, struct watch_outlook *outlook)
{
    *outlook = (struct watch_outlook){.row = NULL};
    find_soonest(look, WATCH_OWNERS, least_s, outlook);
    find_soonest(look, WATCH_PORTS, least_s, outlook);
    return outlook->row != NULL;
}
