/* summary: what a person reads in five seconds: where to look, a line per step with both sides' histogram,
 * and the verdict. */
#include "base/number_text.h"
#include "base/output.h"
#include "base/wrap.h"
#include "view/view.h"

#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 6, STATE_WIDTH = 11, STEP_WIDTH = 15, TEXT_WIDTH = 78 };

struct summary {
    FILE *out;
    struct look_and_feel feel;
    int number_width;
    int orders, orders_as_expected;
    bool has_partial; /* the last look belongs to a step that has not ended */
    char partial_step[32];
    struct histogram partial[SIDE_COUNT];
    int64_t partial_opened;
};

struct cell {
    enum tcp_state state;
    int64_t count;
};

enum { CELLS_MAX = STATE_COUNT };

/* The states that occur, in the order of a connection's life, gone last. */
static int cells_of(const struct histogram *histogram, int64_t opened, bool is_partial,
                    struct cell cells[CELLS_MAX])
{
    int n = 0;
    for (size_t i = 0; i <= LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = i < LIFE_ORDER_COUNT ? tcp_state_in_life_order(i) : STATE_GONE;
        int64_t count = histogram_of(histogram, state, opened);
        bool is_ahead = is_partial && count < 0; /* gone: the look overtook what the workers reported */
        if (count != 0 && state != STATE_LISTEN && !is_ahead)
            cells[n++] = (struct cell){state, count};
    }
    return n;
}

static void put_bar(const struct summary *summary, int64_t count, int64_t opened)
{
    int64_t filled = opened > 0 && count > 0 ? (count * BAR_WIDTH + opened - 1) / opened : 0;
    for (int64_t i = 0; i < BAR_WIDTH; i++) {
        if (i < filled)
            fputs(summary->feel.utf8 ? "█" : "#", summary->out);
        else
            fputs(summary->feel.utf8 ? "·" : ".", summary->out);
    }
}

/* `more`: something follows on the line. */
static void put_cell(const struct summary *summary, const struct cell *cell, int64_t opened, bool more)
{
    if (cell == NULL) {
        fprintf(summary->out, "%*s", BAR_WIDTH + 1 + summary->number_width + 1 + STATE_WIDTH + 1, "");
        return;
    }
    const char *colour = view_state_colour(summary->feel, cell->state);
    fputs(colour, summary->out);
    put_bar(summary, cell->count, opened);
    fprintf(summary->out, " %*s %-*s%s%s", summary->number_width, grouped(cell->count).text,
            more ? STATE_WIDTH : 0, tcp_state_name(cell->state), *colour != '\0' ? "\033[0m" : "",
            more ? " " : "");
}

static void put_ghosts(const struct summary *summary, const struct histogram *sides)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        if (sides[side].ghosts > 0)
            fprintf(summary->out, "  %-*s %s ghosts on the %s: descriptors of ended connections\n",
                    STEP_WIDTH, "", grouped(sides[side].ghosts).text, side_name((enum side)side));
}

static void put_step(const struct summary *summary, const char *step, const struct histogram *sides,
                     int64_t opened, bool is_partial, const char *result)
{
    struct cell cells[SIDE_COUNT][CELLS_MAX];
    int counts[SIDE_COUNT], rows = 1;
    for (int side = 0; side < SIDE_COUNT; side++) {
        counts[side] = cells_of(&sides[side], opened, is_partial, cells[side]);
        rows = counts[side] > rows ? counts[side] : rows;
    }
    for (int row = 0; row < rows; row++) {
        fprintf(summary->out, "  %-*s ", STEP_WIDTH, row == 0 ? step : "");
        bool more = row == 0 || row < counts[SIDE_CLIENT];
        put_cell(summary, row < counts[SIDE_SERVER] ? &cells[SIDE_SERVER][row] : NULL, opened, more);
        if (more)
            put_cell(summary, row < counts[SIDE_CLIENT] ? &cells[SIDE_CLIENT][row] : NULL, opened, row == 0);
        fprintf(summary->out, "%s\n", row == 0 ? result : "");
    }
    put_ghosts(summary, sides);
}

static int summary_run_start(void *view, const struct run_start *start)
{
    FILE *out = ((struct summary *)view)->out;
    view_print_way_inside(out, start->plan->settings);
    return view_flush(out);
}

static int summary_order_start(void *view, const struct order_start *start)
{
    struct summary *summary = view;
    const struct plan *plan = start->plan;
    FILE *out = summary->out;
    if (summary->orders++ > 0)
        fputc('\n', out);
    view_print_lanes(out, plan, &start->lanes);
    char headline[200];
    snprintf(headline, sizeof headline, "%s, %s: %s", start->experiment->name,
             counted(plan->settings->conns, "connection").text, start->experiment->summary);
    wrap_print(out, headline, 0, TEXT_WIDTH);
    fputc('\n', out);
    summary->number_width = (int)strlen(grouped(plan->settings->conns).text);
    if (summary->number_width < 3)
        summary->number_width = 3;
    int cell = BAR_WIDTH + 1 + summary->number_width + 1 + STATE_WIDTH;
    fprintf(out, "  %-*s %-*s %-*s %s\n", STEP_WIDTH, "step", cell, "server", cell, "client", "settled");
    summary->has_partial = false;
    return view_flush(out);
}

static int summary_sample(void *view, const struct sample *sample)
{
    struct summary *summary = view;
    summary->has_partial = true;
    snprintf(summary->partial_step, sizeof summary->partial_step, "%s", sample->step);
    memcpy(summary->partial, sample->sides, sizeof summary->partial);
    summary->partial_opened = sample->opened;
    return 0;
}

static int summary_step_end(void *view, const struct step_end *end)
{
    struct summary *summary = view;
    char result[64];
    const char *ok = summary->feel.colour ? "\033[32mok\033[0m" : "ok";
    const char *differs = summary->feel.colour ? "\033[31mdiffers\033[0m" : "differs";
    snprintf(result, sizeof result, "%s %.2f s", end->ok ? ok : differs, end->settle_s);
    put_step(summary, end->step, end->sides, end->expectation->opened, false, result);
    summary->has_partial = false;
    return view_flush(summary->out);
}

static int summary_order_end(void *view, const struct order_end *end)
{
    struct summary *summary = view;
    if (summary->has_partial)
        put_step(summary, summary->partial_step, summary->partial, summary->partial_opened, true, "so far");
    fputc('\n', summary->out);
    wrap_print(summary->out, end->verdict, 2, TEXT_WIDTH);
    summary->orders_as_expected += end->outcome == OUTCOME_AS_EXPECTED;
    return view_flush(summary->out);
}

static int summary_run_end(void *view, const struct run_end *end)
{
    struct summary *summary = view;
    if (summary->orders > 1)
        fprintf(summary->out, "\n%s played in %.1f s, %d as expected: %s\n",
                counted(summary->orders, "order").text, end->elapsed_s, summary->orders_as_expected,
                outcome_name(end->outcome));
    return view_flush(summary->out);
}

static const struct observer_ops summary_ops = {
    .run_start = summary_run_start,
    .order_start = summary_order_start,
    .sample = summary_sample,
    .step_end = summary_step_end,
    .order_end = summary_order_end,
    .run_end = summary_run_end,
};

struct observer summary_view(FILE *out, const char *name)
{
    struct summary *summary = calloc(1, sizeof *summary);
    if (summary != NULL)
        *summary = (struct summary){.out = out, .feel = look_and_feel_of(output_fd(out))};
    return (struct observer){.ops = &summary_ops, .view = summary, .name = name};
}
