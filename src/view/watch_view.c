#include "view/watch_view.h"

#include "base/json_writer.h"
#include "base/number_text.h"

#include <errno.h>
#include <string.h>

struct cell {
    char text[96];
};

static struct cell where_of(const struct watch_row *row)
{
    struct cell out;
    if (row->side == SIDE_SERVER && row->peer.family == 0)
        snprintf(out.text, sizeof out.text, "serves :%u", row->port);
    else if (row->side == SIDE_SERVER)
        snprintf(out.text, sizeof out.text, "serves :%u to %s", row->port, address_text(&row->peer).text);
    else
        snprintf(out.text, sizeof out.text, "to %s:%u", address_text(&row->peer).text, row->port);
    return out;
}

static struct cell process_of(const struct watch_row *row)
{
    struct cell out;
    if (row->pid > 0)
        snprintf(out.text, sizeof out.text, "%s %d", row->command, (int)row->pid);
    else
        snprintf(out.text, sizeof out.text, "-");
    return out;
}

/* The states that it is in, CLOSE_WAIT apart, which has a column of its own. */
static void put_others(char *line, size_t size, const struct watch_row *row)
{
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = tcp_state_in_life_order(i);
        size_t length = strlen(line);
        if (state != STATE_CLOSE_WAIT && row->of[state] > 0 && length < size)
            snprintf(line + length, size - length, " %s %s", grouped(row->of[state]).text,
                     tcp_state_name(state));
    }
}

static void print_line(FILE *out, const char *line, int columns)
{
    fprintf(out, "%.*s\n", columns > 0 ? columns : (int)strlen(line), line);
}

static void print_row(FILE *out, const struct watch_row *row, int columns)
{
    char line[512], oldest[32] = "", unread[32] = "", slope[32] = "";
    struct trend trend = growth_of(&row->growth);
    if (row->of[STATE_CLOSE_WAIT] > 0) {
        snprintf(oldest, sizeof oldest, "%.0f s", (double)row->oldest_ms / 1e3);
        snprintf(unread, sizeof unread, "%s", grouped(row->unread).text);
    }
    if (trend.kind == TREND_LEAK)
        snprintf(slope, sizeof slope, "+%.1f/s", trend.slope_per_s);
    else if (trend.kind != TREND_UNKNOWN && row->of[STATE_CLOSE_WAIT] > 0)
        snprintf(slope, sizeof slope, "%s", trend_kind_name(trend.kind));
    snprintf(line, sizeof line, "%-24s %-20s %10s %8s %8s %9s ", where_of(row).text, process_of(row).text,
             grouped(row->of[STATE_CLOSE_WAIT]).text, unread, oldest, slope);
    put_others(line, sizeof line, row);
    print_line(out, line, columns);
}

void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns)
{
    const struct watch_look *look = page->look;
    char line[512];
    snprintf(line, sizeof line, "%-24s %-20s %10s %8s %8s %9s  %s", "where", "process", "CLOSE_WAIT",
             "unread", "oldest", "grows", "others");
    print_line(out, line, columns);
    for (int i = 0; i < look->row_count && i < rows; i++)
        print_row(out, &look->rows[i], columns);
    if (look->row_count > rows || look->dropped_rows > 0) {
        snprintf(line, sizeof line, "... and %d more rows", look->row_count - rows);
        print_line(out, line, columns);
    }
    if (look->hidden > 0) {
        snprintf(line, sizeof line, "%s sockets are of processes that this user may not look into: root may",
                 grouped(look->hidden).text);
        print_line(out, line, columns);
    }
    if (page->ghosts == -EACCES)
        print_line(
            out,
            "that process may not be looked into: neither its sockets nor its ghosts are counted; root may",
            columns);
    if (page->ghosts > 0) {
        snprintf(line, sizeof line, "%s socket descriptors are in no table: closed, or never connected",
                 grouped(page->ghosts).text);
        print_line(out, line, columns);
    }
}

static void put_row(struct json_writer *w, const struct watch_row *row)
{
    struct trend trend = growth_of(&row->growth);
    json_open(w, NULL, '{');
    json_string(w, "side", side_name(row->side));
    json_integer(w, "port", row->port);
    if (row->peer.family != 0)
        json_string(w, "peer", address_text(&row->peer).text);
    if (row->pid > 0) {
        json_integer(w, "pid", row->pid);
        json_string(w, "command", row->command);
    }
    json_open(w, "states", '{');
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        if (row->of[tcp_state_in_life_order(i)] > 0)
            json_integer(w, tcp_state_column(tcp_state_in_life_order(i)),
                         row->of[tcp_state_in_life_order(i)]);
    json_close(w, '}');
    json_integer(w, "unread", row->unread);
    json_integer(w, "unowned", row->unowned);
    if (row->oldest_ms >= 0)
        json_number(w, "oldest_s", (double)row->oldest_ms / 1e3);
    json_string(w, "trend", trend_kind_name(trend.kind));
    json_number(w, "slope_per_s", trend.slope_per_s);
    json_close(w, '}');
}

void watch_print_json(FILE *out, const struct watch_page *page)
{
    const struct watch_look *look = page->look;
    struct json_writer w = {.out = out};
    json_open(&w, NULL, '{');
    json_string(&w, "event", "look");
    json_number(&w, "t_s", look->t_s);
    json_number(&w, "look_s", look->took_s);
    json_integer(&w, "sockets", look->sockets);
    json_integer(&w, "hidden", look->hidden);
    if (page->ghosts >= 0)
        json_integer(&w, "ghosts", page->ghosts);
    json_open(&w, "rows", '[');
    for (int i = 0; i < look->row_count; i++)
        put_row(&w, &look->rows[i]);
    json_close(&w, ']');
    json_close(&w, '}');
    json_end_line(&w);
}
