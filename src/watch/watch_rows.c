#include "watch/watch_rows.h"

#include "base/array.h"
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct watch_key) == 56, "keys are compared as bytes");
_Static_assert(WATCH_ROWS_MAX < UINT16_MAX, "a slot holds a row's number plus 1");

static void forget_trends(struct watch_row *row)
{
    for (int group = 0; group < WATCH_GROUPS; group++) {
        free(row->trends[group]);
        row->trends[group] = NULL;
    }
}

void watch_table_free(struct watch_table *table)
{
    for (int i = 0; i < table->rows.count; i++)
        forget_trends(&table->rows.each[i]);
    free(table->rows.each);
    *table = (struct watch_table){.room = 0};
}

enum { STAY_SHARE = 4 }; /* one in so many may have left */

/* Linear probing: three slots in four are empty. */
static uint16_t *slot_of(struct watch_table *table, const struct watch_key *key)
{
    uint64_t words[sizeof *key / sizeof(uint64_t)], hash = HASH_OF_NOTHING;
    memcpy(words, key, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = hash_mix(hash, words[i]);
    size_t at = hash % WATCH_INDEX_SLOTS;
    while (table->slots[at] != 0 &&
           memcmp(&table->rows.each[table->slots[at] - 1].key, key, sizeof *key) != 0)
        at = (at + 1) % WATCH_INDEX_SLOTS;
    return &table->slots[at];
}

/* What of a row is known before its sockets are. */
static struct watch_row empty_row(const struct watch_key *key)
{
    return (struct watch_row){.key = *key,
                              .oldest_ms = -1,
                              .oldest_most_ms = -1,
                              .descriptors = -1,
                              .descriptors_most = -1,
                              .queue_since_s = -1,
                              .queue_full_s = -1,
                              .queue_length = -1,
                              .queue_limit = -1};
}

void watch_table_begin(struct watch_table *table)
{
    memset(table->slots, 0, sizeof table->slots);
    table->last = 0;
    table->rows.dropped = 0;
    for (int i = 0; i < table->rows.count; i++) {
        struct watch_row *row = &table->rows.each[i];
        const struct watch_row before = *row;
        *row = empty_row(&before.key);
        memcpy(row->trends, before.trends, sizeof row->trends);
        memcpy(row->came, before.came, sizeof row->came);
        row->arrived = before.arrived;
        row->since_s = before.since_s;
        row->queue_came = before.queue_came;
        row->queue_since_s = before.queue_since_s;
        *slot_of(table, &row->key) = (uint16_t)(i + 1);
    }
}

struct watch_row *watch_table_row(struct watch_table *table, const struct watch_key *key, int *error)
{
    if (table->last != 0 && memcmp(&table->rows.each[table->last - 1].key, key, sizeof *key) == 0)
        return &table->rows.each[table->last - 1];
    uint16_t *slot = slot_of(table, key);
    if (*slot != 0) {
        table->last = *slot;
        return &table->rows.each[*slot - 1];
    }
    if (table->rows.count == WATCH_ROWS_MAX)
        return NULL;
    if ((*error = ARRAY_RESERVE(table->rows.each, table->room, table->rows.count + 1)) != 0)
        return NULL;
    struct watch_row *row = &table->rows.each[table->rows.count++];
    *row = empty_row(key);
    row->is_new = true;
    *slot = table->last = (uint16_t)table->rows.count;
    return row;
}

struct trend watch_row_trend(const struct watch_row *row, enum watch_group group)
{
    const struct trend_line *line = row->trends[group];
    return line != NULL ? trend_of(line) : (struct trend){.kind = TREND_UNKNOWN};
}

static int most_owed_first(const void *a, const void *b)
{
    const struct watch_row *one = a, *other = b;
    int64_t difference = other->count[GROUP_OWED] - one->count[GROUP_OWED];
    if (difference != 0)
        return difference > 0 ? 1 : -1;
    if (one->key.side != other->key.side)
        return one->key.side < other->key.side ? -1 : 1;
    if (one->key.port != other->key.port)
        return one->key.port < other->key.port ? -1 : 1;
    return one->key.pid < other->key.pid ? -1 : one->key.pid > other->key.pid;
}

static bool are_in_order(const struct watch_rows *rows)
{
    for (int i = 1; i < rows->count; i++)
        if (most_owed_first(&rows->each[i - 1], &rows->each[i]) > 0)
            return false;
    return true;
}

/* A group that had none so far begins with that. */
static int go_on(struct watch_row *row, enum watch_group group, const struct watch_moment *moment)
{
    bool takes_detail = (GROUPS_AT_REST & GROUP_SET(group)) != 0;
    bool takes_full = (GROUPS_OF_FULL_LOOKS & GROUP_SET(group)) != 0;
    double before_s = takes_detail ? moment->detailed_before_s
                      : takes_full ? moment->full_before_s
                                   : moment->before_s;
    struct trend_line **line = &row->trends[group];
    if ((takes_detail && !moment->detailed) || (takes_full && !moment->full) ||
        (*line == NULL && row->count[group] == 0))
        return 0;
    if (*line == NULL) {
        *line = calloc(1, sizeof **line);
        if (*line == NULL)
            return -ENOMEM;
        if (before_s >= 0 && !row->is_new)
            trend_line_add(*line, before_s, 0);
    }
    trend_line_add(*line, moment->t_s, row->count[group]);
    return 0;
}

/* Who is accepted makes room for one who comes: where it is full and nobody has come, nobody was accepted. A
 * brief look does not show who has come. */
static void follow_queue(struct watch_row *row, const struct watch_moment *moment)
{
    bool is_full = row->queue_limit >= 0 && row->queue_length > row->queue_limit;
    bool nobody_came = row->came[GROUP_ACCEPT_QUEUE] == row->queue_came;
    double until_s = moment->full ? moment->t_s : moment->full_before_s;
    if (!is_full)
        row->queue_since_s = -1;
    else if (moment->full && (row->queue_since_s < 0 || !nobody_came))
        row->queue_since_s = moment->t_s;
    if (moment->full)
        row->queue_came = row->came[GROUP_ACCEPT_QUEUE];
    row->queue_full_s =
        row->queue_since_s >= 0 && until_s > row->queue_since_s ? until_s - row->queue_since_s : -1;
}

int watch_table_end(struct watch_table *table, const struct watch_moment *moment)
{
    struct watch_rows *rows = &table->rows;
    int kept = 0, rc = 0;
    for (int i = 0; i < rows->count; i++) {
        if (!rows->each[i].is_here) {
            forget_trends(&rows->each[i]);
            continue;
        }
        struct watch_row *row = &rows->each[kept];
        if (kept++ != i)
            *row = rows->each[i];
        row->pid = row->processes == 1 ? row->pid : 0;
        if (row->is_new)
            row->since_s = moment->t_s;
        for (int group = 0; rc == 0 && group < WATCH_GROUPS; group++)
            rc = go_on(row, (enum watch_group)group, moment);
        follow_queue(row, moment);
    }
    rows->count = kept;
    if (!are_in_order(rows))
        qsort(rows->each, (size_t)kept, sizeof *rows->each, most_owed_first);
    return rc;
}

/* ---- what grows ---- */

struct watch_churn watch_row_churn(const struct watch_row *row, enum watch_group group)
{
    const struct trend_line *line = row->trends[group];
    int64_t left = row->came[group] - row->count[group];
    int64_t came = line != NULL ? row->came[group] - line->first : 0;
    return (struct watch_churn){.came = came > 0 ? came : 0, .left = left > 0 ? left : 0};
}

bool watch_row_stays(const struct watch_row *row, enum watch_group group)
{
    static const uint32_t of_close =
        GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS) | GROUP_SET(GROUP_OWED);
    struct watch_churn churn = watch_row_churn(row, group);
    return (of_close & GROUP_SET(group)) != 0 || STAY_SHARE * churn.left <= churn.came;
}

static bool most_growing(const struct watch_rows *rows, enum watch_group group, double least_s,
                         struct watch_growth *most)
{
    bool is_any = false;
    for (int i = 0; i < rows->count; i++) {
        struct trend trend = watch_row_trend(&rows->each[i], group);
        if (trend.kind != TREND_LEAK || trend.span_s < least_s ||
            (is_any && trend.slope_per_s <= most->trend.slope_per_s) ||
            !watch_row_stays(&rows->each[i], group))
            continue;
        is_any = true;
        most->group = group;
        most->row = &rows->each[i];
        most->trend = trend;
    }
    return is_any;
}

static bool group_growing(const struct watch_look *look, enum watch_group group, double least_s,
                          struct watch_growth *growing)
{
    static const double CLEARLY_MORE = 1.5;
    bool is_any = false;
    for (int set = 0; set < WATCH_SETS; set++) {
        struct watch_growth of_set = {.set = (enum watch_set)set};
        if (!most_growing(&look->sets[set], group, least_s, &of_set) ||
            (is_any && of_set.trend.slope_per_s < CLEARLY_MORE * growing->trend.slope_per_s))
            continue;
        is_any = true;
        *growing = of_set;
    }
    return is_any;
}

bool watch_growing(const struct watch_look *look, uint32_t groups, double least_s,
                   struct watch_growth *growing)
{
    bool is_any = false;
    for (int group = 0; group < WATCH_GROUPS; group++) {
        struct watch_growth one = {.row = NULL};
        if ((groups & GROUP_SET(group)) == 0 ||
            !group_growing(look, (enum watch_group)group, least_s, &one) ||
            (is_any && one.trend.slope_per_s <= growing->trend.slope_per_s))
            continue;
        is_any = true;
        *growing = one;
        growing->idle_ms = look->idle_ms;
    }
    return is_any;
}

const struct watch_row *watch_stuck_queue(const struct watch_look *look, double least_s)
{
    const struct watch_rows *ports = &look->sets[WATCH_PORTS];
    for (int i = 0; i < ports->count; i++)
        if (ports->each[i].queue_full_s >= 0 && ports->each[i].queue_full_s >= least_s)
            return &ports->each[i];
    return NULL;
}
