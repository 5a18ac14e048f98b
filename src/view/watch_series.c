#include "view/watch_series.h"

#include "analysis/exhaustion.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SURE_S = 10 }; /* growth over less says nothing yet */

static void forget(struct watch_series_row *row)
{
    for (int group = 0; group < WATCH_GROUPS; group++)
        free(row->trends[group]);
    memset(row, 0, sizeof *row);
}

void watch_series_free(struct watch_series *series)
{
    for (int i = 0; i <= WATCH_SERIES_OTHER; i++)
        forget(&series->rows[i]);
}

/* ---- which row ---- */

static const char *side_of(const struct watch_row *row)
{
    return row->key.side == WATCH_SIDE_UNKNOWN ? "unknown" : side_name((enum side)row->key.side);
}

static bool is_same(const struct watch_series_row *kept, const struct watch_row *row)
{
    const char *netns = row->netns != NULL ? row->netns : "";
    char port[sizeof kept->port];
    snprintf(port, sizeof port, "%u", row->key.port);
    return kept->is_used && strcmp(kept->side, side_of(row)) == 0 && strcmp(kept->port, port) == 0 &&
           strncmp(kept->netns, netns, sizeof kept->netns - 1) == 0 &&
           (row->key.side == SIDE_SERVER || strcmp(kept->program, row->command) == 0);
}

static struct watch_series_row *find(struct watch_series *series, const struct watch_row *row)
{
    for (int i = 0; i < WATCH_SERIES_MAX; i++)
        if (is_same(&series->rows[i], row))
            return &series->rows[i];
    return NULL;
}

/* A row that was never used, or the one that has been empty for the longest time; NULL: none is. */
static struct watch_series_row *make_room(struct watch_series *series)
{
    struct watch_series_row *longest = NULL;
    for (int i = 0; i < WATCH_SERIES_MAX; i++) {
        struct watch_series_row *row = &series->rows[i];
        if (!row->is_used)
            return row;
        if (row->empty_since_s >= 0 && (longest == NULL || row->empty_since_s < longest->empty_since_s))
            longest = row;
    }
    if (longest != NULL)
        forget(longest);
    return longest;
}

static struct watch_series_row *row_for(struct watch_series *series, const struct watch_row *row)
{
    struct watch_series_row *kept = find(series, row);
    if (kept != NULL)
        return kept;
    kept = make_room(series);
    if (kept == NULL) {
        kept = &series->rows[WATCH_SERIES_OTHER];
        *kept = (struct watch_series_row){.side = "other", .port = "other", .now = kept->now};
    } else {
        kept->side = side_of(row);
        snprintf(kept->port, sizeof kept->port, "%u", row->key.port);
        snprintf(kept->netns, sizeof kept->netns, "%s", row->netns != NULL ? row->netns : "");
    }
    kept->is_used = true;
    return kept;
}

/* ---- its numbers ---- */

static void empty(struct watch_series_row *row, double t_s)
{
    row->empty_since_s = row->empty_since_s < 0 ? t_s : row->empty_since_s;
    row->now =
        (struct watch_row){.descriptors = -1, .descriptors_most = -1, .queue_length = -1, .queue_limit = -1};
}

static void add_up(struct watch_row *sum, const struct watch_row *row)
{
    for (int state = 0; state < STATE_COUNT; state++)
        sum->of[state] += row->of[state];
    for (int group = 0; group < WATCH_GROUPS; group++)
        sum->count[group] += row->count[group];
    for (int i = 0; i < WATCH_AGES; i++)
        sum->ages[i] += row->ages[i];
    sum->ages_ms += row->ages_ms;
    sum->unread += row->unread;
    sum->unowned += row->unowned;
}

/* What is not known now is called as it was. */
static void name(struct watch_series_row *kept, const struct watch_row *row)
{
    const char *program = row->command[0] != '\0' ? row->command : row->listener_command;
    if (program[0] != '\0')
        snprintf(kept->program, sizeof kept->program, "%s", program);
    if (row->service != NULL)
        snprintf(kept->service, sizeof kept->service, "%s", row->service);
}

static void take(struct watch_series_row *kept, const struct watch_row *row)
{
    kept->empty_since_s = -1;
    if (strcmp(kept->side, "other") == 0) {
        add_up(&kept->now, row);
        return;
    }
    name(kept, row);
    kept->now = *row;
    memcpy(kept->came, row->came, sizeof kept->came);
    memset(kept->now.trends, 0, sizeof kept->now.trends);
    kept->now.service = kept->now.netns = NULL;
}

static int go_on(struct watch_series_row *row, double t_s)
{
    for (int group = 0; group < WATCH_GROUPS; group++) {
        struct recent_trend **trend = &row->trends[group];
        if (!watch_groups[group].is_leak || (*trend == NULL && row->now.count[group] == 0))
            continue;
        if (*trend == NULL)
            *trend = calloc(1, sizeof **trend);
        if (*trend == NULL)
            return -ENOMEM;
        recent_trend_add(*trend, t_s, row->now.count[group], row->came[group]);
    }
    return 0;
}

int watch_series_note(struct watch_series *series, const struct watch_look *look)
{
    const struct watch_rows *rows = &look->sets[WATCH_PORTS];
    int rc = 0;
    for (int i = 0; i <= WATCH_SERIES_OTHER; i++)
        if (series->rows[i].is_used)
            empty(&series->rows[i], look->t_s);
    for (int i = 0; i < rows->count; i++)
        if (rows->each[i].is_here)
            take(row_for(series, &rows->each[i]), &rows->each[i]);
    for (int i = 0; i < WATCH_SERIES_MAX && rc == 0; i++)
        if (series->rows[i].is_used)
            rc = go_on(&series->rows[i], look->t_s);
    return rc;
}

/* ---- what follows from them ---- */

struct trend watch_series_trend(const struct watch_series_row *row, enum watch_group group)
{
    return row->trends[group] != NULL ? trend_of(recent_trend_line(row->trends[group]))
                                      : (struct trend){.kind = TREND_UNKNOWN};
}

bool watch_series_grows(const struct watch_series_row *row, enum watch_group group)
{
    static const uint32_t of_close =
        GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS) | GROUP_SET(GROUP_OWED);
    struct trend trend = watch_series_trend(row, group);
    return trend.kind == TREND_LEAK && trend.span_s >= SURE_S &&
           ((of_close & GROUP_SET(group)) != 0 || recent_trend_stays(row->trends[group]));
}

/* Each of the groups takes a descriptor. */
struct watch_series_forecast watch_series_forecast(const struct watch_series_row *row)
{
    static const uint32_t none =
        GROUP_SET(GROUP_ACCEPT_QUEUE) | GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS);
    struct watch_series_forecast soonest = {INFINITY, INFINITY, INFINITY};
    const struct watch_row *now = &row->now;
    if (now->descriptors < 0 || now->descriptors_most < 0)
        return (struct watch_series_forecast){NAN, NAN, NAN};
    int64_t room = now->descriptors_most > now->descriptors ? now->descriptors_most - now->descriptors : 0;
    for (int group = 0; now->descriptors_most < INT64_MAX && group < WATCH_GROUPS; group++) {
        if ((none & GROUP_SET(group)) != 0 || !watch_series_grows(row, (enum watch_group)group))
            continue;
        struct exhaustion forecast = exhaustion_of(recent_trend_line(row->trends[group]), (double)room);
        if (forecast.is_known && forecast.in_s < soonest.s)
            soonest = (struct watch_series_forecast){forecast.earliest_s, forecast.in_s, forecast.latest_s};
    }
    return soonest;
}
