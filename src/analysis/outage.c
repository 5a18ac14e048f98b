#include "analysis/outage.h"

#include <errno.h>
#include <math.h>

enum {
    SLOW_CONNECT_US = 1000000,
    RISE_IS_OVER_S = 3, /* a SYN that was dropped comes again after one second, then after two */
};

int64_t outage_held(const struct histogram *histogram)
{
    return histogram->owned + histogram->ghosts + histogram->unowned + histogram->elsewhere;
}

void outage_note_look(struct outage *outage, double t_s, const struct histogram sides[SIDE_COUNT])
{
    if (isfinite(timeline_first_failure_s(&outage->timeline)))
        return;
    for (int side = 0; side < SIDE_COUNT; side++)
        trend_line_add(&outage->growth[side], t_s, outage_held(&sides[side]));
}

void outage_note_flow(struct outage *outage, double t_s, const struct flow_tally sums[SIDE_COUNT])
{
    const struct flow_tally *server = &sums[SIDE_SERVER], *client = &sums[SIDE_CLIENT];
    if (server->error == EMFILE)
        timeline_note(&outage->timeline, STAGE_SERVER_EMFILE, t_s, outage->server_nofile);
    if (server->error == ENFILE)
        timeline_note(&outage->timeline, STAGE_MACHINE_ENFILE, t_s, 0);
    if (client->oldest_us >= SLOW_CONNECT_US)
        timeline_note(&outage->timeline, STAGE_CONNECT_SLOW, t_s, 0);
    if (client->timeouts > 0)
        timeline_note(&outage->timeline, STAGE_CONNECT_TIMED_OUT, t_s, 0);
    if (client->error == EADDRNOTAVAIL)
        timeline_note(&outage->timeline, STAGE_PORTS_USED_UP, t_s, 0);
    if (client->lost > 0)
        timeline_note(&outage->timeline, STAGE_REPLY_LOST, t_s, 0);
}

void outage_note_counters(struct outage *outage, double t_s, const struct kernel_counters *moved,
                          bool clients_wait)
{
    int64_t dropped = moved->value[COUNTER_LISTEN_DROPS];
    if (dropped > outage->drops.seen) {
        if (outage->drops.seen == 0 || t_s - outage->drops.last_s > RISE_IS_OVER_S) {
            outage->drops.began_s = t_s;
            outage->drops.first = dropped;
        }
        outage->drops.seen = dropped;
        outage->drops.last_s = t_s;
    }
    if (dropped == 0 || !clients_wait || t_s - outage->drops.last_s > RISE_IS_OVER_S)
        return;
    timeline_note(&outage->timeline, STAGE_SYN_DROPPED, outage->drops.began_s, outage->drops.first);
    /* Looks are further apart; the kernel takes one more than listen() was told. */
    timeline_note(&outage->timeline, STAGE_QUEUE_FULL, outage->drops.began_s,
                  outage->backlog > 0 ? outage->backlog + 1 : 0);
}

void outage_note_queue(struct outage *outage, double t_s, int64_t queued, int backlog)
{
    if (queued > backlog) /* the kernel takes one more than listen() was told */
        timeline_note(&outage->timeline, STAGE_QUEUE_FULL, t_s, queued);
}
