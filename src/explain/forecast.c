#include "explain/forecast.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double SURE_95 = 1.96, UNEVEN_Z = 2.6;
enum { STOPPED_MS = 1000, STOPPED_GAPS = 5 };

/* ---- from ages ---- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Variance by mean of the counts in equally long bins; at least 1. */
static double fano_of(const double *ages_ms, int count, double from_ms, double span_ms)
{
    double bins[FORECAST_BINS] = {0}, mean = (double)count / FORECAST_BINS, sum = 0;
    for (int i = 0; i < count; i++) {
        int bin = (int)((ages_ms[i] - from_ms) / span_ms * FORECAST_BINS);
        bins[bin < 0 ? 0 : bin >= FORECAST_BINS ? FORECAST_BINS - 1 : bin]++;
    }
    for (int i = 0; i < FORECAST_BINS; i++)
        sum += (bins[i] - mean) * (bins[i] - mean);
    return fmax(1, sum / (FORECAST_BINS - 1) / mean);
}

static void set_rate(struct forecast *forecast, double count, double fano, double span_ms)
{
    double half = SURE_95 * sqrt(count * fano), span_s = span_ms / 1e3;
    forecast->span_s = span_s;
    forecast->per_s = count / span_s;
    forecast->low_per_s = fmax(0, count - half) / span_s;
    forecast->high_per_s = (count + half) / span_s;
}

struct forecast forecast_of_ages(double *ages_ms, int count, double grace_ms)
{
    struct forecast forecast = {.kind = FORECAST_NONE, .count = count, .youngest_ms = -1};
    if (count < FORECAST_LEAST)
        return forecast;
    qsort(ages_ms, (size_t)count, sizeof *ages_ms, by_value);
    double span_ms = ages_ms[count - 1] - grace_ms, youngest_ms = ages_ms[0] - grace_ms;
    forecast.youngest_ms = ages_ms[0];
    if (span_ms <= 0)
        return forecast;
    double gap_ms = (ages_ms[count - 1] - ages_ms[0]) / (count - 1);
    double clump = fano_of(ages_ms, count, grace_ms, span_ms); /* so many come at a time */
    set_rate(&forecast, count, clump, span_ms);
    if (youngest_ms > fmax(STOPPED_MS, STOPPED_GAPS * gap_ms * clump)) {
        forecast.kind = FORECAST_STOPPED;
        return forecast;
    }
    int newer = 0;
    while (newer < count && ages_ms[newer] < grace_ms + span_ms / 2)
        newer++;
    int older = count - newer;
    double fano = fmax(fano_of(ages_ms, newer > 0 ? newer : 1, grace_ms, span_ms / 2),
                       fano_of(ages_ms + newer, older > 0 ? older : 1, grace_ms + span_ms / 2, span_ms / 2));
    forecast.kind = abs(newer - older) < UNEVEN_Z * sqrt(count * fano) ? FORECAST_STEADY : FORECAST_UNEVEN;
    if (forecast.kind == FORECAST_UNEVEN)
        set_rate(&forecast, newer, fano_of(ages_ms, newer > 0 ? newer : 1, grace_ms, span_ms / 2),
                 span_ms / 2);
    if (forecast.low_per_s <= 0) /* they came at once */
        forecast.kind = FORECAST_NONE;
    return forecast;
}

/* ---- from descriptors ---- */

struct forecast forecast_of_descriptors(int64_t before, int64_t now, int64_t apart_ms)
{
    struct forecast forecast = {
        .kind = FORECAST_NONE, .from_descriptors = true, .count = (int)(now - before), .youngest_ms = -1};
    if (before < 0 || apart_ms <= 0 || now - before < FORECAST_LEAST)
        return forecast;
    set_rate(&forecast, (double)(now - before), 1, (double)apart_ms);
    forecast.kind = FORECAST_STEADY;
    return forecast;
}

/* ---- what fills up first ---- */

static bool is_queued(const struct group *group)
{
    return group->holder == HOLDER_QUEUE;
}

/* The ages of all that a process, or the queue of a listener, has gathered; -1 where one is not exact. */
static int gather(const struct facts *facts, const struct groups *groups, bool queued, int of, double *ages)
{
    int count = 0;
    for (int g = 0; g < groups->count; g++) {
        const struct group *group = &groups->each[g];
        if (is_queued(group) != queued || group_is_half_closed(group) || group_is_behind(group) ||
            group->holder == HOLDER_CALL)
            continue;
        for (int i = 0; i < group->count; i++) {
            const struct fact_socket *socket = &facts->sockets[group->members[i]];
            if ((queued ? socket->listener : socket->process) != of)
                continue;
            /* What waits in a queue has come when it was opened: its FIN is beside the point. */
            struct fact_age age = queued ? socket->age : socket->fin;
            if (!fact_age_is_exact(age))
                return -1;
            ages[count++] = (double)age.least_ms;
        }
    }
    return count;
}

static double seconds_to(int64_t left, double per_s)
{
    return left <= 0 ? 0 : per_s > 0 ? (double)left / per_s : INFINITY;
}

static void consider(struct outlook *outlook, const struct outlook *other)
{
    bool is_better = other->seconds >= 0 && (outlook->seconds < 0 || other->seconds < outlook->seconds);
    if (outlook->room == ROOM_NONE || is_better)
        *outlook = *other;
}

static struct outlook outlook_with(struct forecast forecast, enum room_kind room, int64_t left)
{
    struct outlook outlook = {
        .forecast = forecast, .room = room, .process = -1, .listener = -1, .left = left};
    bool grows = forecast.kind == FORECAST_STEADY || forecast.kind == FORECAST_UNEVEN;
    outlook.seconds = grows && left >= 0 ? seconds_to(left, forecast.per_s) : -1;
    outlook.soonest = seconds_to(left, forecast.high_per_s);
    outlook.last = seconds_to(left, forecast.low_per_s);
    return outlook;
}

static void consider_process(const struct facts *facts, const struct groups *groups, int process,
                             int64_t grace_ms, double *ages, struct outlook *outlook)
{
    const struct fact_process *of = &facts->processes[process];
    int count = gather(facts, groups, false, process, ages);
    struct forecast forecast = forecast_of_ages(ages, count > 0 ? count : 0, (double)grace_ms);
    if (count < 0)
        forecast = forecast_of_descriptors(of->descriptors_before, of->descriptors, of->before_ms);
    if (forecast.kind == FORECAST_NONE)
        return;
    bool is_known =
        of->descriptors >= 0 && of->descriptor_limit >= 0 && !of->is_heir; /* it accepts nothing */
    struct outlook other =
        outlook_with(forecast, ROOM_DESCRIPTORS, is_known ? of->descriptor_limit - of->descriptors : -1);
    other.process = process;
    consider(outlook, &other);
}

static void consider_queue(const struct facts *facts, const struct groups *groups, int listener,
                           int64_t grace_ms, double *ages, struct outlook *outlook)
{
    const struct fact_listener *of = &facts->listeners[listener];
    int count = gather(facts, groups, true, listener, ages);
    struct forecast forecast = forecast_of_ages(ages, count > 0 ? count : 0, (double)grace_ms);
    if (forecast.kind == FORECAST_NONE)
        return;
    bool is_known = of->queue >= 0 && of->backlog >= 0;
    struct outlook other = outlook_with(forecast, ROOM_QUEUE, is_known ? of->backlog - of->queue : -1);
    other.listener = listener;
    consider(outlook, &other);
}

int outlook_of(const struct facts *facts, const struct groups *groups, int64_t grace_ms,
               struct outlook *outlook)
{
    *outlook = (struct outlook){.room = ROOM_NONE, .process = -1, .listener = -1, .left = -1, .seconds = -1};
    double *ages = calloc((size_t)groups->lingering + 1, sizeof *ages);
    if (ages == NULL)
        return -ENOMEM;
    for (int i = 0; i < facts->process_count; i++)
        consider_process(facts, groups, i, grace_ms, ages, outlook);
    for (int i = 0; i < facts->listener_count; i++)
        consider_queue(facts, groups, i, grace_ms, ages, outlook);
    free(ages);
    return 0;
}
