/* json: JSON Lines for scripts: start, sample, step and end of each order, every line an object with `event`.
 */
#include "base/json_writer.h"
#include "base/version.h"
#include "view/view.h"

#include <stdlib.h>

struct json {
    struct json_writer writer;
};

static struct json_writer *begin(void *view, const char *event, const struct close_order *order)
{
    struct json_writer *w = &((struct json *)view)->writer;
    json_open(w, NULL, '{');
    json_string(w, "event", event);
    json_string(w, "order", order->name);
    return w;
}

static int end_event(struct json_writer *w)
{
    json_close(w, '}');
    json_end_line(w);
    return view_flush(w->out);
}

static void put_options(struct json_writer *w, const struct storm_settings *settings)
{
    json_open(w, "options", '{');
    json_integer(w, "conns", settings->conns);
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

static int json_order_start(void *view, const struct order_start *start)
{
    struct json_writer *w = begin(view, "start", start->order);
    const struct plan *plan = start->plan;
    json_string(w, "version", TCPSTORM_VERSION);
    json_string(w, "kernel", plan->limits.kernel);
    json_string(w, "witness", plan->witness->name);
    json_open(w, "lanes", '[');
    json_integer(w, NULL, start->lanes.first);
    json_integer(w, NULL, start->lanes.last);
    json_close(w, ']');
    json_integer(w, "workers", 2 * (int64_t)plan->pairs);
    put_options(w, plan->settings);
    put_limits(w, &plan->limits);
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

static int json_sample(void *view, const struct sample *sample)
{
    struct json_writer *w = NULL;
    for (int side = 0; side < SIDE_COUNT; side++) {
        w = begin(view, "sample", sample->order);
        json_integer(w, "conns", sample->conns);
        json_number(w, "t_s", sample->t_s);
        json_string(w, "step", sample->step);
        json_integer(w, "settled", sample->settled);
        json_string(w, "side", side_name((enum side)side));
        json_integer(w, "opened", sample->opened);
        put_states(w, &sample->sides[side], sample->opened);
        json_integer(w, "fds", sample->fds[side]);
        json_integer(w, "errors", sample->errors[side]);
        json_number(w, "look_s", sample->look_s);
        int rc = end_event(w);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void put_expected(struct json_writer *w, uint32_t set)
{
    for (int state = STATE_GONE; state < STATE_COUNT; state++)
        if (state_set_has(set, (enum tcp_state)state))
            json_string(w, NULL, tcp_state_name((enum tcp_state)state));
}

static int json_step_end(void *view, const struct step_end *end)
{
    struct json_writer *w = begin(view, "step", end->order);
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

static int json_order_end(void *view, const struct order_end *end)
{
    struct json_writer *w = begin(view, "end", end->order);
    json_string(w, "version", TCPSTORM_VERSION);
    json_string(w, "outcome", outcome_name(end->outcome));
    json_string(w, "verdict", end->verdict);
    json_integer(w, "looks_failed", end->failed_looks);
    json_open(w, "counters_moved", '{');
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (end->moved->value[i] != 0)
            json_integer(w, kernel_counter_name((enum kernel_counter)i), end->moved->value[i]);
    json_close(w, '}');
    return end_event(w);
}

static const struct observer_ops json_ops = {
    .order_start = json_order_start,
    .sample = json_sample,
    .step_end = json_step_end,
    .order_end = json_order_end,
};

struct observer json_view(FILE *out, const char *name)
{
    struct json *json = calloc(1, sizeof *json);
    if (json != NULL)
        json->writer.out = out;
    return (struct observer){.ops = &json_ops, .view = json, .name = name};
}
