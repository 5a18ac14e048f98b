/* hosts_place: what the hosts have together, and which of them a worker is placed on. */
#include "control/hosts.h"

#include "base/min_max.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

bool hosts_is_double(const struct hosts *hosts, int host)
{
    for (int i = 0; i < host; i++)
        if (strcmp(hosts->each[i].identity, hosts->each[host].identity) == 0)
            return true;
    return false;
}

int hosts_count(const struct hosts *hosts, enum side side)
{
    int count = 0;
    for (int i = 0; i < hosts->count; i++)
        count += hosts->each[i].side == side;
    return count;
}

/* Of one of the limits, by its offset, twice what the weaker side has: plan.c reckons with both ends of a
 * connection on one machine. */
static int64_t both_sides(const struct hosts *hosts, size_t limit)
{
    int64_t sum[SIDE_COUNT] = {0};
    for (int i = 0; i < hosts->count; i++) {
        int64_t value = *(const int64_t *)((const char *)&hosts->each[i].limits + limit);
        int64_t *side = &sum[hosts->each[i].side];
        *side = *side > INT64_MAX / 4 || value > INT64_MAX / 4 ? INT64_MAX / 4 : *side + value;
    }
    return 2 * min_of(sum[SIDE_SERVER], sum[SIDE_CLIENT]);
}

void hosts_limits(const struct hosts *hosts, struct host_limits *limits)
{
    if (hosts->are_here) {
        host_limits_read(limits);
        return;
    }
    *limits = hosts->each[0].limits;
    int64_t width = limits->port_last - limits->port_first;
    for (int i = 1; i < hosts->count; i++) {
        const struct host_limits *own = &hosts->each[i].limits;
        limits->nofile_hard = min_of(limits->nofile_hard, own->nofile_hard);
        limits->port_first = min_of(limits->port_first, own->port_first);
        width = min_of(width, own->port_last - own->port_first);
        limits->somaxconn = min_of(limits->somaxconn, own->somaxconn);
        limits->max_orphans = min_of(limits->max_orphans, own->max_orphans);
        limits->tcp_pages = min_of(limits->tcp_pages, own->tcp_pages);
        limits->fin_timeout_ms = min_of(limits->fin_timeout_ms, own->fin_timeout_ms);
        limits->rfc1337 = min_of(limits->rfc1337, own->rfc1337);
        limits->ehash_entries = min_of(limits->ehash_entries, own->ehash_entries);
        if (strcmp(limits->kernel, own->kernel) != 0)
            snprintf(limits->kernel, sizeof limits->kernel, "Linux, several versions");
    }
    limits->port_last = limits->port_first + width;
    limits->files_left = both_sides(hosts, offsetof(struct host_limits, files_left));
    limits->memory_available = both_sides(hosts, offsetof(struct host_limits, memory_available));
    limits->max_tw_buckets = both_sides(hosts, offsetof(struct host_limits, max_tw_buckets)) / 2;
    limits->processors = both_sides(hosts, offsetof(struct host_limits, processors)) / 2;
}

/* What decides how many connections a host can hold: memory, more than anything. */
static double capacity(const struct host *host)
{
    double ports = (double)(host->limits.port_last - host->limits.port_first + 1);
    double memory = (double)host->limits.memory_available / (1 << 20);
    double files = (double)host->limits.files_left;
    double least_of = memory < files ? memory : files;
    return host->side == SIDE_CLIENT && ports < least_of ? ports : least_of;
}

/* Whether the next worker is better placed on one host than on another: one that has none yet comes first,
 * then the one with the most room for each of its workers. */
static bool is_better(const struct hosts *hosts, const int placed[], int one, int other)
{
    if ((placed[one] == 0) != (placed[other] == 0))
        return placed[one] == 0;
    return capacity(&hosts->each[one]) / (placed[one] + 1) >
           capacity(&hosts->each[other]) / (placed[other] + 1);
}

static int first_of(const struct hosts *hosts, enum side side)
{
    int first = 0;
    while (first < hosts->count - 1 && hosts->each[first].side != side)
        first++;
    return first;
}

void hosts_place(const struct hosts *hosts, enum side side, int count, int host[])
{
    int placed[HOSTS_MAX] = {0};
    for (int i = 0; i < count; i++) {
        int best = first_of(hosts, side);
        for (int k = best + 1; k < hosts->count; k++)
            if (hosts->each[k].side == side && is_better(hosts, placed, k, best))
                best = k;
        host[i] = best;
        placed[best]++;
    }
}

int64_t hosts_time_wait_room(const struct hosts *hosts, int64_t *most)
{
    int64_t room[SIDE_COUNT] = {0}, buckets[SIDE_COUNT] = {0};
    if (hosts->are_here) {
        struct host_limits limits;
        host_limits_read(&limits);
        *most = limits.max_tw_buckets;
        return *most - host_time_wait_now();
    }
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        buckets[host->side] += host->limits.max_tw_buckets;
        room[host->side] += host->limits.max_tw_buckets - host->time_wait;
    }
    enum side scarce = room[SIDE_SERVER] <= room[SIDE_CLIENT] ? SIDE_SERVER : SIDE_CLIENT;
    *most = buckets[scarce];
    return room[scarce];
}
