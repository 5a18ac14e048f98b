#include "watch/watch_rows.h"

#include "base/array.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct watch_key) == 48, "keys are compared as bytes");
_Static_assert(WATCH_ROWS_MAX < UINT16_MAX, "a slot holds a row's number plus 1");

void watch_table_free(struct watch_table *table)
{
    free(table->rows.each);
    *table = (struct watch_table){.room = 0};
}

/* Linear probing: three slots in four are empty. */
static uint16_t *slot_of(struct watch_table *table, const struct watch_key *key)
{
    uint64_t hash = hash_add(HASH_OF_NOTHING, key, sizeof *key);
    size_t at = (hash ^ hash >> 32) % WATCH_INDEX_SLOTS;
    while (table->slots[at] != 0 &&
           memcmp(&table->rows.each[table->slots[at] - 1].key, key, sizeof *key) != 0)
        at = (at + 1) % WATCH_INDEX_SLOTS;
    return &table->slots[at];
}

void watch_table_begin(struct watch_table *table)
{
    memset(table->slots, 0, sizeof table->slots);
    table->rows.dropped = 0;
    for (int i = 0; i < table->rows.count; i++) {
        const struct watch_row *before = &table->rows.each[i];
        table->rows.each[i] = (struct watch_row){
            .key = before->key, .oldest_ms = -1, .oldest_most_ms = -1, .growth = before->growth};
        *slot_of(table, &table->rows.each[i].key) = (uint16_t)(i + 1);
    }
}

struct watch_row *watch_table_row(struct watch_table *table, const struct watch_key *key, int *error)
{
    uint16_t *slot = slot_of(table, key);
    if (*slot != 0)
        return &table->rows.each[*slot - 1];
    if (table->rows.count == WATCH_ROWS_MAX)
        return NULL;
    if ((*error = ARRAY_RESERVE(table->rows.each, table->room, table->rows.count + 1)) != 0)
        return NULL;
    struct watch_row *row = &table->rows.each[table->rows.count++];
    *row = (struct watch_row){.key = *key, .oldest_ms = -1, .oldest_most_ms = -1};
    *slot = (uint16_t)table->rows.count;
    return row;
}

int64_t watch_row_owed(const struct watch_row *row)
{
    return row->of[STATE_CLOSE_WAIT] + row->of[STATE_GONE];
}

static int most_owed_first(const void *a, const void *b)
{
    const struct watch_row *one = a, *other = b;
    int64_t difference = watch_row_owed(other) - watch_row_owed(one);
    if (difference != 0)
        return difference > 0 ? 1 : -1;
    if (one->key.side != other->key.side)
        return one->key.side < other->key.side ? -1 : 1;
    if (one->key.port != other->key.port)
        return one->key.port < other->key.port ? -1 : 1;
    return one->key.pid < other->key.pid ? -1 : one->key.pid > other->key.pid;
}

void watch_table_end(struct watch_table *table, double t_s)
{
    struct watch_rows *rows = &table->rows;
    int kept = 0;
    for (int i = 0; i < rows->count; i++) {
        if (!rows->each[i].is_here)
            continue;
        struct watch_row *row = &rows->each[kept++];
        *row = rows->each[i];
        row->pid = row->processes == 1 ? row->pid : 0;
        trend_line_add(&row->growth, t_s, watch_row_owed(row));
    }
    rows->count = kept;
    if (kept > 0)
        qsort(rows->each, (size_t)kept, sizeof *rows->each, most_owed_first);
}

/* ---- what grows ---- */

static bool most_growing(const struct watch_rows *rows, double least_s, struct watch_growth *most)
{
    bool is_any = false;
    for (int i = 0; i < rows->count; i++) {
        struct trend trend = trend_of(&rows->each[i].growth);
        if (trend.kind != TREND_LEAK || trend.span_s < least_s ||
            (is_any && trend.slope_per_s <= most->trend.slope_per_s))
            continue;
        is_any = true;
        most->row = &rows->each[i];
        most->trend = trend;
    }
    return is_any;
}

bool watch_growing(const struct watch_look *look, double least_s, struct watch_growth *growing)
{
    static const double CLEARLY_MORE = 1.5;
    bool is_any = false;
    for (int set = 0; set < WATCH_SETS; set++) {
        struct watch_growth of_set = {.set = (enum watch_set)set};
        if (!most_growing(&look->sets[set], least_s, &of_set) ||
            (is_any && of_set.trend.slope_per_s < CLEARLY_MORE * growing->trend.slope_per_s))
            continue;
        is_any = true;
        *growing = of_set;
    }
    return is_any;
}
