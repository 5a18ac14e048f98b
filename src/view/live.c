/* live: a run on a terminal as it goes: where it is, both sides' histograms as bars that move, who owes a
 * close() and how that has come about. It is redrawn in place and leaves nothing: the summary says the rest.
 */
#include "analysis/debt.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/terminal.h"
#include "base/text.h"
#include "view/snapshot.h"
#include "view/view.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUIET_US = 1000000, /* a run that is over by then needs no progress */
    REDRAW_US = 80000,
    HISTORY = 64,
    FIRST_BUCKET_US = 100000,
    NAME_WIDTH = 11,
    HEAD_WIDTH = 6, /* "server", "client" */
    BAR_MAX = 30,
    BAR_MIN = 4,
    LINES_MAX = 24, /* an empty one, header, heads, eleven states and gone, who owes */
    LINE_MAX = 512,
    COLUMNS_MAX = 120, /* a character may take three bytes, and colours some */
};

/* How many CLOSE_WAIT there were: the most in each stretch of time. When all are full, two become one. */
struct history {
    int64_t most[HISTORY];
    int count;
    int64_t bucket_us, began_us;
};

struct frame {
    char lines[LINES_MAX][LINE_MAX];
    int count;
    int columns;
};

struct live {
    struct look_and_feel feel;
    struct snapshot snapshot;
    struct history history;
    int64_t drawn_us;
    bool at_once;
    bool has_occurred[STATE_COUNT]; /* in the orders under way: rows come, and do not go */
    struct frame frame;
};

/* ---- history ---- */

static void halve(struct history *history)
{
    for (int i = 0; i < HISTORY / 2; i++) {
        int64_t a = history->most[2 * i], b = history->most[2 * i + 1];
        history->most[i] = a > b ? a : b;
    }
    history->count = HISTORY / 2;
    history->bucket_us *= 2;
}

static void note(struct history *history, int64_t value, int64_t now_us)
{
    while ((now_us - history->began_us) / history->bucket_us >= HISTORY)
        halve(history);
    int bucket = (int)((now_us - history->began_us) / history->bucket_us);
    int64_t last = history->count > 0 ? history->most[history->count - 1] : 0;
    for (; history->count <= bucket; history->count++) /* stretches without a look are as the one before */
        history->most[history->count] = history->count < bucket ? last : value;
    if (history->most[bucket] < value)
        history->most[bucket] = value;
}

static int64_t highest(const struct history *history)
{
    int64_t most = 0;
    for (int i = 0; i < history->count; i++)
        most = history->most[i] > most ? history->most[i] : most;
    return most;
}

/* ---- lines ---- */

static char *begin_line(struct frame *frame)
{
    char *line = frame->lines[frame->count < LINES_MAX ? frame->count++ : LINES_MAX - 1];
    line[0] = '\0';
    return line;
}

static void append(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vadd(line, LINE_MAX, format, arguments);
    va_end(arguments);
}

/* Eighths of a cell, so that a bar moves smoothly. */
static void append_bar(char *line, bool utf8, int64_t count, int64_t whole, int width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int64_t filled = whole > 0 ? count * width * 8 / whole : 0;
    filled = filled > width * 8 ? width * 8 : count > 0 && filled == 0 ? 1 : filled;
    int cells = 0;
    for (; cells < filled / 8; cells++)
        append(line, "%s", utf8 ? "█" : "#");
    if (filled % 8 > 0 && utf8)
        append(line, "%s", eighths[filled % 8]);
    else if (filled % 8 > 0)
        append(line, "%s", filled % 8 >= 4 || cells == 0 ? "#" : ".");
    cells += filled % 8 > 0;
    for (; cells < width; cells++)
        append(line, "%s", utf8 ? "·" : ".");
}

static void append_spark(char *line, bool utf8, const struct history *history, int width)
{
    static const char *const high[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char low[] = "_.:-=+*#";
    int64_t most = highest(history);
    for (int i = history->count > width ? history->count - width : 0; i < history->count && most > 0; i++) {
        int64_t level = (history->most[i] * 7 + most - 1) / most;
        if (utf8)
            append(line, "%s", high[level]);
        else
            append(line, "%c", low[level]);
    }
}

static void append_where(char *line, const struct snapshot_order *at)
{
    append(line, "%s  %s  %s", at->experiment->name, at->step, at->doing);
    if (at->total > 0 && at->done > 0 && at->elapsed_s > 0)
        append(line, " %s of %s, %s/s", grouped(at->done).text, grouped(at->total).text,
               grouped((int64_t)((double)at->done / at->elapsed_s)).text);
    else if (at->left_s < 0 && at->elapsed_s > 0)
        append(line, " for %.0f s", at->elapsed_s);
    if (at->left_s >= 0)
        append(line, ", %.0f s left", at->left_s);
}

static void put_header(struct live *live)
{
    char *line = begin_line(&live->frame), time[32];
    for (int i = 0; i < live->snapshot.count; i++) {
        const struct snapshot_order *at = &live->snapshot.orders[i];
        if (live->snapshot.count == 1)
            append_where(line, at);
        else
            append(line, "%s%s %s", i > 0 ? ", " : "", at->experiment->name, at->doing);
    }
    int length =
        snprintf(time, sizeof time, "  %.0f s", (double)(monotonic_us() - live->snapshot.run_began_us) / 1e6);
    int room = live->frame.columns > length ? live->frame.columns - length : 0; /* all of it is ASCII */
    line[room] = '\0';
    append(line, "%*s", live->frame.columns - (int)strlen(line), time);
    line[live->frame.columns] = '\0';
}

struct columns {
    int bar, number;
    bool fit; /* the numbers do, if not the bars */
};

static struct columns columns_of(const struct frame *frame, int64_t conns)
{
    struct columns columns = {.number = (int)strlen(grouped(conns).text)};
    columns.bar = (frame->columns - NAME_WIDTH - 3) / 2 - columns.number - 3;
    columns.bar = columns.bar > BAR_MAX ? BAR_MAX : columns.bar < BAR_MIN ? 0 : columns.bar;
    if (columns.bar == 0 && columns.number < HEAD_WIDTH - 1)
        columns.number = HEAD_WIDTH - 1;
    columns.fit = NAME_WIDTH + 8 + 2 * columns.number <= frame->columns; /* see put_state */
    return columns;
}

static void put_heads(struct frame *frame, const struct columns *columns)
{
    int width = columns->bar + 1 + columns->number;
    char *line = begin_line(frame);
    if (columns->bar > 0)
        append(line, "  %-*s %-*s   %s", NAME_WIDTH, "", width, "server", "client");
    else
        append(line, "  %-*s %*s   %*s", NAME_WIDTH, "", columns->number + 1, "server", columns->number + 1,
               "client");
}

static void put_state(struct live *live, const struct snapshot_order *sum, const struct columns *columns,
                      enum tcp_state state)
{
    char *line = begin_line(&live->frame);
    const char *colour = view_state_colour(live->feel, state);
    append(line, "  %s%-*s", colour, NAME_WIDTH, tcp_state_name(state));
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t count = snapshot_count(sum, (enum side)side, state);
        append(line, "%s", side == 0 ? " " : "   ");
        if (columns->bar > 0)
            append_bar(line, live->feel.utf8, count, sum->conns, columns->bar);
        append(line, " %*s", columns->number, count > 0 ? grouped(count).text : "");
    }
    append(line, "%s", *colour != '\0' ? "\033[0m" : "");
}

/* A number that is cut would be another one: what does not fit is left out. */
static void append_debt(const struct frame *frame, char *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append_debt(const struct frame *frame, char *line, const char *format, ...)
{
    char debt[128];
    va_list arguments;
    va_start(arguments, format);
    debt[0] = '\0';
    text_vadd(debt, sizeof debt, format, arguments);
    va_end(arguments);
    const char *before = *line != '\0' ? ", " : "  ";
    if ((int)(strlen(line) + strlen(before) + strlen(debt)) <= frame->columns)
        append(line, "%s%s", before, debt);
}

/* Who owes a close(), and how that came about. */
static void put_debts(struct live *live, const struct snapshot_order *sum)
{
    struct frame *frame = &live->frame;
    struct debt debts[SIDE_COUNT];
    if (highest(&live->history) == 0)
        return;
    char *line = begin_line(frame);
    for (int side = 0; side < SIDE_COUNT; side++) {
        debts[side] = debt_of(&sum->sides[side]);
        if (debts[side].owed > 0)
            append_debt(frame, line, "the %s owes %s close()", side_name((enum side)side),
                        grouped(debts[side].owed).text);
        if (debts[side].stuck > 0)
            append_debt(frame, line, "%s never accepted", grouped(debts[side].stuck).text);
    }
    if (debts[SIDE_SERVER].owed + debts[SIDE_SERVER].stuck + debts[SIDE_CLIENT].owed +
            debts[SIDE_CLIENT].stuck ==
        0)
        append_debt(frame, line, "nobody owes a close()");
    append(line, "  ");
    append_spark(line, live->feel.utf8, &live->history, frame->columns - (int)strlen(line));
}

static void make_frame(struct live *live)
{
    struct terminal_size size = terminal_size(STDERR_FILENO);
    struct snapshot_order sum = snapshot_sum(&live->snapshot);
    live->frame.count = 0;
    live->frame.columns = size.columns - 1;
    if (live->frame.columns > COLUMNS_MAX)
        live->frame.columns = COLUMNS_MAX;
    struct columns columns = columns_of(&live->frame, sum.conns);
    begin_line(&live->frame); /* apart from what the summary has written above */
    put_header(live);
    if (!sum.has_look || !columns.fit)
        return;
    put_heads(&live->frame, &columns);
    for (size_t i = 0; i <= LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = i < LIFE_ORDER_COUNT ? tcp_state_in_life_order(i) : STATE_GONE;
        if (live->has_occurred[state])
            put_state(live, &sum, &columns, state);
    }
    put_debts(live, &sum);
    if (live->frame.count > size.rows - 1)
        live->frame.count = size.rows > 1 ? size.rows - 1 : 1;
}

static void draw(struct live *live)
{
    int64_t now_us = monotonic_us();
    if (live->snapshot.count == 0 || now_us - live->drawn_us < REDRAW_US ||
        (!live->at_once && now_us - live->snapshot.run_began_us < QUIET_US))
        return;
    live->drawn_us = now_us;
    make_frame(live);
    const char *lines[LINES_MAX];
    for (int i = 0; i < live->frame.count; i++)
        lines[i] = live->frame.lines[i];
    diag_progress_block(lines, live->frame.count);
}

/* ---- what the view hears ---- */

static int live_run_start(void *view, const struct run_start *start)
{
    (void)start;
    snapshot_run_start(&((struct live *)view)->snapshot);
    return 0;
}

static int live_order_start(void *view, const struct order_start *start)
{
    struct live *live = view;
    if (live->snapshot.count == 0) {
        live->history = (struct history){.bucket_us = FIRST_BUCKET_US, .began_us = monotonic_us()};
        memset(live->has_occurred, 0, sizeof live->has_occurred);
    }
    snapshot_order_start(&live->snapshot, start);
    diag_progress_clear();
    return 0;
}

/* What is there has changed. */
static void show(struct live *live, const struct experiment *experiment)
{
    int64_t owed = 0;
    bool listens = experiment->order->opening == OPENING_LISTENERS; /* otherwise the lanes alone do */
    struct snapshot_order sum = snapshot_sum(&live->snapshot);
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct debt debt = debt_of(&sum.sides[side]);
        owed += debt.owed + debt.stuck;
        for (int state = 0; state < STATE_COUNT; state++)
            live->has_occurred[state] |= (state != STATE_LISTEN || listens) &&
                                         snapshot_count(&sum, (enum side)side, (enum tcp_state)state) > 0;
    }
    note(&live->history, owed, monotonic_us());
    draw(live);
}

static int live_sample(void *view, const struct sample *sample)
{
    struct live *live = view;
    snapshot_sample(&live->snapshot, sample);
    show(live, sample->experiment);
    return 0;
}

static void live_gauge(void *view, const struct gauge *gauge)
{
    struct live *live = view;
    snapshot_gauge(&live->snapshot, gauge);
    show(live, gauge->experiment);
}

static void live_progress(void *view, const struct progress *progress)
{
    struct live *live = view;
    snapshot_progress(&live->snapshot, progress);
    draw(live);
}

static int live_step_end(void *view, const struct step_end *end)
{
    (void)view;
    (void)end;
    diag_progress_clear();
    return 0;
}

static int live_order_end(void *view, const struct order_end *end)
{
    snapshot_order_end(&((struct live *)view)->snapshot, end);
    diag_progress_clear();
    return 0;
}

static int live_run_end(void *view, const struct run_end *end)
{
    (void)view;
    (void)end;
    diag_progress_clear();
    return 0;
}

static const struct observer_ops live_ops = {
    .run_start = live_run_start,
    .order_start = live_order_start,
    .sample = live_sample,
    .step_end = live_step_end,
    .progress = live_progress,
    .gauge = live_gauge,
    .order_end = live_order_end,
    .run_end = live_run_end,
};

struct observer live_view(bool at_once)
{
    struct live *live = calloc(1, sizeof *live);
    if (live != NULL) {
        live->feel = look_and_feel_of(STDERR_FILENO);
        live->at_once = at_once;
    }
    return (struct observer){.ops = &live_ops, .view = live, .name = "the live view"};
}
