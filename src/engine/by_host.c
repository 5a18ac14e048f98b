#include "engine/by_host.h"

#include "control/hosts.h"

#include <stdlib.h>

static struct host_part *part_of(struct by_host *by_host, const struct peer *peer)
{
    for (int i = 0; i < by_host->count; i++)
        if (by_host->parts[i].witness == peer->witness && by_host->parts[i].side == peer->side)
            return &by_host->parts[i];
    struct host_part *part = &by_host->parts[by_host->count++];
    *part = (struct host_part){.host = peer->host, .side = peer->side, .witness = peer->witness};
    return part;
}

/* By side, then as the launchers were given: where workers were placed is no order for people. */
static int by_side_and_host(const void *a, const void *b)
{
    const struct host_part *left = a, *right = b;
    int sides = (left->side > right->side) - (left->side < right->side);
    return sides != 0 ? sides : (left->witness > right->witness) - (left->witness < right->witness);
}

void by_host_note(struct by_host *by_host, const struct workers *workers,
                  int64_t (*opened_by)(const void *context, int pair), const void *context,
                  const int64_t nofile[SIDE_COUNT])
{
    by_host->count = 0;
    for (int i = 0; i < workers->worker_count && !workers->peers[i].host->hosts->are_here; i++) {
        const struct peer *peer = &workers->peers[i];
        struct host_part *part = part_of(by_host, peer);
        part->opened += opened_by(context, i % workers->pairs);
        part->fds += peer->fds;
        part->errors += peer->errors;
        part->lost += peer->flow.lost;
        part->nofile += nofile[peer->side];
    }
    qsort(by_host->parts, (size_t)by_host->count, sizeof by_host->parts[0], by_side_and_host);
}

void by_host_see(struct by_host *by_host, const struct look *look)
{
    for (int i = 0; i < by_host->count; i++) {
        struct host_part *part = &by_host->parts[i];
        part->histogram = look->parts[part->witness].sides[part->side];
    }
}
