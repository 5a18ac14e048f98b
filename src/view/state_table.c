/* state_table: for states that are kept: a line for each, as soon as it is reached, and at the end
 * whether all were. */
#include "base/diag.h"
#include "base/number_text.h"
#include "base/wrap.h"
#include "view/view.h"

#include <stdlib.h>
#include <string.h>

enum { STATES_MAX = 16, TEXT_WIDTH = 78 };

struct state_line {
    const struct experiment *experiment;
    struct port_range lanes;
    const struct run_settings *settings;
    bool is_printed;
};

struct state_table {
    FILE *out;
    struct state_line lines[STATES_MAX];
    int count;
    int reached, kept;
};

static int table_run_start(void *view, const struct run_start *start)
{
    FILE *out = ((struct state_table *)view)->out;
    view_print_way_inside(out, start->plan->settings);
    return view_flush(out);
}

static int table_order_start(void *view, const struct order_start *start)
{
    struct state_table *table = view;
    if (table->count == 0)
        fprintf(table->out, "  %-12s %-7s %15s  %s\n", "state", "side", "reached", "look yourself");
    if (table->count < STATES_MAX)
        table->lines[table->count++] = (struct state_line){
            .experiment = start->experiment, .lanes = start->lanes, .settings = start->plan->settings};
    return view_flush(table->out);
}

static struct state_line *line_of(struct state_table *table, const struct experiment *experiment)
{
    for (int i = 0; i < table->count; i++)
        if (table->lines[i].experiment == experiment)
            return &table->lines[i];
    return NULL;
}

static void print_line(struct state_table *table, struct state_line *line, const struct histogram *sides)
{
    char reached[64];
    diag_progress_clear();
    const struct kept_state *kept = line->experiment->kept;
    int64_t conns = line->settings->conns, there = kept_state_reached(kept, sides);
    snprintf(reached, sizeof reached, "%s/%s", grouped(there).text, grouped(conns).text);
    fprintf(table->out, "  %-12s %-7s %15s  ", line->experiment->name, side_name(kept->side), reached);
    if (kept->state == STATE_CLOSE)
        fputs("in no table: TCP_INFO on each descriptor shows CLOSE", table->out);
    else
        view_print_ss_command(table->out, line->settings, &line->lanes);
    fputc('\n', table->out);
    line->is_printed = true;
    table->reached += there == conns;
}

/* A step is at its end only after it was held; who looks on wants to know when that begins. */
static int table_sample(void *view, const struct sample *sample)
{
    struct state_table *table = view;
    struct state_line *line = line_of(table, sample->experiment);
    const struct close_order *order = sample->experiment->order;
    const struct order_step *last = order_step_at(order, order_step_count(order) - 1);
    if (line != NULL && !line->is_printed && sample->settled &&
        strcmp(sample->step, order_step_label(last).text) == 0)
        print_line(table, line, sample->sides);
    return view_flush(table->out);
}

static int table_step_end(void *view, const struct step_end *end)
{
    struct state_table *table = view;
    struct state_line *line = line_of(table, end->experiment);
    if (line != NULL && !line->is_printed && !end->ok)
        print_line(table, line, end->sides);
    table->kept += line != NULL && line->is_printed && end->ok &&
                   kept_state_reached(line->experiment->kept, end->sides) == line->settings->conns;
    return view_flush(table->out);
}

static int table_order_end(void *view, const struct order_end *end)
{
    struct state_table *table = view;
    if (end->outcome == OUTCOME_AS_EXPECTED)
        return 0;
    fprintf(table->out, "  %s:\n", end->experiment->name);
    wrap_print(table->out, end->verdict, 4, TEXT_WIDTH);
    return view_flush(table->out);
}

static int table_run_end(void *view, const struct run_end *end)
{
    const struct state_table *table = view;
    if (end->outcome == OUTCOME_INTERRUPTED)
        fprintf(table->out, "\n  %d of %d states reached, interrupted after %.1f s\n", table->reached,
                table->count, end->elapsed_s);
    else
        fprintf(table->out, "\n  %d of %d states reached and kept in %.1f s: %s\n", table->kept, table->count,
                end->elapsed_s, outcome_name(end->outcome));
    return view_flush(table->out);
}

static const struct observer_ops state_table_ops = {
    .run_start = table_run_start,
    .order_start = table_order_start,
    .sample = table_sample,
    .step_end = table_step_end,
    .order_end = table_order_end,
    .run_end = table_run_end,
};

struct observer state_table_view(FILE *out, const char *name)
{
    struct state_table *table = calloc(1, sizeof *table);
    if (table != NULL)
        table->out = out;
    return (struct observer){.ops = &state_table_ops, .view = table, .name = name};
}
