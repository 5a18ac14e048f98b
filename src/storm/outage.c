#include "storm/outage.h"

#include <errno.h>
#include <math.h>

enum { SLOW_CONNECT_US = 1000000 };

int64_t outage_held(const struct histogram *histogram)
{
    return histogram->owned + histogram->ghosts + histogram->unowned;
}

void outage_note_look(struct outage *outage, double t_s, const struct histogram sides[SIDE_COUNT])
{
    if (isfinite(story_first_failure_s(&outage->story)))
        return;
    for (int side = 0; side < SIDE_COUNT; side++)
        growth_add(&outage->growth[side], t_s, outage_held(&sides[side]));
}

void outage_note_flow(struct outage *outage, double t_s, const struct flow_tally sums[SIDE_COUNT])
{
    const struct flow_tally *server = &sums[SIDE_SERVER], *client = &sums[SIDE_CLIENT];
    if (server->error == EMFILE)
        story_note(&outage->story, STORY_SERVER_EMFILE, t_s, outage->server_nofile);
    if (server->error == ENFILE)
        story_note(&outage->story, STORY_MACHINE_ENFILE, t_s, 0);
    if (client->oldest_us >= SLOW_CONNECT_US)
        story_note(&outage->story, STORY_CONNECT_SLOW, t_s, 0);
    if (client->timeouts > 0)
        story_note(&outage->story, STORY_CONNECT_TIMED_OUT, t_s, 0);
    if (client->lost > 0)
        story_note(&outage->story, STORY_REPLY_LOST, t_s, 0);
}

void outage_note_counters(struct outage *outage, double t_s, const struct kernel_counters *moved)
{
    int64_t dropped = moved->value[COUNTER_LISTEN_DROPS];
    if (dropped == 0)
        return;
    story_note(&outage->story, STORY_SYN_DROPPED, t_s, dropped);
    /* Looks are further apart; the kernel takes one more than listen() was told. */
    story_note(&outage->story, STORY_QUEUE_FULL, t_s, outage->backlog > 0 ? outage->backlog + 1 : 0);
}

void outage_note_queue(struct outage *outage, double t_s, int64_t queued, int backlog)
{
    if (queued > backlog) /* the kernel takes one more than listen() was told */
        story_note(&outage->story, STORY_QUEUE_FULL, t_s, queued);
}
