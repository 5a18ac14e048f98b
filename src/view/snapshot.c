#include "view/snapshot.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

void snapshot_run_start(struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.run_began_us = monotonic_us()};
}

static struct snapshot_order *find(struct snapshot *snapshot, const struct experiment *experiment)
{
    for (int i = 0; i < snapshot->count; i++)
        if (snapshot->orders[i].experiment == experiment)
            return &snapshot->orders[i];
    return NULL;
}

void snapshot_order_start(struct snapshot *snapshot, const struct order_start *start)
{
    if (snapshot->count < BOARD_ORDERS_MAX)
        snapshot->orders[snapshot->count++] = (struct snapshot_order){.experiment = start->experiment,
                                                                      .conns = start->plan->settings->conns,
                                                                      .doing = "starting",
                                                                      .left_s = -1};
}

static void see(struct snapshot_order *entry, const struct histogram sides[SIDE_COUNT], int64_t opened)
{
    entry->has_look = true;
    memcpy(entry->sides, sides, sizeof entry->sides);
    for (int side = 0; opened >= 0 && side < SIDE_COUNT; side++)
        entry->gone[side] = histogram_gone(&sides[side], opened);
}

void snapshot_sample(struct snapshot *snapshot, const struct sample *sample)
{
    struct snapshot_order *entry = find(snapshot, sample->experiment);
    if (entry == NULL)
        return;
    snapshot->looks++;
    entry->look = *sample;
    see(entry, sample->sides, sample->opened);
    entry->look_began_us = snapshot->run_began_us + (int64_t)(sample->t_s * 1e6);
    snprintf(entry->step, sizeof entry->step, "%s", sample->step);
}

void snapshot_gauge(struct snapshot *snapshot, const struct gauge *gauge)
{
    struct snapshot_order *entry = find(snapshot, gauge->experiment);
    if (entry == NULL)
        return;
    see(entry, gauge->sides, gauge->opened);
    snprintf(entry->step, sizeof entry->step, "%s", gauge->step);
}

void snapshot_progress(struct snapshot *snapshot, const struct progress *progress)
{
    struct snapshot_order *entry = find(snapshot, progress->experiment);
    if (entry == NULL)
        return;
    snprintf(entry->step, sizeof entry->step, "%s", progress->step);
    entry->doing = progress->doing;
    entry->elapsed_s = progress->elapsed_s;
    entry->done = progress->done;
    entry->total = progress->total;
    entry->left_s = progress->left_s;
}

void snapshot_order_end(struct snapshot *snapshot, const struct order_end *end)
{
    struct snapshot_order *entry = find(snapshot, end->experiment);
    if (entry == NULL)
        return;
    size_t after = (size_t)(&snapshot->orders[snapshot->count] - (entry + 1));
    memmove(entry, entry + 1, after * sizeof *entry);
    snapshot->count--;
}

static void add_side(struct snapshot_order *sum, const struct snapshot_order *entry, int side)
{
    histogram_add(&sum->sides[side], &entry->sides[side]);
    sum->gone[side] += entry->gone[side];
    sum->look.fds[side] += entry->look.fds[side];
    sum->look.errors[side] += entry->look.errors[side];
    sum->look.nofile[side] += entry->look.nofile[side];
}

struct snapshot_order snapshot_sum(const struct snapshot *snapshot)
{
    struct snapshot_order sum = {.left_s = -1};
    for (int i = 0; i < snapshot->count; i++) {
        const struct snapshot_order *entry = &snapshot->orders[i];
        const struct sample *look = &entry->look;
        sum.conns += entry->conns;
        sum.look.opened += look->opened;
        sum.look.late += look->late;
        sum.has_look |= entry->has_look;
        if (look->dropped > sum.look.dropped) /* of the whole namespace: the same for all of them */
            sum.look.dropped = look->dropped;
        if (look->connect_us > sum.look.connect_us)
            sum.look.connect_us = look->connect_us;
        if (entry->look_began_us > sum.look_began_us) {
            sum.look_began_us = entry->look_began_us;
            sum.look.look_s = look->look_s;
            sum.look.t_s = look->t_s;
        }
        for (int side = 0; side < SIDE_COUNT; side++)
            add_side(&sum, entry, side);
    }
    return sum;
}

int64_t snapshot_count(const struct snapshot_order *of, enum side side, enum tcp_state state)
{
    int64_t count = state == STATE_GONE ? of->gone[side] : of->sides[side].of[state];
    return count > 0 ? count : 0; /* gone is negative in a look that overtakes what the workers report */
}
