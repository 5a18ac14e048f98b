#include "view/watch_view.h"

#include "base/clock.h"
#include "base/number_text.h"
#include "base/text.h"
#include "view/closing_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_SIZE = 96,
    WORKERS_MOST = 8, /* processes of a port that get a line each; a process per client gets none */
    WHERE_LEAST = 9,  /* on a terminal of 40 columns numbers are worth more than names */
    PROCESS_LEAST = 4,
    OTHERS_LEAST = 17 /* columns: a count and a state */
};

/* ---- cells ---- */

enum column { WHERE, PROCESS, SERVICE, NETNS, CLOSE_WAIT, GROWS, OLDEST, UNREAD, COLUMNS };

static const struct {
    const char *name;
    int usual; /* columns: so wide, or as wide as what is in it */
    int tight; /* to which it may be cut; 0: not at all */
} columns_of[COLUMNS] = {
    [WHERE] = {"where", 12, 17},    [PROCESS] = {"process", 12, 14},      [SERVICE] = {"service", 7, 14},
    [NETNS] = {"namespace", 9, 14}, [CLOSE_WAIT] = {"CLOSE_WAIT", 10, 0}, [GROWS] = {"grows", 8, 0},
    [OLDEST] = {"oldest", 6, 0},    [UNREAD] = {"unread", 6, 0},
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
    struct trend trend = watch_row_trend(row, GROUP_OWED);
    int64_t close_wait = row->of[STATE_CLOSE_WAIT];
    *line = (struct line){.row = row};
    put_where(line->cells[WHERE], row);
    put_process(line, row);
    snprintf(line->cells[SERVICE], CELL_SIZE, "%s", row->service != NULL ? row->service : "");
    snprintf(line->cells[NETNS], CELL_SIZE, "%s", row->netns != NULL ? row->netns : "");
    snprintf(line->cells[CLOSE_WAIT], CELL_SIZE, "%s", grouped(close_wait).text);
    if (trend.kind == TREND_LEAK)
        put_slope(line->cells[GROWS], trend.slope_per_s);
    else if (trend.kind != TREND_UNKNOWN && row->count[GROUP_OWED] > 0)
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
           owner->key.netns == port->key.netns &&
           (port->key.side == SIDE_SERVER || strcmp(owner->command, port->key.command) == 0);
}

/* Among many rows it is cheaper to know that none is told. */
static bool may_be_told(const struct watch_page *page, const struct watch_row *port, bool are_unfound)
{
    return page->by_peer || port->processes > 1 || are_unfound;
}

/* Whether some CLOSE_WAIT are of no process that was found. */
static bool has_unfound(const struct watch_rows *owners)
{
    bool has_any = false;
    for (int i = 0; i < owners->count && !has_any; i++)
        has_any = owners->each[i].processes == 0 && owners->each[i].of[STATE_CLOSE_WAIT] > 0;
    return has_any;
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
           (port->processes <= WORKERS_MOST || watch_row_trend(owner, GROUP_OWED).kind == TREND_LEAK);
}

static void add_port(struct lines *lines, const struct watch_page *page, const struct watch_row *port,
                     bool are_unfound)
{
    const struct watch_rows *owners = &page->look->sets[WATCH_OWNERS];
    add_line(lines, port);
    for (int i = 0; may_be_told(page, port, are_unfound) && i < owners->count; i++) {
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

/* All of a service is one line, whatever its ports. */
static void add_service(struct lines *lines, const struct watch_row *row)
{
    struct line *line = add_line(lines, row);
    if (line == NULL)
        return;
    snprintf(line->cells[WHERE], CELL_SIZE, "%s", row->service != NULL ? row->service : "-");
    line->cells[SERVICE][0] = '\0';
}

/* ---- widths ---- */

struct layout {
    int columns; /* of the screen; 0: no end */
    int width[COLUMNS];
    bool has[COLUMNS]; /* it is shown */
};

static int width_of(const struct layout *layout)
{
    int sum = 0;
    for (int i = 0; i < COLUMNS; i++)
        sum += layout->has[i] ? layout->width[i] + 1 : 0;
    return sum;
}

/* Takes from the widest of the columns of names, until there is room for the other states. */
static void make_room(struct layout *layout)
{
    while (width_of(layout) + OTHERS_LEAST > layout->columns) {
        int widest = COLUMNS, most = 0;
        for (int i = WHERE; i <= NETNS; i++) {
            int left = layout->has[i] ? layout->width[i] - columns_of[i].tight : 0;
            if (left > most) {
                most = left;
                widest = i;
            }
        }
        if (widest == COLUMNS)
            return;
        layout->width[widest]--;
    }
}

/* Services and namespaces have a column where there are any. */
static struct layout lay_out(const struct lines *lines, int columns)
{
    static const enum column dispensable[] = {SERVICE, UNREAD, NETNS};
    struct layout layout = {.columns = columns};
    for (int i = 0; i < COLUMNS; i++) {
        layout.width[i] = columns_of[i].usual;
        layout.has[i] = i != SERVICE && i != NETNS;
        for (int n = 0; n < lines->count; n++) {
            int width = (int)strlen(lines->each[n].cells[i]);
            layout.width[i] = width > layout.width[i] ? width : layout.width[i];
            layout.has[i] |= width > 0;
        }
    }
    if (columns > 0)
        make_room(&layout);
    for (size_t i = 0; columns > 0 && i < sizeof dispensable / sizeof dispensable[0] &&
                       width_of(&layout) + OTHERS_LEAST > columns;
         i++) {
        layout.has[dispensable[i]] = false;
        make_room(&layout);
    }
    while (columns > 0 && width_of(&layout) > columns &&
           (layout.width[WHERE] > WHERE_LEAST || layout.width[PROCESS] > PROCESS_LEAST))
        layout.width[layout.width[WHERE] - WHERE_LEAST > layout.width[PROCESS] - PROCESS_LEAST ? WHERE
                                                                                               : PROCESS]--;
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

/* What a row has besides, in the order in which it is told while there is room. */
struct others {
    char each[STATE_COUNT + WATCH_GROUPS + 3][CELL_SIZE];
    int count;
};

static void add_other(struct others *others, int64_t count, const char *name)
{
    if (count > 0)
        snprintf(others->each[others->count++], sizeof others->each[0], " %s %s", grouped(count).text, name);
}

/* Behind the name of what grows. */
static void add_slope(struct others *others, const struct watch_row *row, enum watch_group group)
{
    char slope[CELL_SIZE];
    struct trend trend = watch_row_trend(row, group);
    if (row->count[group] == 0 || trend.kind != TREND_LEAK || !watch_row_stays(row, group))
        return;
    put_slope(slope, trend.slope_per_s);
    char *other = others->each[others->count - 1];
    text_add(other, sizeof others->each[0], " %s", slope);
}

/* Ghosts, and states in the order of a connection's life; of ESTABLISHED those at rest. CLOSE_WAIT has a
 * column of its own. */
static void list_others(struct others *others, const struct watch_row *row)
{
    static const struct {
        enum watch_group group;
        const char *name;
    } at_rest[] = {{GROUP_IDLE, "idle"}, {GROUP_UNREAD, "not read"}, {GROUP_UNSENT, "not sent"}};
    add_other(others, row->of[STATE_GONE], "ghosts");
    if (row->queue_limit >= 0 && row->queue_length > 0)
        snprintf(others->each[others->count++], sizeof others->each[0], " queue %s/%s",
                 grouped(row->queue_length).text, grouped(row->queue_limit).text);
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = tcp_state_in_life_order(i);
        enum watch_group group = watch_group_of_state(state, true);
        if (state == STATE_CLOSE_WAIT || row->of[state] == 0)
            continue;
        add_other(others, row->of[state], tcp_state_name(state));
        if (group != WATCH_GROUPS && watch_groups[group].is_leak)
            add_slope(others, row, group);
    }
    for (size_t i = 0; i < sizeof at_rest / sizeof *at_rest; i++)
        if (row->count[at_rest[i].group] > 0) {
            add_other(others, row->count[at_rest[i].group], at_rest[i].name);
            add_slope(others, row, at_rest[i].group);
        }
    if (row->recv_q > row->unread)
        add_other(others, row->recv_q, "Recv-Q");
    add_other(others, row->send_q, "Send-Q");
}

/* As many as there is room for. */
static void append_others(struct text *to, const struct watch_row *row, int columns)
{
    static const char more[] = " ...";
    struct others others = {.count = 0};
    list_others(&others, row);
    for (int i = 0; i < others.count; i++) {
        size_t needed =
            strlen(to->text) + strlen(others.each[i]) + (i + 1 < others.count ? sizeof more - 1 : 0);
        if (columns > 0 && needed > (size_t)columns) {
            TEXT_ADD(to->text, "%s", more);
            return;
        }
        TEXT_ADD(to->text, "%s", others.each[i]);
    }
}

/* The port stays, where it is at the end. */
static int tail_of_where(const char *where)
{
    const char *colon = strrchr(where, ':');
    bool is_last = colon != NULL && strchr(colon, ' ') == NULL;
    return is_last ? (int)strlen(colon) : 0;
}

static void print_line(FILE *out, const struct layout *layout, const struct line *line)
{
    struct text text = {""};
    append_name(&text, line->cells[WHERE], layout->width[WHERE], tail_of_where(line->cells[WHERE]));
    TEXT_ADD(text.text, " ");
    append_name(&text, line->cells[PROCESS], layout->width[PROCESS], line->tail);
    for (int i = SERVICE; i <= NETNS; i++)
        if (layout->has[i]) {
            TEXT_ADD(text.text, " ");
            append_name(&text, line->cells[i], layout->width[i], layout->width[i] / 2);
        }
    for (int i = CLOSE_WAIT; i < COLUMNS; i++)
        if (layout->has[i])
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

static void print_head(FILE *out, const struct watch_page *page, const struct layout *layout)
{
    struct line head = {.row = NULL};
    for (int i = 0; i < COLUMNS; i++)
        snprintf(head.cells[i], CELL_SIZE, "%s",
                 columns_of[i == WHERE && page->by_service ? SERVICE : i].name);
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
        print_note(out, columns, "ghosts: %s %s in no table: closed, or never connected",
                   counted(look->ghosts, "socket descriptor").text, one_or_many(look->ghosts, "is", "are"));
}

/* What this user may not enter is seen all the same, in part. */
static void print_namespaces(FILE *out, const struct watch_page *page, int columns)
{
    const struct watch_look *look = page->look;
    const char *remedy = page->is_root ? "" : ": root may";
    int all = look->entered + look->read_only + look->closed;
    if (look->namespaces != NULL)
        print_note(out, columns, "network namespaces besides our own: %d", all);
    if (look->read_only > 0 && look->namespaces == NULL)
        print_note(
            out, columns,
            "process %d is in a network namespace that this user may not enter%s; seen without ages and "
            "backlogs",
            (int)page->pid, remedy);
    else if (look->read_only > 0)
        print_note(out, columns, "this user may not enter %d of them%s; seen without ages and backlogs",
                   look->read_only, remedy);
    if (look->closed > 0)
        print_note(out, columns, "this user may not inspect %d of them%s", look->closed, remedy);
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

/* When it will hurt, and where it does now. */
static void print_outlook(FILE *out, const struct watch_look *look, int columns)
{
    struct watch_outlook soonest;
    if (watch_soonest(look, 0, &soonest))
        print_note(out, columns, "%s", watch_outlook_words(&soonest).text);
    if (look->listen_overflows > 0)
        print_note(out, columns, "accept queues were full %s since the first look (ListenOverflows)",
                   counted(look->listen_overflows, "time").text);
    for (int i = 0; i < look->ports_left_count; i++) {
        const struct watch_ports_left *few = &look->ports_left[i];
        print_note(out, columns, "%s of %s ephemeral ports %s left from %s to %s:%u", grouped(few->left).text,
                   grouped(few->all).text, one_or_many(few->left, "is", "are"),
                   address_text(&few->local).text, address_text(&few->remote).text, few->port);
    }
}

static void print_notes(FILE *out, const struct watch_page *page, const struct lines *lines, int columns)
{
    const struct watch_look *look = page->look;
    struct watch_growth growing;
    bool has_served = false;
    for (int i = 0; i < lines->count; i++)
        has_served |=
            !page->by_service && lines->each[i].row->key.side == SIDE_SERVER && !lines->each[i].row->listens;
    if (lines->left_out > 0)
        print_note(out, columns, "... and %s", counted(lines->left_out, "more row").text);
    if (look->sets[WATCH_PORTS].dropped > 0)
        print_note(out, columns, "%s %s beyond %d rows: use --port or --pid to watch fewer",
                   counted(look->sets[WATCH_PORTS].dropped, "socket").text,
                   one_or_many(look->sets[WATCH_PORTS].dropped, "is", "are"), WATCH_ROWS_MAX);
    if (look->rest_s > 0)
        print_note(out, columns, "ESTABLISHED and TIME_WAIT, queues and connections at rest are %.0f s old",
                   look->rest_s);
    if (has_served)
        print_note(out, columns, "served: nothing listens on that port now");
    if (watch_growing(look, GROUP_SET(GROUP_OWED), 0, &growing) && growing.set == WATCH_PROGRAMS)
        print_note(out, columns, "%s", watch_growth_words(&growing).text);
    print_outlook(out, look, columns);
    print_namespaces(out, page, columns);
    print_hidden(out, page, columns);
    print_ghosts(out, page, columns);
    print_unseen_eof(out, page, columns);
}

static void print_closings(FILE *out, const struct watch_page *page)
{
    if (page->closings == NULL)
        return;
    struct closing_rows rows = watch_closings_rows(page->closings, monotonic_us());
    closing_view_print(out, &rows);
}

void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns)
{
    const struct watch_rows *shown = &page->look->sets[page->by_service ? WATCH_SERVICES : WATCH_PORTS];
    struct lines lines = {.room = rows, .each = calloc((size_t)rows + 1, sizeof *lines.each)};
    if (lines.each == NULL) {
        print_note(out, columns, "out of memory: this look is not shown");
        return;
    }
    const bool are_unfound = has_unfound(&page->look->sets[WATCH_OWNERS]);
    for (int i = 0; i < shown->count; i++)
        if (page->by_service)
            add_service(&lines, &shown->each[i]);
        else
            add_port(&lines, page, &shown->each[i], are_unfound);
    struct layout layout = lay_out(&lines, columns);
    print_head(out, page, &layout);
    for (int i = 0; i < lines.count; i++)
        print_line(out, &layout, &lines.each[i]);
    print_notes(out, page, &lines, columns);
    print_closings(out, page);
    for (int i = 0; i < lines.count && page->shown != NULL; i++)
        page->shown[i] = lines.each[i].row->key;
    if (page->shown != NULL)
        *page->shown_count = lines.count;
    free(lines.each);
}
