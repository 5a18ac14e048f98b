#include "view/watch_view.h"

#include "base/json_writer.h"
#include "base/number_text.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_SIZE = 96,
    WORKERS_MOST = 8, /* processes of a port that get a line each; a process per client gets none */
    OTHERS_LEAST = 17 /* columns: a count and a state */
};

/* ---- cells ---- */

enum column { WHERE, PROCESS, CLOSE_WAIT, GROWS, OLDEST, UNREAD, COLUMNS };

static const struct {
    const char *name;
    int usual; /* columns: so wide, or as wide as what is in it */
    int tight; /* to which it may be cut; 0: not at all */
} columns_of[COLUMNS] = {
    [WHERE] = {"where", 12, 17}, [PROCESS] = {"process", 12, 14}, [CLOSE_WAIT] = {"CLOSE_WAIT", 10, 0},
    [GROWS] = {"grows", 8, 0},   [OLDEST] = {"oldest", 6, 0},     [UNREAD] = {"unread", 6, 0},
};

struct line {
    char cells[COLUMNS][CELL_SIZE];
    int tail; /* characters at the end of the process that are not cut: its pid, how many they are */
    const struct watch_row *row;
};

static void put_where(char *cell, const struct watch_row *row)
{
    struct address_text peer = row->peer.family != 0 ? address_text(&row->peer) : (struct address_text){""};
    if (row->key.side == WATCH_SIDE_UNKNOWN)
        snprintf(cell, CELL_SIZE, "in no table");
    else if (row->key.side == SIDE_CLIENT)
        snprintf(cell, CELL_SIZE, "to %s:%u", peer.text, row->key.port);
    else
        snprintf(cell, CELL_SIZE, "%s :%u%s%s", row->listens ? "serves" : "served", row->key.port,
                 row->peer.family != 0 ? " to " : "", peer.text);
}

static void put_process(struct line *line, const struct watch_row *row)
{
    char *cell = line->cells[PROCESS], tail[48] = "";
    const char *name = row->command[0] != '\0' ? row->command : "processes";
    if (row->processes == 1)
        snprintf(tail, sizeof tail, " %d", (int)row->pid);
    else
        snprintf(tail, sizeof tail, " (%s)", grouped(row->processes).text);
    if (row->processes > 0)
        snprintf(cell, CELL_SIZE, "%s%s", name, tail);
    else
        snprintf(cell, CELL_SIZE, "%s",
                 row->unowned > 0 && row->unowned == row->of[STATE_CLOSE_WAIT] ? "not accepted" : "-");
    line->tail = row->processes > 0 ? (int)strlen(tail) : 0;
}

/* Per second, or where that is next to nothing per minute or hour. */
static void put_slope(char *cell, double per_s)
{
    if (per_s >= 0.1)
        snprintf(cell, CELL_SIZE, "+%.1f/s", per_s);
    else if (per_s * 60 >= 0.1)
        snprintf(cell, CELL_SIZE, "+%.1f/min", per_s * 60);
    else
        snprintf(cell, CELL_SIZE, "+%.1f/h", per_s * 3600);
}

/* An age in seconds, of many of them in hours; `unit` tells which. */
static int64_t age_in(int64_t ms, const char **unit)
{
    int64_t s = (ms + 500) / 1000;
    *unit = s < 10000 ? "s" : "h";
    return s < 10000 ? s : (s + 1800) / 3600;
}

/* "86 s", "15-75 s"; "86 s+" where it is known at least. */
static void put_age(char *cell, int64_t least_ms, int64_t most_ms)
{
    const char *unit, *unit_of_most;
    int64_t least = age_in(least_ms > 0 ? least_ms : 0, &unit);
    if (most_ms == INT64_MAX) {
        snprintf(cell, CELL_SIZE, "%" PRId64 " %s+", least, unit);
        return;
    }
    int64_t most = age_in(most_ms > 0 ? most_ms : 0, &unit_of_most);
    if (unit != unit_of_most)
        snprintf(cell, CELL_SIZE, "%" PRId64 " %s-%" PRId64 " %s", least, unit, most, unit_of_most);
    else if (least != most)
        snprintf(cell, CELL_SIZE, "%" PRId64 "-%" PRId64 " %s", least, most, unit);
    else
        snprintf(cell, CELL_SIZE, "%" PRId64 " %s", least, unit);
}

static void put_cells(struct line *line, const struct watch_row *row)
{
    struct trend trend = trend_of(&row->growth);
    int64_t close_wait = row->of[STATE_CLOSE_WAIT];
    *line = (struct line){.row = row};
    put_where(line->cells[WHERE], row);
    put_process(line, row);
    snprintf(line->cells[CLOSE_WAIT], CELL_SIZE, "%s", grouped(close_wait).text);
    if (trend.kind == TREND_LEAK)
        put_slope(line->cells[GROWS], trend.slope_per_s);
    else if (trend.kind != TREND_UNKNOWN && watch_row_owed(row) > 0)
        snprintf(line->cells[GROWS], CELL_SIZE, "%s", trend_kind_name(trend.kind));
    if (close_wait > 0) {
        put_age(line->cells[OLDEST], row->oldest_ms, row->oldest_most_ms);
        snprintf(line->cells[UNREAD], CELL_SIZE, "%s", grouped(row->unread).text);
    }
}

/* ---- which rows ---- */

struct lines {
    struct line *each;
    int count, room, left_out;
};

static struct line *add_line(struct lines *lines, const struct watch_row *row)
{
    if (lines->count == lines->room) {
        lines->left_out++;
        return NULL;
    }
    struct line *line = &lines->each[lines->count++];
    put_cells(line, row);
    return line;
}

static bool is_of_port(const struct watch_row *owner, const struct watch_row *port)
{
    return owner->key.side == port->key.side && owner->key.port == port->key.port &&
           (port->key.side == SIDE_SERVER || strcmp(owner->command, port->key.command) == 0);
}

/* An owner that the port's line does not tell. */
static bool is_told(const struct watch_page *page, const struct watch_row *port,
                    const struct watch_row *owner)
{
    if (page->by_peer)
        return true;
    if (owner->processes == 0)
        return port->processes > 0 && owner->of[STATE_CLOSE_WAIT] > 0;
    return port->processes > 1 &&
           (port->processes <= WORKERS_MOST || trend_of(&owner->growth).kind == TREND_LEAK);
}

static void add_port(struct lines *lines, const struct watch_page *page, const struct watch_row *port)
{
    const struct watch_rows *owners = &page->look->sets[WATCH_OWNERS];
    add_line(lines, port);
    for (int i = 0; i < owners->count; i++) {
        const struct watch_row *owner = &owners->each[i];
        if (!is_of_port(owner, port) || !is_told(page, port, owner))
            continue;
        struct line *line = add_line(lines, owner);
        if (line == NULL)
            continue;
        char indented[CELL_SIZE];
        snprintf(indented, sizeof indented, "  %.*s", CELL_SIZE - 3, line->cells[PROCESS]);
        memcpy(line->cells[PROCESS], indented, sizeof indented);
        if (!page->by_peer)
            line->cells[WHERE][0] = '\0';
    }
}

/* ---- widths ---- */

struct layout {
    int columns; /* of the screen; 0: no end */
    int width[COLUMNS];
    bool has_unread;
};

static int width_of(const struct layout *layout)
{
    int sum = 0;
    for (int i = 0; i < COLUMNS; i++)
        sum += i != UNREAD || layout->has_unread ? layout->width[i] + 1 : 0;
    return sum;
}

/* Takes from the wider of the two columns of names, until there is room for the other states. */
static void make_room(struct layout *layout)
{
    while (width_of(layout) + OTHERS_LEAST > layout->columns) {
        int where = layout->width[WHERE] - columns_of[WHERE].tight,
            process = layout->width[PROCESS] - columns_of[PROCESS].tight;
        if (where <= 0 && process <= 0)
            return;
        layout->width[where > process ? WHERE : PROCESS]--;
    }
}

static struct layout lay_out(const struct lines *lines, int columns)
{
    struct layout layout = {.columns = columns, .has_unread = true};
    for (int i = 0; i < COLUMNS; i++) {
        layout.width[i] = columns_of[i].usual;
        for (int n = 0; n < lines->count; n++) {
            int width = (int)strlen(lines->each[n].cells[i]);
            layout.width[i] = width > layout.width[i] ? width : layout.width[i];
        }
    }
    if (columns > 0)
        make_room(&layout);
    layout.has_unread = columns == 0 || width_of(&layout) + OTHERS_LEAST <= columns;
    if (!layout.has_unread)
        make_room(&layout);
    return layout;
}

/* ---- what is printed ---- */

struct text {
    char text[512];
};

/* Cut to the width in the middle, so that the last `tail` characters stay. */
static void append_name(struct text *to, const char *name, int width, int tail)
{
    int length = (int)strlen(name);
    if (length > width && tail + 2 < width)
        TEXT_ADD(to->text, "%.*s..%s", width - tail - 2, name, name + length - tail);
    else
        TEXT_ADD(to->text, "%-*.*s", width, width, name);
}

/* The ghosts, and the states that it is in, CLOSE_WAIT apart, which has a column of its own: as many as there
 * is room for. */
static void append_others(struct text *to, const struct watch_row *row, int columns)
{
    static const char more[] = " ...";
    enum tcp_state states[STATE_COUNT];
    int count = 0;
    if (row->of[STATE_GONE] > 0)
        states[count++] = STATE_GONE;
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = tcp_state_in_life_order(i);
        if (state != STATE_CLOSE_WAIT && row->of[state] > 0)
            states[count++] = state;
    }
    for (int i = 0; i < count; i++) {
        char one[64];
        snprintf(one, sizeof one, " %s %s", grouped(row->of[states[i]]).text,
                 states[i] == STATE_GONE ? "ghosts" : tcp_state_name(states[i]));
        size_t needed = strlen(to->text) + strlen(one) + (i + 1 < count ? sizeof more - 1 : 0);
        if (columns > 0 && needed > (size_t)columns) {
            TEXT_ADD(to->text, "%s", more);
            return;
        }
        TEXT_ADD(to->text, "%s", one);
    }
}

/* The port at the end stays; of a server's row there is none. */
static int tail_of_where(const char *where)
{
    const char *colon = strncmp(where, "to ", 3) == 0 ? strrchr(where, ':') : NULL;
    return colon != NULL ? (int)strlen(colon) : 0;
}

static void print_line(FILE *out, const struct layout *layout, const struct line *line)
{
    struct text text = {""};
    append_name(&text, line->cells[WHERE], layout->width[WHERE], tail_of_where(line->cells[WHERE]));
    TEXT_ADD(text.text, " ");
    append_name(&text, line->cells[PROCESS], layout->width[PROCESS], line->tail);
    for (int i = CLOSE_WAIT; i < COLUMNS; i++)
        if (i != UNREAD || layout->has_unread)
            TEXT_ADD(text.text, " %*s", layout->width[i], line->cells[i]);
    if (line->row != NULL)
        append_others(&text, line->row, layout->columns);
    else
        TEXT_ADD(text.text, " others");
    size_t length = strlen(text.text);
    while (length > 0 && text.text[length - 1] == ' ')
        length--;
    fprintf(out, "%.*s\n", (int)length, text.text);
}

static void print_head(FILE *out, const struct layout *layout)
{
    struct line head = {.row = NULL};
    for (int i = 0; i < COLUMNS; i++)
        snprintf(head.cells[i], CELL_SIZE, "%s", columns_of[i].name);
    print_line(out, layout, &head);
}

/* ---- what has to be said besides ---- */

static void print_note(FILE *out, int columns, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void print_note(FILE *out, int columns, const char *format, ...)
{
    char note[512] = "";
    va_list arguments;
    va_start(arguments, format);
    text_vadd(note, sizeof note, format, arguments);
    va_end(arguments);
    fprintf(out, "%.*s\n", columns > 0 ? columns : (int)strlen(note), note);
}

static void print_hidden(FILE *out, const struct watch_page *page, int columns)
{
    const struct watch_look *look = page->look;
    struct number_text hidden = grouped(look->hidden);
    if (look->hidden == 0)
        return;
    if (look->refused == 0)
        print_note(out, columns, "%s sockets: no process that holds them can be seen from here", hidden.text);
    else if (page->is_root)
        print_note(out, columns, "%s sockets: root of this user namespace may not see their processes",
                   hidden.text);
    else
        print_note(out, columns, "%s sockets: this user may not see their processes: root may", hidden.text);
}

static void print_ghosts(FILE *out, const struct watch_page *page, int columns)
{
    const struct watch_look *look = page->look;
    if (look->ghosts_error != 0)
        print_note(out, columns, "descriptors that are in no table could not be counted: %s",
                   strerror(look->ghosts_error));
    else if (look->ghosts > 0)
        print_note(out, columns, "ghosts: %s socket descriptors are in no table: closed, or never connected",
                   grouped(look->ghosts).text);
}

/* What "unread" leaves open. */
static void print_unseen_eof(FILE *out, const struct watch_page *page, int columns)
{
    const struct watch_rows *ports = &page->look->sets[WATCH_PORTS];
    int64_t count = 0;
    for (int i = 0; i < ports->count; i++)
        count += ports->each[i].fin_with_data;
    if (count > 0)
        print_note(out, columns, "%s with nothing unread may not have seen EOF: their FIN came with the data",
                   grouped(count).text);
}

static void print_notes(FILE *out, const struct watch_page *page, const struct lines *lines, int columns)
{
    const struct watch_look *look = page->look;
    struct watch_growth growing;
    bool has_served = false;
    for (int i = 0; i < lines->count; i++)
        has_served |= lines->each[i].row->key.side == SIDE_SERVER && !lines->each[i].row->listens;
    if (lines->left_out > 0)
        print_note(out, columns, "... and %d more rows", lines->left_out);
    if (look->sets[WATCH_PORTS].dropped > 0)
        print_note(out, columns, "%s sockets are beyond %d rows: --port and --pid look at less",
                   grouped(look->sets[WATCH_PORTS].dropped).text, WATCH_ROWS_MAX);
    if (has_served)
        print_note(out, columns, "served: nothing listens on that port now");
    if (watch_growing(look, 0, &growing) && growing.set == WATCH_PROGRAMS)
        print_note(out, columns, "%s", watch_growth_words(&growing).text);
    print_hidden(out, page, columns);
    print_ghosts(out, page, columns);
    print_unseen_eof(out, page, columns);
}

void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns)
{
    const struct watch_rows *ports = &page->look->sets[WATCH_PORTS];
    struct lines lines = {.room = rows, .each = calloc((size_t)rows + 1, sizeof *lines.each)};
    if (lines.each == NULL) {
        print_note(out, columns, "out of memory: this look is not shown");
        return;
    }
    for (int i = 0; i < ports->count; i++)
        add_port(&lines, page, &ports->each[i]);
    struct layout layout = lay_out(&lines, columns);
    print_head(out, &layout);
    for (int i = 0; i < lines.count; i++)
        print_line(out, &layout, &lines.each[i]);
    print_notes(out, page, &lines, columns);
    free(lines.each);
}

/* ---- in words ---- */

struct watch_growth_text watch_growth_words(const struct watch_growth *growing)
{
    const struct watch_row *row = growing->row;
    const char *side = row->key.side == SIDE_SERVER ? "server" : "client of";
    struct watch_growth_text out;
    char who[64];
    if (row->processes == 1)
        snprintf(who, sizeof who, "%s pid %d", row->command, (int)row->pid);
    else if (row->processes > 1)
        snprintf(who, sizeof who, "%s%s%d processes", row->command, row->command[0] != '\0' ? ", " : "",
                 row->processes);
    else
        snprintf(who, sizeof who, "no process");
    const char *what = row->of[STATE_GONE] > 0 ? "the sum of CLOSE_WAIT and ghosts" : "CLOSE_WAIT";
    if (row->key.side == WATCH_SIDE_UNKNOWN)
        snprintf(out.text, sizeof out.text, "the number of ghosts of %s", who);
    else if (growing->set == WATCH_PROGRAMS)
        snprintf(out.text, sizeof out.text, "%s on all %s ports of %s", what,
                 row->key.side == SIDE_SERVER ? "server" : "client", who);
    else
        snprintf(out.text, sizeof out.text, "%s on %s port %u (%s)", what, side, row->key.port, who);
    TEXT_ADD(out.text, " %s", trend_words(&growing->trend).text);
    if (row->of[STATE_GONE] > 0)
        TEXT_ADD(out.text, "; now %s CLOSE_WAIT, %s ghosts (descriptors whose socket is in no table)",
                 grouped(row->of[STATE_CLOSE_WAIT]).text, grouped(row->of[STATE_GONE]).text);
    return out;
}

/* ---- JSON ---- */

static void put_row(struct json_writer *w, const struct watch_row *row, enum watch_set set)
{
    struct trend trend = trend_of(&row->growth);
    json_open(w, NULL, '{');
    bool has_side = row->key.side != WATCH_SIDE_UNKNOWN;
    json_string(w, "side", has_side ? side_name((enum side)row->key.side) : "unknown");
    if (set != WATCH_PROGRAMS && has_side)
        json_integer(w, "port", row->key.port);
    if (set != WATCH_PROGRAMS && row->key.side == SIDE_SERVER)
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
    json_close(w, '}');
}

void watch_print_json(FILE *out, const struct watch_page *page)
{
    static const char *const names[WATCH_SETS] = {
        [WATCH_OWNERS] = "rows", [WATCH_PORTS] = "ports", [WATCH_PROGRAMS] = "programs"};
    const struct watch_look *look = page->look;
    struct json_writer w = {.out = out};
    json_open(&w, NULL, '{');
    json_string(&w, "event", "look");
    json_number(&w, "t_s", look->t_s);
    json_number(&w, "look_s", look->took_s);
    json_integer(&w, "sockets", look->sockets);
    json_integer(&w, "hidden", look->hidden);
    if (look->ghosts_error == 0)
        json_integer(&w, "ghosts", look->ghosts);
    for (int set = 0; set < WATCH_SETS; set++) {
        const struct watch_rows *rows = &look->sets[set];
        json_open(&w, names[set], '[');
        for (int i = 0; i < rows->count; i++)
            put_row(&w, &rows->each[i], (enum watch_set)set);
        json_close(&w, ']');
    }
    json_integer(&w, "dropped", look->sets[WATCH_OWNERS].dropped);
    json_close(&w, '}');
    json_end_line(&w);
}
