#include "view/transition_rows.h"

#include "base/output.h"
#include "model/dwell_time.h"
#include "model/transition.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- CSV ---- */

const struct csv_column transition_columns[] = {
    {"order", "", "the name of the order; with `tcpstorm transitions` the port, `all` or `others`"},
    {"side", "", "`server` or `client`"},
    {"from", "", "the state that the sockets left; `gone`: there was no socket before"},
    {"to", "", "the state that they entered; `gone`: there is no socket any more"},
    {"count", "sockets", "sockets that made this transition"},
    {"dwell_p50_s", "s",
     "how long sockets stayed in the state that they left, over all transitions from it: the median, the "
     "other percentiles and the maximum. They are right to a factor of two, and empty if none was measured"},
    {"dwell_p90_s", "s", NULL},
    {"dwell_p99_s", "s", NULL},
    {"dwell_max_s", "s", NULL},
    {NULL, NULL, NULL},
};

static void put_time(FILE *out, double seconds)
{
    if (seconds >= 0)
        fprintf(out, ",%.9g", seconds);
    else
        fputc(',', out);
}

static void put_row(FILE *out, const char *order, const struct transition_counts *counts, enum side side,
                    enum tcp_state from, enum tcp_state to)
{
    const struct side_transitions *of = &counts->side[side];
    const struct dwell *dwell = &of->dwell[from];
    int64_t count = transitions_between(of, from, to);
    if (count == 0)
        return;
    fprintf(out, "%s,%s,%s,%s,%" PRId64, order, side_name(side), tcp_state_name(from), tcp_state_name(to),
            count);
    put_time(out, dwell_quantile_s(dwell, 0.5));
    put_time(out, dwell_quantile_s(dwell, 0.9));
    put_time(out, dwell_quantile_s(dwell, 0.99));
    put_time(out, dwell_longest_s(dwell));
    fputc('\n', out);
}

/* In the order of a connection's life, gone first: where it begins. */
static enum tcp_state state_at(size_t i)
{
    return i == 0 ? STATE_GONE : tcp_state_in_life_order(i - 1);
}

void transition_rows_put(FILE *out, const char *order, const struct transition_counts *counts)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t from = 0; from <= LIFE_ORDER_COUNT; from++)
            for (size_t to = 0; to <= LIFE_ORDER_COUNT; to++)
                put_row(out, order, counts, (enum side)side, state_at(from), state_at(to));
}

struct transitions {
    FILE *out;
};

static int transitions_run_start(void *view, const struct run_start *start)
{
    (void)start;
    FILE *out = ((struct transitions *)view)->out;
    csv_put_header(out, transition_columns);
    return view_flush(out);
}

static int transitions_order_end(void *view, const struct order_end *end)
{
    FILE *out = ((struct transitions *)view)->out;
    if (end->transitions != NULL)
        transition_rows_put(out, end->experiment->name, end->transitions->counts);
    return view_flush(out);
}

static bool transitions_is_clogged(const void *view)
{
    return output_is_clogged(((const struct transitions *)view)->out);
}

static const struct observer_ops transitions_ops = {
    .run_start = transitions_run_start,
    .order_end = transitions_order_end,
    .is_clogged = transitions_is_clogged,
};

struct observer transitions_view(FILE *out, const char *name)
{
    struct transitions *transitions = calloc(1, sizeof *transitions);
    if (transitions != NULL)
        transitions->out = out;
    return (struct observer){.ops = &transitions_ops, .view = transitions, .name = name};
}

/* ---- JSON ---- */

static void put_move(struct json_writer *w, const struct transition_report *report, enum side side,
                     enum tcp_state from, enum tcp_state to, enum transition_why why)
{
    int64_t count = report->counts->side[side].moved[from][to][why];
    if (count == 0)
        return;
    json_open(w, NULL, '{');
    json_string(w, "side", side_name(side));
    json_string(w, "from", tcp_state_name(from));
    json_string(w, "to", tcp_state_name(to));
    json_string(w, "why", transition_why_name(why));
    json_string(w, "kind",
                transition_kind_name(transition_kind(side, from, to, why, report->level == EVENTS_ALL)));
    json_string(w, "arrow", transition_event(side, from, to, why));
    json_integer(w, "count", count);
    json_close(w, '}');
}

static void put_moves(struct json_writer *w, const struct transition_report *report)
{
    json_open(w, "moves", '[');
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t from = 0; from <= LIFE_ORDER_COUNT; from++)
            for (size_t to = 0; to <= LIFE_ORDER_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++)
                    put_move(w, report, (enum side)side, state_at(from), state_at(to),
                             (enum transition_why)why);
    json_close(w, ']');
}

static void put_dwell(struct json_writer *w, const struct transition_counts *counts)
{
    json_open(w, "dwell", '[');
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
            enum tcp_state state = tcp_state_in_life_order(i);
            const struct dwell *dwell = &counts->side[side].dwell[state];
            if (dwell_sampled(dwell) == 0)
                continue;
            json_open(w, NULL, '{');
            json_string(w, "side", side_name((enum side)side));
            json_string(w, "state", tcp_state_name(state));
            json_integer(w, "sampled", dwell_sampled(dwell));
            json_number(w, "p50_s", dwell_quantile_s(dwell, 0.5));
            json_number(w, "p90_s", dwell_quantile_s(dwell, 0.9));
            json_number(w, "p99_s", dwell_quantile_s(dwell, 0.99));
            json_number(w, "max_s", dwell_longest_s(dwell));
            json_close(w, '}');
        }
    json_close(w, ']');
}

void transition_json_put(struct json_writer *w, const struct transition_report *report)
{
    const struct transition_counts *counts = report->counts;
    json_string(w, "level", events_level_name(report->level));
    if (report->level != EVENTS_ALL)
        json_string(w, "lack", report->lack);
    json_integer(w, "transitions", transitions_in_all(counts));
    json_open(w, "kinds", '{');
    for (int kind = 0; kind < TRANSITION_KINDS; kind++)
        json_integer(w, transition_kind_name((enum transition_kind)kind),
                     transitions_of_kind(counts, (enum transition_kind)kind, report->level == EVENTS_ALL));
    json_close(w, '}');
    put_moves(w, report);
    json_integer(w, "sampled_one_in", counts->sampled_one_in);
    put_dwell(w, counts);
    json_integer(w, "retransmitted", counts->retransmitted);
    json_integer(w, "resets_sent", counts->resets_sent);
    json_integer(w, "resets_received", counts->resets_received);
    json_integer(w, "unheard", counts->unheard);
    json_integer(w, "doubled", counts->doubled);
    json_integer(w, "holes", counts->holes);
    json_integer(w, "dropped", counts->dropped);
}
