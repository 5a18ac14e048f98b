/* json: JSON Lines for scripts: start, sample, step and end of each order, every line an object with `event`.
 */
#include "analysis/attribution.h"
#include "analysis/debt.h"
#include "base/json_writer.h"
#include "base/output.h"
#include "base/version.h"
#include "view/json_events.h"
#include "view/order_json.h"
#include "view/sample_row.h"
#include "view/transition_rows.h"
#include "view/view.h"

#include <stdlib.h>

struct json {
    struct json_writer writer;
};

static struct json_writer *begin(void *view, enum json_event event, const struct experiment *experiment)
{
    struct json_writer *w = &((struct json *)view)->writer;
    json_event_open(w, event);
    json_string(w, "order", experiment->name);
    return w;
}

static int end_event(struct json_writer *w)
{
    json_close(w, '}');
    json_end_line(w);
    return view_flush(w->out);
}

static void put_options(struct json_writer *w, const struct run_settings *settings)
{
    json_open(w, "options", '{');
    json_integer(w, "conns", settings->conns);
    if (settings->look_inside != NULL)
        json_string(w, "look_inside", settings->look_inside);
    if (settings->leak > 0)
        json_integer(w, "leak", settings->leak);
    if (settings->keepalive_s[SIDE_SERVER] > 0)
        json_integer(w, "server_keepalive_s", settings->keepalive_s[SIDE_SERVER]);
    if (settings->keepalive_s[SIDE_CLIENT] > 0)
        json_integer(w, "client_keepalive_s", settings->keepalive_s[SIDE_CLIENT]);
    if (run_is_arriving(settings)) {
        json_integer(w, "rate", settings->flow.rate);
        json_number(w, "duration_s", (double)settings->flow.duration_ms / 1e3);
        json_number(w, "life_s", (double)settings->flow.life_ms / 1e3);
        json_integer(w, "backlog", settings->flow.backlog);
        json_integer(w, "server_nofile", settings->flow.server_nofile);
    }
    json_string(w, "address", address_text(&settings->address).text);
    json_integer(w, "port", settings->port);
    if (settings->hold_ms == HOLD_FOREVER)
        json_string(w, "hold", "forever");
    else
        json_number(w, "hold_s", (double)settings->hold_ms / 1e3);
    json_number(w, "settle_s", (double)plan_settle_ms(settings) / 1e3);
    json_number(w, "interval_s", (double)settings->interval_ms / 1e3);
    json_close(w, '}');
}

static void put_limits(struct json_writer *w, const struct host_limits *limits)
{
    json_open(w, "sysctls", '{');
    json_open(w, "net.ipv4.ip_local_port_range", '[');
    json_integer(w, NULL, limits->port_first);
    json_integer(w, NULL, limits->port_last);
    json_close(w, ']');
    json_integer(w, "net.core.somaxconn", limits->somaxconn);
    json_integer(w, "net.ipv4.tcp_max_tw_buckets", limits->max_tw_buckets);
    json_integer(w, "net.ipv4.tcp_fin_timeout", limits->fin_timeout_ms / 1000);
    json_close(w, '}');
    json_open(w, "limits", '{');
    json_integer(w, "nofile_hard", limits->nofile_hard);
    json_integer(w, "processors", limits->processors);
    json_integer(w, "memory_available", limits->memory_available);
    json_close(w, '}');
}

static void put_warnings(struct json_writer *w, const struct plan_sentences *warnings)
{
    json_open(w, "warnings", '[');
    for (int i = 0; i < warnings->count; i++)
        json_string(w, NULL, warnings->each[i].text);
    json_close(w, ']');
}

static int json_order_start(void *view, const struct order_start *start)
{
    struct json_writer *w = begin(view, JSON_START, start->experiment);
    const struct plan *plan = start->plan;
    json_string(w, "version", TCPSTORM_VERSION);
    json_string(w, "kernel", plan->limits.kernel);
    json_string(w, "witness", plan->witness->name);
    if (plan->settings->events != NULL)
        json_string(w, "events", events_level_name(socket_events_level(plan->settings->events)));
    json_open(w, "lanes", '[');
    json_integer(w, NULL, start->lanes.first);
    json_integer(w, NULL, start->lanes.last);
    json_close(w, ']');
    json_integer(w, "workers", 2 * (int64_t)plan->pairs);
    if (plan->settings->command != NULL)
        json_string(w, "command", plan->settings->command);
    put_options(w, plan->settings);
    put_limits(w, &plan->limits);
    put_warnings(w, &plan->warnings);
    order_json_put(w, start->experiment);
    return end_event(w);
}

/* Every state under the name of its CSV column, zeros included. */
static void put_states(struct json_writer *w, const struct histogram *histogram, int64_t opened)
{
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = tcp_state_in_life_order(i);
        json_integer(w, tcp_state_column(state), histogram->of[state]);
    }
    json_integer(w, tcp_state_column(STATE_GONE), histogram_gone(histogram, opened));
}

/* What concerns one side only is left out on the other's line. */
static void put_tallies(struct json_writer *w, const struct sample *sample, const struct sample_row *row)
{
    json_integer(w, "nofile", row->nofile);
    json_integer(w, "ghosts", row->histogram->ghosts);
    json_integer(w, "unread", row->histogram->unread);
    json_integer(w, "unowned", row->histogram->unowned);
    if (row->side == SIDE_SERVER)
        json_integer(w, "queued", row->histogram->queued);
    if (row->is_of_server)
        json_integer(w, "dropped", sample->dropped);
    if (row->is_of_client) {
        json_integer(w, "late", sample->late);
        json_number(w, "connect_s", (double)sample->connect_us / 1e6);
    }
    json_string(w, "host", row->host);
}

/* What pictures and reports draw, so that they need not work it out again. */
static void put_findings(struct json_writer *w, const struct sample *sample, const struct sample_row *row)
{
    const struct debt debt = debt_of(row->histogram);
    json_integer(w, "owed", debt.owed);
    json_integer(w, "stuck", debt.stuck);
    json_integer(w, "unclosed", debt.unclosed);
    json_number(w, "began_s", sample->began_s);
    json_number(w, "failed_s", row->failed_s);
    if (row->is_of_server)
        json_number(w, "dropped_s", sample->dropped_s);
    json_integer(w, "half_closed", row->histogram->half_closed);
    json_integer(w, "elsewhere", row->elsewhere);
    json_integer(w, "lost", row->lost);
}

static int put_row(struct json_writer *w, const struct sample *sample, const struct sample_row *row)
{
    json_integer(w, "conns", sample->conns);
    json_number(w, "t_s", sample->t_s);
    json_string(w, "step", sample->step);
    json_integer(w, "settled", sample->settled);
    json_string(w, "side", side_name(row->side));
    json_integer(w, "opened", row->opened);
    put_states(w, row->histogram, row->opened);
    json_integer(w, "fds", row->fds);
    json_integer(w, "errors", row->errors);
    json_number(w, "look_s", sample->look_s);
    put_tallies(w, sample, row);
    put_findings(w, sample, row);
    return end_event(w);
}

static int json_sample(void *view, const struct sample *sample)
{
    struct sample_row rows[SAMPLE_ROWS_MAX];
    int rc = 0, count = sample_rows(sample, rows);
    for (int i = 0; i < count && rc == 0; i++)
        rc = put_row(begin(view, JSON_SAMPLE, sample->experiment), sample, &rows[i]);
    return rc;
}

static void put_expected(struct json_writer *w, uint32_t set)
{
    for (int state = STATE_GONE; state < STATE_COUNT; state++)
        if (state_set_has(set, (enum tcp_state)state))
            json_string(w, NULL, tcp_state_name((enum tcp_state)state));
}

static int json_step_end(void *view, const struct step_end *end)
{
    struct json_writer *w = begin(view, JSON_STEP, end->experiment);
    json_string(w, "step", end->step);
    json_number(w, "settle_s", end->settle_s);
    json_number(w, "act_s", end->act_s);
    json_number(w, "rate_per_s", end->rate_per_s);
    json_open(w, "expected", '{');
    for (int side = 0; side < SIDE_COUNT; side++) {
        json_open(w, side_name((enum side)side), '[');
        put_expected(w, end->expectation->allowed[side]);
        json_close(w, ']');
    }
    json_close(w, '}');
    json_open(w, "observed", '{');
    for (int side = 0; side < SIDE_COUNT; side++) {
        json_open(w, side_name((enum side)side), '{');
        put_states(w, &end->sides[side], end->expectation->opened);
        json_close(w, '}');
    }
    json_close(w, '}');
    json_boolean(w, "ok", end->ok);
    if (!end->ok)
        json_string(w, "difference", end->difference);
    return end_event(w);
}

static void put_lingering(struct json_writer *w, const struct lingering *lingering)
{
    json_open(w, "lingering", '[');
    for (int i = 0; i < lingering->count; i++) {
        const struct lingering_class *class = &lingering->each[i];
        json_open(w, NULL, '{');
        json_string(w, "side", side_name(class->side));
        json_string(w, "state", tcp_state_name(class->state));
        json_integer(w, "count", class->count);
        json_boolean(w, "unread", class->unread);
        json_boolean(w, "stalled", class->stalled);
        json_boolean(w, "fin_with_data", class->fin_with_data);
        json_boolean(w, "owned", class->owned);
        if (class->pid > 0) {
            json_integer(w, "pid", class->pid);
            json_string(w, "command", class->command);
            json_integer(w, "processes", class->processes);
        }
        json_boolean(w, "stranger", lingering_is_strange(class));
        if (lingering_since_ms(class) >= 0)
            json_number(w, "oldest_s", (double)lingering_since_ms(class) / 1e3);
        json_string(w, "acts", who_acts(class, lingering).text);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_trend(struct json_writer *w, const struct flow_report *flow, enum side side)
{
    const struct trend *trend = &flow->trend[side];
    json_open(w, side_name(side), '{');
    json_string(w, "trend", trend_kind_name(trend->kind));
    json_number(w, "slope_per_s", trend->slope_per_s);
    json_number(w, "low_per_s", trend->low_per_s);
    json_number(w, "high_per_s", trend->high_per_s);
    json_integer(w, "looks", trend->looks);
    json_integer(w, "held", flow->held[side]);
    json_close(w, '}');
}

static void put_timeline(struct json_writer *w, const struct timeline *timeline)
{
    enum timeline_stage stages[STAGE_COUNT];
    int count = timeline_in_order(timeline, stages);
    json_open(w, "story", '[');
    for (int i = 0; i < count; i++) {
        json_open(w, NULL, '{');
        json_string(w, "stage", timeline_stage_name(stages[i]));
        json_number(w, "t_s", timeline_at(timeline, stages[i]));
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_flow(struct json_writer *w, const struct order_end *end)
{
    const struct flow_report *flow = end->flow;
    const struct flow_tally *server = &flow->sums[SIDE_SERVER], *client = &flow->sums[SIDE_CLIENT];
    json_open(w, "flow", '{');
    json_integer(w, "rate", flow->asked->rate);
    json_number(w, "achieved_rate", flow->achieved_rate);
    json_integer(w, "late", client->late);
    json_number(w, "latest_s", (double)client->worst_us / 1e6);
    json_integer(w, "accepted", server->begun);
    json_integer(w, "accept_errors", server->errors);
    json_integer(w, "connect_timeouts", client->timeouts);
    json_integer(w, "abandoned", client->abandoned);
    json_integer(w, "connect_errors", client->errors - client->timeouts);
    json_integer(w, "reused", client->reused);
    json_integer(w, "leaked", server->leaked + client->leaked);
    json_integer(w, "lost", server->lost + client->lost);
    if (client->slowest_us > 0)
        json_number(w, "slowest_reply_s", (double)client->slowest_us / 1e6);
    json_integer(w, "server_nofile", flow->nofile);
    put_trend(w, flow, SIDE_SERVER);
    put_trend(w, flow, SIDE_CLIENT);
    put_timeline(w, flow->timeline);
    if (end->experiment->cause != NULL)
        json_boolean(w, "signature", flow->shows_signature);
    json_close(w, '}');
}

/* A line of its own, before the order's end. */
static int put_transitions(void *view, const struct order_end *end)
{
    struct json_writer *w = begin(view, JSON_TRANSITIONS, end->experiment);
    transition_json_put(w, end->transitions);
    json_integer(w, "settled_steps_compared", end->transitions->compared);
    json_integer(w, "settled_steps_agreed", end->transitions->agreed);
    return end_event(w);
}

static int json_order_end(void *view, const struct order_end *end)
{
    int rc = end->transitions != NULL ? put_transitions(view, end) : 0;
    if (rc != 0)
        return rc;
    struct json_writer *w = begin(view, JSON_END, end->experiment);
    json_string(w, "version", TCPSTORM_VERSION);
    json_string(w, "outcome", outcome_name(end->outcome));
    json_string(w, "verdict", end->verdict);
    if (end->sides != NULL)
        json_string(w, "owes", debt_sentence(end->sides).text);
    json_integer(w, "looks_failed", end->failed_looks);
    json_open(w, "counters_moved", '{');
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (end->moved->value[i] != 0)
            json_integer(w, kernel_counter_name((enum kernel_counter)i), end->moved->value[i]);
    json_close(w, '}');
    put_lingering(w, end->lingering);
    if (end->flow != NULL)
        put_flow(w, end);
    return end_event(w);
}

static bool json_is_clogged(const void *view)
{
    return output_is_clogged(((const struct json *)view)->writer.out);
}

static const struct observer_ops json_ops = {
    .order_start = json_order_start,
    .sample = json_sample,
    .step_end = json_step_end,
    .order_end = json_order_end,
    .is_clogged = json_is_clogged,
};

struct observer json_view(FILE *out, const char *name)
{
    struct json *json = calloc(1, sizeof *json);
    if (json != NULL)
        json->writer.out = out;
    return (struct observer){.ops = &json_ops, .view = json, .name = name};
}
