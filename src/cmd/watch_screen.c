#include "cmd/watch_screen.h"

#include "base/array.h"
#include "base/number_text.h"
#include "base/screen.h"
#include "base/terminal.h"
#include "base/text.h"
#include "explain/explanation.h"
#include "view/explain_view.h"
#include "view/socket_list.h"
#include "view/watch_pick.h"
#include "view/watch_view.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES_MOST = 2000,  /* of the table; what is beyond is counted */
    SOCKETS_MOST = 200, /* of a row that is opened */
    EPOLL_MOST = 20000, /* entries: read in some 25 ms, for which the set is locked */
    FILTER_SIZE = 40,
    HEAD_LINES = 4, /* above the rows: title, cost, what is shown, names of the columns */
};

/* A text as lines, which point into it. */
struct lines {
    char *text;
    size_t size;
    char **each;
    size_t room;
    int count;
};

struct watch_screen {
    const struct watch_options *options;
    const volatile sig_atomic_t *stopped_by; /* a signal's number; 0: none */
    struct watch_look look;                  /* the last one */
    bool has_look;
    double cpu_s; /* of all looks */

    struct watch_picking picking;
    char filter[FILTER_SIZE];
    bool is_typing; /* the filter */

    struct lines table; /* the names of the columns, the rows, what has to be said besides */
    struct watch_key shown[LINES_MOST];
    int shown_count, cursor, top;
    struct watch_key selected; /* the row of the cursor, through sorting and further looks */

    bool is_open;        /* one row's page */
    struct lines opened; /* that page */
    int scrolled;
    char title[160];
};

/* ---- lines ---- */

static void free_lines(struct lines *lines)
{
    free(lines->text);
    free(lines->each);
    *lines = (struct lines){.count = 0};
}

/* A line that is wider goes on below, two columns further in, from a space on. */
static void fold(FILE *out, const char *line, int columns)
{
    int indent = (int)strspn(line, " ");
    int length = (int)strlen(line), room = columns;
    if (indent + 2 > columns / 2)
        indent = 0;
    while (length > room) {
        int at = room;
        while (at > indent + 2 && line[at] != ' ')
            at--;
        at = line[at] == ' ' ? at : room;
        fprintf(out, "%.*s\n%*s", at, line, indent + 2, "");
        line += at + (line[at] == ' ');
        length = (int)strlen(line);
        room = columns - indent - 2;
    }
    fprintf(out, "%s\n", line);
}

static FILE *begin_lines(struct lines *lines)
{
    free_lines(lines);
    return open_memstream(&lines->text, &lines->size);
}

static int end_lines(struct lines *lines, FILE *out)
{
    if (fclose(out) != 0)
        return -ENOMEM;
    for (char *rest = lines->text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (rest == NULL && *line == '\0')
            break;
        if (ARRAY_RESERVE(lines->each, lines->room, lines->count + 1) != 0)
            return -ENOMEM;
        lines->each[lines->count++] = line;
    }
    return 0;
}

/* ---- the table ---- */

static void find_cursor(struct watch_screen *screen)
{
    for (int i = 0; i < screen->shown_count; i++)
        if (memcmp(&screen->shown[i], &screen->selected, sizeof screen->selected) == 0)
            screen->cursor = i;
    if (screen->cursor >= screen->shown_count)
        screen->cursor = screen->shown_count > 0 ? screen->shown_count - 1 : 0;
}

static int make_table(struct watch_screen *screen)
{
    struct watch_look picked;
    screen->picking.filter = screen->filter;
    screen->shown_count = 0;
    int rc = watch_pick(&screen->look, &screen->picking, &picked);
    if (rc != 0)
        return rc;
    const struct watch_page page = {.look = &picked,
                                    .is_root = geteuid() == 0,
                                    .by_peer = screen->options->by_peer,
                                    .shown = screen->shown,
                                    .shown_count = &screen->shown_count};
    FILE *out = begin_lines(&screen->table);
    if (out != NULL) {
        watch_print_table(out, &page, LINES_MOST, terminal_size(STDOUT_FILENO).columns);
        rc = end_lines(&screen->table, out);
    }
    find_cursor(screen);
    if (screen->shown_count > 0)
        screen->selected = screen->shown[screen->cursor];
    watch_picked_free(&picked);
    return out != NULL ? rc : -ENOMEM;
}

/* ---- drawing ---- */

struct page {
    const char **each;
    char (*own)[512]; /* lines that are put together here */
    int rows, count, own_count;
};

static void add(struct page *page, const char *line)
{
    if (page->count < page->rows)
        page->each[page->count++] = line;
}

static void add_own(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_own(struct page *page, const char *format, ...)
{
    if (page->own_count == page->rows)
        return;
    char *text = page->own[page->own_count++];
    va_list arguments;
    va_start(arguments, format);
    text[0] = '\0';
    text_vadd(text, sizeof page->own[0], format, arguments);
    va_end(arguments);
    add(page, text);
}

static int64_t close_wait_of(const struct watch_look *look)
{
    int64_t count = 0;
    for (int i = 0; i < look->sets[WATCH_PORTS].count; i++)
        count += look->sets[WATCH_PORTS].each[i].of[STATE_CLOSE_WAIT];
    return count;
}

static void add_head(const struct watch_screen *screen, struct page *page)
{
    const struct watch_look *look = &screen->look;
    struct trend trend = trend_of(&look->all);
    double share = look->t_s > 0 ? screen->cpu_s / look->t_s * 100 : 0;
    add_own(page, "\033[1mtcpstorm watch\033[m  %.0f s  %s  %s CLOSE_WAIT  %s", look->t_s,
            counted(look->sockets, "socket").text, grouped(close_wait_of(look)).text,
            counted(look->ghosts, "ghost").text);
    add_own(page, "CLOSE_WAIT and ghosts: %s",
            trend.kind == TREND_UNKNOWN ? "too few looks to tell whether they grow"
                                        : trend_words(&trend).text);
    add_own(page, "look %.0f ms, %.1f%% of a core  by %s%s%s%s%s", look->took_s * 1e3, share,
            watch_order_name(screen->picking.order), screen->picking.is_reversed ? " reversed" : "",
            screen->is_typing || screen->filter[0] != '\0' ? "  filter: " : "", screen->filter,
            screen->is_typing ? "_" : "");
}

static void add_table(struct watch_screen *screen, struct page *page)
{
    const struct lines *table = &screen->table;
    int notes = table->count - 1 - screen->shown_count;
    int most_notes = page->rows / 4;
    notes = notes < 0 ? 0 : notes > most_notes ? most_notes : notes;
    int height = page->rows - HEAD_LINES - 1 - notes;
    height = height > 1 ? height : 1;
    if (screen->cursor < screen->top)
        screen->top = screen->cursor;
    if (screen->cursor >= screen->top + height)
        screen->top = screen->cursor - height + 1;
    if (table->count > 0)
        add_own(page, "\033[4m%s\033[m", table->each[0]);
    for (int i = screen->top; i < screen->shown_count && i < screen->top + height && i + 1 < table->count;
         i++)
        if (i == screen->cursor)
            add_own(page, "\033[7m%s\033[m", table->each[i + 1]);
        else
            add(page, table->each[i + 1]);
    for (int i = 0; i < notes; i++)
        add(page, table->each[1 + screen->shown_count + i]);
}

static void add_opened(struct watch_screen *screen, struct page *page)
{
    int height = page->rows - 2, most = screen->opened.count - height;
    screen->scrolled = screen->scrolled > most ? most : screen->scrolled;
    screen->scrolled = screen->scrolled > 0 ? screen->scrolled : 0;
    add_own(page, "\033[1m%s\033[m", screen->title);
    for (int i = screen->scrolled; i < screen->opened.count && i < screen->scrolled + height; i++)
        add(page, screen->opened.each[i]);
}

static void draw(struct watch_screen *screen)
{
    struct terminal_size size = terminal_size(STDOUT_FILENO);
    struct page page = {.rows = size.rows};
    page.each = calloc((size_t)size.rows + 1, sizeof *page.each);
    page.own = calloc((size_t)size.rows + 1, sizeof *page.own);
    if (page.each != NULL && page.own != NULL) {
        page.rows = size.rows - 1; /* the last one is for what the keys do */
        if (screen->is_open) {
            add_opened(screen, &page);
        } else {
            add_head(screen, &page);
            add_table(screen, &page);
        }
        while (page.count < page.rows)
            add(&page, "");
        page.rows++;
        add_own(&page, "\033[7m%s\033[m",
                screen->is_open     ? "Esc back  q quit  arrows scroll  Enter look again"
                : screen->is_typing ? "type text to find in lines  Enter keep  Esc cancel"
                                    : "q quit  / filter  < > sort  r reverse  Enter open a row");
        screen_draw(page.each, page.count);
    }
    free(page.each);
    free(page.own);
}

/* ---- a row is opened ---- */

static const struct watch_row *find_row(const struct watch_look *look, const struct watch_key *key)
{
    static const enum watch_set sets[] = {WATCH_PORTS,
                                          WATCH_OWNERS}; /* those of nobody have the key of their port */
    for (size_t set = 0; set < sizeof sets / sizeof *sets; set++)
        for (int i = 0; i < look->sets[sets[set]].count; i++)
            if (memcmp(&look->sets[sets[set]].each[i].key, key, sizeof *key) == 0)
                return &look->sets[sets[set]].each[i];
    return NULL;
}

static const char *why_not(int error)
{
    if (error == EACCES || error == EPERM)
        return geteuid() != 0 ? "this user may not inspect that process: root may"
                              : "this user may not inspect that process";
    return error == ESRCH ? "it has ended, or this user may not inspect it" : strerror(error);
}

/* What "explain" says of its process, or of those that listen on its port. */
static void explain(const struct watch_screen *screen, FILE *out, const struct watch_row *row)
{
    struct facts_request request = {.pid = row->pid, .max_epoll = EPOLL_MOST, .stop = screen->stopped_by};
    struct facts facts;
    struct explanation explanation;
    char target[32];
    if (row->pid == 0 && row->key.side == SIDE_SERVER && row->listens)
        request.port = row->key.port;
    if (row->pid == 0 && request.port == 0) {
        fprintf(out, "%s\n",
                row->processes > 1
                    ? "Several processes hold them: open a row of one of them to have it explained."
                    : "No process that holds them can be seen from here.");
        return;
    }
    snprintf(target, sizeof target, request.port != 0 ? ":%d" : "%d",
             request.port != 0 ? request.port : (int)row->pid);
    fprintf(out, "tcpstorm explain %s\n\n", target);
    int rc = facts_take(&request, &facts);
    if (rc != 0) {
        fprintf(out, "It cannot be explained: %s.\n", why_not(-rc));
        return;
    }
    rc = explanation_of(&facts, EXPLAIN_GRACE_MS, &explanation);
    if (rc == 0) {
        const struct explain_report report = {
            .explanation = &explanation, .target = target, .grace_ms = EXPLAIN_GRACE_MS};
        explain_print_text(out, &report);
        explanation_free(&explanation);
    }
    facts_free(&facts);
}

/* As wide as the terminal. */
static void print_explanation(const struct watch_screen *screen, FILE *out, const struct watch_row *row)
{
    struct lines wide = {.count = 0};
    FILE *text = begin_lines(&wide);
    if (text == NULL)
        return;
    explain(screen, text, row);
    if (end_lines(&wide, text) == 0)
        for (int i = 0; i < wide.count; i++)
            fold(out, wide.each[i], terminal_size(STDOUT_FILENO).columns);
    free_lines(&wide);
}

static void open_row(struct watch_screen *screen)
{
    const struct watch_row *row = screen->shown_count > 0 ? find_row(&screen->look, &screen->selected) : NULL;
    if (row == NULL || row->key.side >= SIDE_COUNT)
        return;
    snprintf(screen->title, sizeof screen->title, "%s :%u  %s%s%.0d",
             row->key.side == SIDE_SERVER ? "server" : "to", row->key.port, row->command,
             row->pid != 0 ? " " : "", (int)row->pid);
    FILE *out = begin_lines(&screen->opened);
    if (out == NULL)
        return;
    print_explanation(screen, out, row);
    fputs("\nIts sockets now:\n", out);
    int rc = socket_list_print(out, row, SOCKETS_MOST);
    if (rc != 0)
        fprintf(out, "The kernel's sockets cannot be read: %s.\n", strerror(-rc));
    screen->is_open = end_lines(&screen->opened, out) == 0;
    screen->scrolled = 0;
}

/* ---- keys ---- */

static void move_cursor(struct watch_screen *screen, int by)
{
    int to = screen->cursor + by, last = screen->shown_count - 1;
    screen->cursor = to < 0 || last < 0 ? 0 : to > last ? last : to;
    if (screen->shown_count > 0)
        screen->selected = screen->shown[screen->cursor];
}

static void sort_by(struct watch_screen *screen, int step)
{
    screen->picking.order = (enum watch_order)((screen->picking.order + WATCH_ORDERS + step) % WATCH_ORDERS);
}

/* While the filter is typed. */
static void type(struct watch_screen *screen, int key)
{
    size_t length = strlen(screen->filter);
    if (key == KEY_ENTER || key == KEY_ESCAPE)
        screen->is_typing = false;
    if (key == KEY_ESCAPE)
        screen->filter[0] = '\0';
    else if (key == KEY_BACKSPACE && length > 0)
        screen->filter[length - 1] = '\0';
    else if (key < 128 && isprint(key) && length + 1 < sizeof screen->filter)
        memcpy(screen->filter + length, (char[]){(char)key, '\0'}, 2);
}

static int page_height(void)
{
    int rows = terminal_size(STDOUT_FILENO).rows - HEAD_LINES - 2;
    return rows > 1 ? rows : 1;
}

/* How far an arrow and its like go; 0: it is none. */
static int steps_of(int key)
{
    switch (key) {
    case KEY_UP:
    case 'k':
        return -1;
    case KEY_DOWN:
    case 'j':
        return 1;
    case KEY_PAGE_UP:
        return -page_height();
    case KEY_PAGE_DOWN:
    case ' ':
        return page_height();
    case KEY_HOME:
        return -1000000;
    case KEY_END:
        return 1000000;
    default:
        return 0;
    }
}

static void key_in_opened(struct watch_screen *screen, int key)
{
    if (key == KEY_ESCAPE || key == KEY_LEFT || key == KEY_BACKSPACE)
        screen->is_open = false;
    else if (key == KEY_ENTER)
        open_row(screen);
    else
        screen->scrolled += steps_of(key);
}

static void key_in_table(struct watch_screen *screen, int key)
{
    if (key == '/')
        screen->is_typing = true;
    else if (key == KEY_ESCAPE)
        screen->filter[0] = '\0';
    else if (key == '<' || key == '>')
        sort_by(screen, key == '<' ? -1 : 1);
    else if (key == 'r')
        screen->picking.is_reversed = !screen->picking.is_reversed;
    else if (key == KEY_ENTER || key == KEY_RIGHT)
        open_row(screen);
    else
        move_cursor(screen, steps_of(key));
}

/* True: the watch is to end. */
static bool take_key(struct watch_screen *screen, int key)
{
    if (key == KEY_CLOSED || (key == 'q' && !screen->is_typing))
        return true;
    if (screen->is_typing)
        type(screen, key);
    else if (screen->is_open)
        key_in_opened(screen, key);
    else
        key_in_table(screen, key);
    return false;
}

/* ---- the sink ---- */

static int begin(void *sink)
{
    (void)sink;
    screen_open();
    return 0;
}

static void show(struct watch_screen *screen)
{
    if (screen->has_look && make_table(screen) == 0)
        draw(screen);
}

static int look(void *sink, const struct watch_look *look, bool is_last)
{
    struct watch_screen *screen = sink;
    screen->look = *look;
    screen->has_look = true;
    screen->cpu_s += look->cpu_s;
    if (is_last)
        screen_close();
    else
        show(screen);
    return 0;
}

static int between(void *sink)
{
    struct watch_screen *screen = sink;
    int keys[SCREEN_KEYS_MAX];
    bool has_changed = screen_has_changed();
    int count = screen_read_keys(keys);
    for (int i = 0; i < count; i++)
        if (take_key(screen, keys[i]))
            return WATCH_SINK_ENDS;
    if (has_changed || count > 0)
        show(screen);
    return 0;
}

static int end(void *sink)
{
    (void)sink;
    screen_close();
    return 0;
}

static const struct watch_sink_ops screen_sink = {
    .begin = begin, .look = look, .between = between, .end = end};

struct watch_screen *watch_screen_new(const struct watch_options *options,
                                      const volatile sig_atomic_t *stopped_by)
{
    struct watch_screen *screen = calloc(1, sizeof *screen);
    if (screen != NULL) {
        screen->options = options;
        screen->stopped_by = stopped_by;
    }
    return screen;
}

void watch_screen_free(struct watch_screen *screen)
{
    if (screen == NULL)
        return;
    free_lines(&screen->table);
    free_lines(&screen->opened);
    free(screen);
}

struct watch_sink watch_screen_sink(struct watch_screen *screen)
{
    return (struct watch_sink){&screen_sink, screen, "the terminal", STDIN_FILENO};
}
