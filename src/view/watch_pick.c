#include "view/watch_pick.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[WATCH_ORDERS] = {
    [ORDER_OWED] = "owed",       [ORDER_GROWTH] = "growth", [ORDER_AGE] = "age",
    [ORDER_SOCKETS] = "sockets", [ORDER_PORT] = "port",     [ORDER_PROCESS] = "process"};

const char *watch_order_name(enum watch_order order)
{
    return names[order];
}

/* ---- the filter ---- */

static void describe(const struct watch_row *row, char *text, size_t size)
{
    text_add(text, size, "%s :%u %s %d ",
             row->key.side == SIDE_CLIENT ? "to"
             : row->listens               ? "serves"
                                          : "served",
             row->key.port, row->command, (int)row->pid);
    if (row->service != NULL)
        text_add(text, size, "%s ", row->service);
    if (row->peer.family != 0)
        text_add(text, size, "%s ", address_text(&row->peer).text);
    for (int state = 0; state < STATE_COUNT; state++)
        if (row->of[state] > 0)
            text_add(text, size, "%s ",
                     state == STATE_GONE ? "ghosts" : tcp_state_name((enum tcp_state)state));
}

static bool is_wanted(const struct watch_row *row, const char *filter)
{
    char text[512] = "";
    describe(row, text, sizeof text);
    return strcasestr(text, filter) != NULL;
}

/* The port's own line, or that of one of its processes. */
static bool is_port_wanted(const struct watch_look *look, const struct watch_row *port, const char *filter)
{
    const struct watch_rows *owners = &look->sets[WATCH_OWNERS];
    if (*filter == '\0' || is_wanted(port, filter))
        return true;
    for (int i = 0; i < owners->count; i++)
        if (owners->each[i].key.port == port->key.port && owners->each[i].key.side == port->key.side &&
            is_wanted(&owners->each[i], filter))
            return true;
    return false;
}

/* ---- the order ---- */

/* What is compared is found once for each row. */
struct ranked {
    double value; /* the largest comes first */
    int place;    /* in the look */
};

static double growth_of(const struct watch_row *row)
{
    double most = 0;
    for (int group = 0; group < WATCH_GROUPS; group++) {
        struct trend trend = watch_row_trend(row, (enum watch_group)group);
        if (watch_groups[group].is_leak && trend.kind == TREND_LEAK && trend.slope_per_s > most)
            most = trend.slope_per_s;
    }
    return most;
}

static double sockets_of(const struct watch_row *row)
{
    int64_t sum = 0;
    for (int state = 0; state < STATE_COUNT; state++)
        sum += row->of[state];
    return (double)sum;
}

static double value_of(const struct watch_row *row, enum watch_order order)
{
    switch (order) {
    case ORDER_GROWTH:
        return growth_of(row);
    case ORDER_AGE:
        return (double)row->oldest_ms;
    case ORDER_SOCKETS:
        return sockets_of(row);
    case ORDER_PORT:
        return -(double)row->key.port;
    default:
        return (double)(row->of[STATE_CLOSE_WAIT] + row->of[STATE_GONE]);
    }
}

static int by_value(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    if (one->value != other->value)
        return one->value > other->value ? -1 : 1;
    return one->place - other->place;
}

static int by_command(const void *a, const void *b, void *rows)
{
    const struct ranked *one = a, *other = b;
    const struct watch_row *each = rows;
    int difference = strcmp(each[one->place].command, each[other->place].command);
    return difference != 0 ? difference : one->place - other->place;
}

int watch_pick(const struct watch_look *look, const struct watch_picking *picking, struct watch_look *picked)
{
    const struct watch_rows *ports = &look->sets[WATCH_PORTS];
    struct ranked *ranked = calloc((size_t)ports->count + 1, sizeof *ranked);
    struct watch_row *rows = calloc((size_t)ports->count + 1, sizeof *rows);
    int count = 0;
    *picked = *look;
    picked->sets[WATCH_PORTS].each = rows;
    if (ranked == NULL || rows == NULL) {
        free(ranked);
        free(rows);
        picked->sets[WATCH_PORTS].each = NULL;
        return -ENOMEM;
    }
    for (int i = 0; i < ports->count; i++)
        if (is_port_wanted(look, &ports->each[i], picking->filter))
            ranked[count++] = (struct ranked){value_of(&ports->each[i], picking->order), i};
    if (picking->order == ORDER_PROCESS)
        qsort_r(ranked, (size_t)count, sizeof *ranked, by_command, ports->each);
    else
        qsort(ranked, (size_t)count, sizeof *ranked, by_value);
    for (int i = 0; i < count; i++)
        rows[i] = ports->each[ranked[picking->is_reversed ? count - 1 - i : i].place];
    picked->sets[WATCH_PORTS].count = count;
    free(ranked);
    return 0;
}

void watch_picked_free(struct watch_look *picked)
{
    free(picked->sets[WATCH_PORTS].each);
    picked->sets[WATCH_PORTS] = (struct watch_rows){.count = 0};
}
