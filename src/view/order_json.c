#include "view/order_json.h"

#include "view/ladder.h"

/* What is drawn for a set: where a connection's life goes on from is its earliest state. */
static enum tcp_state earliest_of(uint32_t set)
{
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        if ((set & STATE_SET(tcp_state_in_life_order(i))) != 0)
            return tcp_state_in_life_order(i);
    return STATE_GONE;
}

static void put_segments(struct json_writer *w, const struct segment *segments, int count)
{
    json_open(w, "segments", '[');
    for (int i = 0; i < count; i++) {
        json_open(w, NULL, '{');
        json_string(w, "from", side_name(segments[i].from));
        json_string(w, "flags", segments[i].flags);
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* Of what is written into a network that has forgotten the connection nothing is heard. */
static bool is_unanswered(const struct close_order *order, int i)
{
    bool is_unanswered = false;
    for (int side = 0; side < SIDE_COUNT; side++)
        is_unanswered |= order_unanswered_since(order, i, (enum side)side) == i;
    return is_unanswered;
}

static void put_step(struct json_writer *w, const struct close_order *order, int i, struct end_sight *ends)
{
    const struct order_step *step = order_step_at(order, i);
    struct segment segments[SEGMENTS_MAX];
    struct end_sight after[SIDE_COUNT];
    for (int side = 0; side < SIDE_COUNT; side++)
        after[side] = (struct end_sight){.state = earliest_of(step->expect[side])};
    int count =
        i == 0 ? ladder_opening(order->opening, segments) : ladder_segments(step, ends, after, segments);
    if (is_unanswered(order, i))
        count = 1;
    json_open(w, NULL, '{');
    json_string(w, "step", order_step_label(step).text);
    json_string(w, "client_call",
                i == 0 ? ladder_opening_call(order->opening, SIDE_CLIENT) : ladder_call(step, SIDE_CLIENT));
    json_string(w, "server_call",
                i == 0 ? ladder_opening_call(order->opening, SIDE_SERVER) : ladder_call(step, SIDE_SERVER));
    put_segments(w, segments, count);
    json_string(w, "client", state_set_text(step->expect[SIDE_CLIENT]).text);
    json_string(w, "server", state_set_text(step->expect[SIDE_SERVER]).text);
    json_close(w, '}');
    for (int side = 0; side < SIDE_COUNT; side++)
        ends[side] = after[side];
}

void order_json_put(struct json_writer *w, const struct experiment *experiment)
{
    const struct close_order *order = experiment->order;
    struct end_sight ends[SIDE_COUNT] = {{.state = STATE_GONE}, {.state = STATE_GONE}};
    json_string(w, "summary", experiment->summary);
    json_string(w, "meaning", experiment->meaning);
    json_open(w, "ladder", '[');
    for (int i = 0; i < order_step_count(order); i++)
        put_step(w, order, i, ends);
    json_close(w, ']');
}
