#include "model/order_transitions.h"

#include "model/transition.h"

#include <string.h>

#define IN(state) STATE_SET(STATE_##state)

/* ---- which arrows a step allows ---- */

/* One side in one step. */
struct scene {
    const struct close_order *order;
    int step;
    enum side side;
};

static const struct order_step *act_of(const struct scene *scene)
{
    return order_step_at(scene->order, scene->step);
}

/* Before the opening there is nothing. */
static uint32_t states_before(const struct scene *scene, enum side side)
{
    return scene->step > 0 ? order_step_at(scene->order, scene->step - 1)->expect[side] : IN(GONE);
}

/* What the other side wrote is there, and close() then sends RST. */
static bool has_unread(const struct scene *scene)
{
    int unread = 0;
    for (int i = 0; i < scene->step; i++) {
        const struct order_step *at = order_step_at(scene->order, i);
        bool writes = at->act == ACT_WRITE || at->act == ACT_FINISH || at->act == ACT_FILL;
        unread += writes && order_step_is_by(at, side_other(scene->side));
        unread -= at->act == ACT_READ && order_step_is_by(at, scene->side);
    }
    return unread > 0;
}

static bool aborts(const struct scene *scene)
{
    const struct order_step *step = act_of(scene);
    return order_step_is_by(step, scene->side) && (step->act == ACT_ABORT || step->act == ACT_UNLISTEN ||
                                                   (act_closes(step->act) && has_unread(scene)));
}

/* Its side sends a FIN in this step. */
static bool sends_fin(const struct scene *scene)
{
    const struct order_step *step = act_of(scene);
    bool is_fin = step->act == ACT_SHUTDOWN || act_closes(step->act);
    return order_step_is_by(step, scene->side) && is_fin && !aborts(scene);
}

/* Its FIN is on the way, by this step's act or by an earlier one's. */
static bool has_sent_fin(const struct scene *scene, enum side side)
{
    bool has_sent = false;
    for (int i = 0; i <= scene->step; i++)
        has_sent |= sends_fin(&(struct scene){scene->order, i, side});
    return has_sent;
}

/* An RST comes: the other side aborts, or is not there any more. */
static bool is_reset(const struct scene *scene)
{
    const struct scene opposite = {scene->order, scene->step, side_other(scene->side)};
    bool was_gone = scene->step > 0 && state_set_has(states_before(scene, opposite.side), STATE_GONE);
    bool goes = act_of(scene)->act == ACT_WAIT && act_of(scene)->expect[opposite.side] == IN(GONE);
    return aborts(&opposite) || was_gone || goes;
}

/* A clock of the kernel or its limit takes the place of TIME_WAIT. */
static bool is_shortened(const struct scene *scene)
{
    const struct order_needs *needs = &scene->order->needs;
    return (act_of(scene)->act == ACT_WAIT && scene->order->clock == CLOCK_FIN_TIMEOUT) ||
           (needs->must_move && needs->counter == COUNTER_TIME_WAIT_OVERFLOW);
}

/* Connections begin in this step. */
static bool opens(const struct scene *scene)
{
    return scene->step == 0 || act_of(scene)->act == ACT_RECONNECT;
}

/* How the side opens: a listener, by a SYN that comes, or by connect(). */
static bool opens_by(const struct scene *scene, enum tcp_state from, enum tcp_state to)
{
    bool are_listeners = scene->order->opening == OPENING_LISTENERS;
    if (!opens(scene))
        return from == STATE_SYN_RECV || from == STATE_SYN_SENT;
    if (scene->side == SIDE_SERVER)
        return to == (are_listeners ? STATE_LISTEN : from == STATE_GONE ? STATE_SYN_RECV : STATE_ESTABLISHED);
    return to == (from == STATE_GONE ? STATE_SYN_SENT : STATE_ESTABLISHED);
}

static bool diagram_allows(const struct scene *scene, enum tcp_state from, enum tcp_state to)
{
    bool fin_comes = has_sent_fin(scene, side_other(scene->side));
    bool fin_goes = sends_fin(scene);
    switch (from) {
    case STATE_GONE:
    case STATE_SYN_SENT:
    case STATE_SYN_RECV:
        return opens_by(scene, from, to);
    case STATE_LISTEN:
    case STATE_TIME_WAIT: /* a clock's, in whatever step: see add_clocks */
        return false;
    case STATE_ESTABLISHED:
        return to == STATE_FIN_WAIT1 ? fin_goes : fin_comes;
    case STATE_CLOSE_WAIT:
        return fin_goes;
    case STATE_FIN_WAIT1:
        return to == STATE_FIN_WAIT2 || fin_comes;
    case STATE_FIN_WAIT2:
        return fin_comes;
    default:
        return true;
    }
}

static bool scene_allows(const struct scene *scene, enum tcp_state from, enum tcp_state to,
                         enum transition_why why)
{
    switch (transition_kind(scene->side, from, to, why, true)) {
    case TRANSITION_DIAGRAM:
        return diagram_allows(scene, from, to) && why == WHY_ORDERLY;
    case TRANSITION_RESET:
        return is_reset(scene);
    case TRANSITION_ABORT:
        return aborts(scene);
    case TRANSITION_UNANSWERED:
        return act_of(scene)->act == ACT_WAIT && scene->order->clock == CLOCK_RETRANSMISSION;
    case TRANSITION_SHORTENED: /* an early end of TIME_WAIT: see add_clocks */
        if (from == STATE_TIME_WAIT)
            return false;
        return is_shortened(scene) || (aborts(scene) && from == STATE_FIN_WAIT2 && why == WHY_ORDERLY);
    default:
        return false;
    }
}

/* ---- all ways through a step ---- */

enum { MOVES = STATE_COUNT * STATE_COUNT * WHY_COUNT, WORDS = (MOVES + 63) / 64 };

struct move_set {
    uint64_t words[WORDS];
};

static int move_index(int from, int to, int why)
{
    return (from * STATE_COUNT + to) * WHY_COUNT + why;
}

static bool move_set_has(const struct move_set *set, int index)
{
    return (set->words[index / 64] >> (index % 64) & 1) != 0;
}

struct ways {
    struct move_set on_each, on_some; /* moves of every way, of one way at least */
    int count;
};

static void take_way(struct ways *ways, const struct move_set *way)
{
    for (int i = 0; i < WORDS; i++) {
        ways->on_each.words[i] = ways->count == 0 ? way->words[i] : ways->on_each.words[i] & way->words[i];
        ways->on_some.words[i] |= way->words[i];
    }
    ways->count++;
}

/* Goes on from a state; a way passes no state twice. */
static void walk(const struct scene *scene, enum tcp_state at, uint32_t passed, const struct move_set *so_far,
                 struct ways *ways)
{
    if (state_set_has(act_of(scene)->expect[scene->side], at))
        take_way(ways, so_far);
    if (at == STATE_GONE && !opens(scene))
        return;
    for (int to = 0; to < STATE_COUNT; to++)
        for (int why = 0; why < WHY_COUNT; why++) {
            bool is_new = !state_set_has(passed, (enum tcp_state)to);
            if (!is_new || !scene_allows(scene, at, (enum tcp_state)to, (enum transition_why)why))
                continue;
            struct move_set further = *so_far;
            int index = move_index((int)at, to, why);
            further.words[index / 64] |= (uint64_t)1 << (index % 64);
            walk(scene, (enum tcp_state)to, passed | STATE_SET(to), &further, ways);
        }
}

static struct ways ways_through(const struct scene *scene)
{
    struct ways ways = {.count = 0};
    uint32_t before = states_before(scene, scene->side);
    for (int from = 0; from < STATE_COUNT; from++)
        if (state_set_has(before, (enum tcp_state)from))
            walk(scene, (enum tcp_state)from, STATE_SET(from), &(struct move_set){{0}}, &ways);
    return ways;
}

bool order_step_has_path(const struct close_order *order, int step, enum side side)
{
    const struct scene scene = {order, step, side};
    return ways_through(&scene).count > 0;
}

/* ---- how many ---- */

static void add_step(struct order_transitions *out, const struct scene *scene,
                     const struct order_transitions_input *input)
{
    struct ways ways = ways_through(scene);
    int leak_step;
    bool spares = input->leaked > 0 && order_leak_side(scene->order, &leak_step) != SIDE_COUNT &&
                  scene->step >= leak_step;
    for (int from = 0; from < STATE_COUNT; from++)
        for (int to = 0; to < STATE_COUNT; to++)
            for (int why = 0; why < WHY_COUNT; why++) {
                int index = move_index(from, to, why);
                struct transition_range *range = &out->of[scene->side][from][to][why];
                if (move_set_has(&ways.on_each, index))
                    range->least += input->conns - (spares ? input->leaked : 0);
                if (move_set_has(&ways.on_some, index))
                    range->most += input->conns;
            }
}

/* Clocks of the kernel may end TIME_WAIT and an orphaned FIN_WAIT2 at any time later. An early RST of the
 * peer may end TIME_WAIT as well (RFC 1337). */
static void add_clocks(struct order_transitions *out, const struct close_order *order,
                       const struct order_transitions_input *input)
{
    int closing;
    for (int side = 0; side < SIDE_COUNT; side++) {
        out->of[side][STATE_TIME_WAIT][STATE_GONE][WHY_ORDERLY].most = input->conns;
        out->of[side][STATE_TIME_WAIT][STATE_GONE][WHY_RESET].most = input->conns;
        if (order_side_closed(order, input->last_step, (enum side)side, &closing))
            out->of[side][STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY].most =
                out->of[side][STATE_FIN_WAIT2][STATE_GONE][WHY_TIMED_OUT].most = input->conns;
    }
}

static void add_listeners(struct order_transitions *out, const struct close_order *order,
                          const struct order_transitions_input *input)
{
    struct transition_range *begun = &out->of[SIDE_SERVER][STATE_GONE][STATE_LISTEN][WHY_ORDERLY];
    *begun = (struct transition_range){input->listeners, input->listeners};
    for (int i = 1; i <= input->last_step; i++) {
        const struct order_step *at = order_step_at(order, i);
        if ((at->act == ACT_CRASH || at->act == ACT_UNLISTEN) && order_step_is_by(at, SIDE_SERVER))
            out->of[SIDE_SERVER][STATE_LISTEN][STATE_GONE][WHY_ORDERLY].most = input->listeners;
    }
}

/* connect() is in SYN_SENT before it finds no port or no answer. */
static void add_failed(struct order_transitions *out, const struct order_transitions_input *input)
{
    out->of[SIDE_CLIENT][STATE_GONE][STATE_SYN_SENT][WHY_ORDERLY].most += input->failed_connects;
    for (int why = 0; why < WHY_COUNT; why++)
        out->of[SIDE_CLIENT][STATE_SYN_SENT][STATE_GONE][why].most += input->failed_connects;
}

/* Where several ways lead on, the row may still say how many come to TIME_WAIT. */
static void add_time_wait(struct order_transitions *out, const struct close_order *order,
                          const struct order_transitions_input *input)
{
    for (int i = 0; i <= input->last_step; i++) {
        const struct order_step *at = order_step_at(order, i);
        if (at->time_wait_max == 0)
            continue;
        out->to_time_wait.least = at->time_wait_min * (input->conns - input->leaked);
        out->to_time_wait.most = at->time_wait_max * input->conns;
    }
}

static void add_range(struct transition_range *to, const struct transition_range *from)
{
    to->least += from->least;
    to->most += from->most;
}

/* Without the small sockets a connection ends where TIME_WAIT begins, and an orphan where FIN_WAIT2 does; one
 * that is half open has not begun. */
static void hide_small(struct order_transitions *out, const struct close_order *order,
                       const struct order_transitions_input *input)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        for (int from = 0; from < STATE_COUNT; from++) {
            struct transition_range *unseen = &out->of[side][from][STATE_TIME_WAIT][WHY_ORDERLY];
            add_range(&out->of[side][from][STATE_GONE][WHY_ORDERLY], unseen);
            *unseen = (struct transition_range){0, 0};
        }
        memset(out->of[side][STATE_TIME_WAIT], 0, sizeof out->of[side][STATE_TIME_WAIT]);
        struct transition_range *ends = &out->of[side][STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY];
        struct transition_range *begins = &out->of[side][STATE_FIN_WAIT1][STATE_FIN_WAIT2][WHY_ORDERLY];
        if (begins->most > 0)
            ends->most = input->conns;
    }
    if (order->opening == OPENING_HALF)
        out->of[SIDE_SERVER][STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY].least = 0;
    out->to_time_wait = (struct transition_range){0, 0};
}

struct order_transitions order_transitions_of(const struct close_order *order,
                                              const struct order_transitions_input *input)
{
    struct order_transitions out;
    memset(&out, 0, sizeof out);
    for (int step = 0; step <= input->last_step; step++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            const struct scene scene = {order, step, (enum side)side};
            add_step(&out, &scene, input);
        }
    add_clocks(&out, order, input);
    add_listeners(&out, order, input);
    add_failed(&out, input);
    add_time_wait(&out, order, input);
    if (!input->sees_small)
        hide_small(&out, order, input);
    return out;
}
