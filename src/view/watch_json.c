/* One look of a watch as a line of JSON. */
#include "base/clock.h"
#include "base/json_writer.h"
#include "view/closing_view.h"
#include "view/json_events.h"
#include "view/watch_view.h"

/* Those that it has, or had. */
static void put_groups(struct json_writer *w, const struct watch_row *row)
{
    json_open(w, "groups", '{');
    for (int group = 0; group < WATCH_GROUPS; group++) {
        if (row->count[group] == 0 && row->trends[group] == NULL)
            continue;
        struct trend trend = watch_row_trend(row, (enum watch_group)group);
        json_open(w, watch_groups[group].name, '{');
        json_integer(w, "count", row->count[group]);
        json_string(w, "trend", trend_kind_name(trend.kind));
        json_number(w, "slope_per_s", trend.slope_per_s);
        json_number(w, "low_per_s", trend.low_per_s);
        json_number(w, "high_per_s", trend.high_per_s);
        json_close(w, '}');
    }
    json_close(w, '}');
}

/* What a process may have, and what waits for accept(). */
static void put_limits(struct json_writer *w, const struct watch_row *row)
{
    if (row->service != NULL)
        json_string(w, "service", row->service);
    if (row->netns != NULL)
        json_string(w, "netns", row->netns);
    if (row->descriptors >= 0)
        json_integer(w, "descriptors", row->descriptors);
    if (row->descriptors_most >= 0 && row->descriptors_most < INT64_MAX)
        json_integer(w, "descriptors_most", row->descriptors_most);
    json_integer(w, "recv_q", row->recv_q);
    json_integer(w, "send_q", row->send_q);
    if (row->queue_full_s >= 0)
        json_number(w, "queue_full_s", row->queue_full_s);
    if (row->queue_length >= 0)
        json_integer(w, "queue_length", row->queue_length);
    if (row->queue_limit >= 0)
        json_integer(w, "queue_limit", row->queue_limit);
}

static void put_forecast(struct json_writer *w, const struct watch_look *look, const struct watch_row *row)
{
    struct watch_outlook outlook;
    if (!watch_outlook_of(look, row, &outlook))
        return;
    json_open(w, "forecast", '{');
    json_string(w, "group", watch_groups[outlook.group].name);
    json_string(w, "gone", outlook.group == GROUP_ACCEPT_QUEUE ? "accept_queue" : "descriptors");
    json_number(w, "per_s", outlook.forecast.per_s);
    json_number(w, "low_per_s", outlook.forecast.low_per_s);
    json_number(w, "high_per_s", outlook.forecast.high_per_s);
    json_number(w, "in_s", outlook.forecast.in_s);
    json_number(w, "earliest_s", outlook.forecast.earliest_s);
    json_number(w, "latest_s", outlook.forecast.latest_s);
    if (outlook.then_queue_s >= 0)
        json_number(w, "then_queue_s", outlook.then_queue_s);
    json_close(w, '}');
}

static void put_row(struct json_writer *w, const struct watch_look *look, const struct watch_row *row,
                    enum watch_set set)
{
    struct trend trend = watch_row_trend(row, GROUP_OWED);
    json_open(w, NULL, '{');
    bool has_side = row->key.side != WATCH_SIDE_UNKNOWN && set != WATCH_SERVICES;
    if (set != WATCH_SERVICES)
        json_string(w, "side", has_side ? side_name((enum side)row->key.side) : "unknown");
    if (set != WATCH_PROGRAMS && has_side)
        json_integer(w, "port", row->key.port);
    if (set != WATCH_PROGRAMS && has_side && row->key.side == SIDE_SERVER)
        json_boolean(w, "listens", row->listens);
    if (set != WATCH_PROGRAMS && row->peer.family != 0)
        json_string(w, "peer", address_text(&row->peer).text);
    if (set != WATCH_OWNERS)
        json_integer(w, "processes", row->processes);
    if (row->pid > 0)
        json_integer(w, "pid", row->pid);
    if (row->command[0] != '\0')
        json_string(w, "command", row->command);
    json_open(w, "states", '{');
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        if (row->of[tcp_state_in_life_order(i)] > 0)
            json_integer(w, tcp_state_column(tcp_state_in_life_order(i)),
                         row->of[tcp_state_in_life_order(i)]);
    json_close(w, '}');
    json_integer(w, "ghosts", row->of[STATE_GONE]);
    json_integer(w, "unread", row->unread);
    json_integer(w, "fin_with_data", row->fin_with_data);
    json_integer(w, "unowned", row->unowned);
    if (row->oldest_ms >= 0)
        json_number(w, "oldest_s", (double)row->oldest_ms / 1e3);
    if (row->oldest_ms >= 0 && row->oldest_most_ms < INT64_MAX)
        json_number(w, "oldest_most_s", (double)row->oldest_most_ms / 1e3);
    json_string(w, "trend", trend_kind_name(trend.kind));
    json_number(w, "slope_per_s", trend.slope_per_s);
    put_limits(w, row);
    put_groups(w, row);
    put_forecast(w, look, row);
    json_close(w, '}');
}

static void put_ports_left(struct json_writer *w, const struct watch_look *look)
{
    json_open(w, "ports_left", '[');
    for (int i = 0; i < look->ports_left_count; i++) {
        const struct watch_ports_left *few = &look->ports_left[i];
        json_open(w, NULL, '{');
        json_string(w, "from", address_text(&few->local).text);
        json_string(w, "to", address_text(&few->remote).text);
        json_integer(w, "port", few->port);
        json_integer(w, "left", few->left);
        json_integer(w, "all", few->all);
        json_close(w, '}');
    }
    json_close(w, ']');
}

void watch_print_json(FILE *out, const struct watch_page *page)
{
    static const char *const names[WATCH_SETS] = {[WATCH_OWNERS] = "rows",
                                                  [WATCH_PORTS] = "ports",
                                                  [WATCH_PROGRAMS] = "programs",
                                                  [WATCH_SERVICES] = "services"};
    const struct watch_look *look = page->look;
    struct json_writer w = {.out = out};
    json_event_open(&w, JSON_LOOK);
    json_number(&w, "t_s", look->t_s);
    json_number(&w, "look_s", look->took_s);
    json_number(&w, "cpu_s", look->cpu_s);
    json_number(&w, "rest_s", look->rest_s);
    json_integer(&w, "sockets", look->sockets);
    json_integer(&w, "hidden", look->hidden);
    if (look->ghosts_error == 0)
        json_integer(&w, "ghosts", look->ghosts);
    json_number(&w, "idle_s", (double)look->idle_ms / 1e3);
    if (look->listen_overflows >= 0)
        json_integer(&w, "listen_overflows", look->listen_overflows);
    put_ports_left(&w, look);
    if (look->namespaces != NULL) {
        json_open(&w, "namespaces", '{');
        json_integer(&w, "entered", look->entered);
        json_integer(&w, "read_only", look->read_only);
        json_integer(&w, "closed", look->closed);
        json_close(&w, '}');
    }
    for (int set = 0; set < WATCH_SETS; set++) {
        if (set == WATCH_SERVICES && !page->by_service)
            continue;
        const struct watch_rows *rows = &look->sets[set];
        json_open(&w, names[set], '[');
        for (int i = 0; i < rows->count; i++)
            put_row(&w, look, &rows->each[i], (enum watch_set)set);
        json_close(&w, ']');
    }
    json_integer(&w, "dropped", look->sets[WATCH_OWNERS].dropped);
    if (page->closings != NULL) {
        struct closing_rows closings = watch_closings_rows(page->closings, monotonic_us());
        closing_view_put_json(&w, &closings);
    }
    json_close(&w, '}');
    json_end_line(&w);
}
