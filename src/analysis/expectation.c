#include "analysis/expectation.h"

#include "base/number_text.h"
#include "base/text.h"
#include "kernel/host_limits.h"
#include "kernel/keepalive.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The first step from which on the side may be in that state without a break up to `step`. */
static int first_step_with(const struct close_order *order, int step, enum side side, enum tcp_state state)
{
    while (step > 0 && state_set_has(order_step_at(order, step - 1)->expect[side], state))
        step--;
    return step;
}

/* What the clocks are read by. */
struct moment {
    const struct act_times *times;
    int64_t now_ms;
    const struct circumstances *circumstances;
};

static bool fin_wait2_may_have_ended(const struct close_order *order, int step, enum side side,
                                     const struct moment *moment, int64_t by_ms)
{
    int closing;
    return order_side_closed(order, step, side, &closing) &&
           by_ms - moment->times->began_ms[closing] >= moment->circumstances->fin_timeout_ms;
}

/* What it has sent was not acknowledged, and the kernel gives up. */
static bool retransmission_may_have_ended(const struct close_order *order, int step, enum side side,
                                          const struct moment *moment)
{
    int since = order_unanswered_since(order, step, side);
    return since >= 0 && moment->now_ms - moment->times->began_ms[since] >=
                             retransmission_least_ms(moment->circumstances->retries2);
}

/* An orphan that is not acknowledged, or not let send, is given up sooner than what a process has. */
static bool orphan_may_have_ended(const struct close_order *order, int step, enum side side,
                                  const struct moment *moment)
{
    int closing;
    return state_set_has(order_step_at(order, step)->expect[side], STATE_FIN_WAIT1) &&
           order_side_closed(order, step, side, &closing) &&
           moment->now_ms - moment->times->began_ms[closing] >= retransmission_least_ms(ORPHAN_RETRIES);
}

enum departure { STAYS, LEAVES_BY_TIMER, LEAVES_BY_LATE_CLOSE };

static enum departure departure_of(const struct close_order *order, int step, enum side side,
                                   const struct moment *moment)
{
    uint32_t expected = order_step_at(order, step)->expect[side];
    if (retransmission_may_have_ended(order, step, side, moment) ||
        orphan_may_have_ended(order, step, side, moment))
        return LEAVES_BY_TIMER;
    if (state_set_has(expected, STATE_FIN_WAIT2))
        return fin_wait2_may_have_ended(order, step, side, moment, moment->now_ms) ? LEAVES_BY_TIMER : STAYS;
    if (!state_set_has(expected, STATE_TIME_WAIT))
        return STAYS;
    /* It never came to TIME_WAIT where FIN_WAIT2 had ended before the other side's close(). */
    int entered = first_step_with(order, step, side, STATE_TIME_WAIT);
    if (entered > 0 &&
        fin_wait2_may_have_ended(order, entered - 1, side, moment, moment->times->ended_ms[entered]))
        return LEAVES_BY_LATE_CLOSE;
    return moment->now_ms - moment->times->began_ms[entered] >= TIME_WAIT_LENGTH_MS ? LEAVES_BY_TIMER : STAYS;
}

/* What nobody answers any more, or by RST: keep-alive ends it, but closes no descriptor. */
static bool keepalive_may_have_ended(const struct close_order *order, int step, enum side side,
                                     const struct moment *moment)
{
    const int64_t patience_ms = KEEPALIVE_PROBES * KEEPALIVE_INTERVAL_S * 1000;
    int deaf = order_deaf_since(order, step);
    if (moment->circumstances->keepalive_s[side] == 0)
        return false;
    if (deaf >= 0 && moment->now_ms - moment->times->began_ms[deaf] >= patience_ms)
        return true;
    return state_set_has(order_step_at(order, step)->expect[side] | order_leak_states(order, side),
                         STATE_CLOSE_WAIT) &&
           fin_wait2_may_have_ended(order, step, side_other(side), moment, moment->now_ms);
}

static void expect_keepalive(struct expectation *out, const struct close_order *order, int step,
                             const struct moment *moment)
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = (enum side)i;
        if (moment->circumstances->keepalive_s[i] == 0)
            continue;
        out->holds_all[i] = opening_is_accepted(order->opening) && !order_side_released(order, step, side) &&
                            !moment->circumstances->is_outage;
        if (!keepalive_may_have_ended(order, step, side, moment))
            continue;
        out->by_keepalive[i] = !state_set_has(out->allowed[i], STATE_GONE) || out->leak_side == side;
        out->allowed[i] |= STATE_SET(STATE_GONE);
    }
}

/* The one state that leaked ends are in. */
static enum tcp_state leak_state(uint32_t states)
{
    static const enum tcp_state held[] = {STATE_CLOSE_WAIT, STATE_ESTABLISHED};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        if (state_set_has(states, held[i]))
            return held[i];
    return STATE_GONE;
}

static void expect_leak(struct expectation *out, const struct close_order *order, int step,
                        const struct moment *moment)
{
    int leak_step;
    const struct circumstances *circumstances = moment->circumstances;
    enum side side = order_leak_side(order, &leak_step);
    out->leak_side = SIDE_COUNT;
    if (side == SIDE_COUNT || circumstances->leaked == 0 || step < leak_step)
        return;
    out->leak_side = side;
    out->leaked = circumstances->leaked;
    out->leak_state = leak_state(order_leak_states(order, side));
    out->time_wait_promised -= out->time_wait_promised > 0 ? circumstances->leaked : 0;
    for (int i = 0; i < SIDE_COUNT; i++) {
        out->allowed[i] |= order_leak_states(order, (enum side)i);
        if (state_set_has(out->allowed[i], STATE_FIN_WAIT2) &&
            fin_wait2_may_have_ended(order, step, (enum side)i, moment, moment->now_ms))
            out->allowed[i] |= STATE_SET(STATE_GONE);
    }
}

/* TIME_WAIT and orphaned FIN_WAIT2 of the first connections may have ended when the last ones come. */
static void expect_flow(struct expectation *out, const struct circumstances *circumstances)
{
    const uint32_t timed = STATE_SET(STATE_TIME_WAIT) | STATE_SET(STATE_FIN_WAIT2);
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (out->allowed[i] & timed)
            out->allowed[i] |= STATE_SET(STATE_GONE);
        if (circumstances->is_outage)
            out->allowed[i] = ~0U;
    }
    out->time_wait_promised = out->time_wait_most = 0;
}

/* A bare ACK that its own FIN has overtaken meets the peer's TIME_WAIT, is answered by an ACK, and that finds
 * nobody left but an RST: the TIME_WAIT ends at once. RFC 1337 calls it TIME-WAIT assassination. */
static int64_t less_assassinated(int64_t promised, int64_t resets)
{
    return promised > resets ? promised - resets : 0;
}

struct expectation expectation_at(const struct close_order *order, int step, const struct act_times *times,
                                  int64_t now_ms, const struct circumstances *circumstances)
{
    const struct order_step *row = order_step_at(order, step);
    int64_t opened = circumstances->opened;
    const struct moment moment = {times, now_ms, circumstances};
    struct expectation out = {
        .opened = opened,
        .time_wait_promised = row->time_wait_min * opened,
        .time_wait_most = row->time_wait_max * opened,
    };
    for (int i = 0; i < SIDE_COUNT; i++) {
        out.allowed[i] = row->expect[i];
        enum departure departure = departure_of(order, step, (enum side)i, &moment);
        if (departure == STAYS || circumstances->is_flow)
            continue;
        out.by_clock[i] = !state_set_has(row->expect[i], STATE_GONE);
        out.by_late_close[i] = out.by_clock[i] && departure == LEAVES_BY_LATE_CLOSE;
        out.allowed[i] |= STATE_SET(STATE_GONE);
        out.time_wait_promised = 0;
    }
    out.listeners = order->opening == OPENING_LISTENERS ? circumstances->conns : 0;
    expect_leak(&out, order, step, &moment);
    expect_keepalive(&out, order, step, &moment);
    if (circumstances->is_flow)
        expect_flow(&out, circumstances);
    out.time_wait_least = less_assassinated(out.time_wait_promised, circumstances->resets);
    return out;
}

static void add(struct difference *difference, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct difference *difference, const char *format, ...)
{
    if (difference == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    text_vadd(difference->text, sizeof difference->text, format, arguments);
    va_end(arguments);
}

static bool side_holds(const struct expectation *expectation, const struct histogram *histogram,
                       enum side side, struct difference *difference)
{
    bool holds = true;
    for (int i = 0; i < STATE_COUNT; i++) {
        enum tcp_state state = (enum tcp_state)i;
        int64_t count = histogram_of(histogram, state, expectation->opened);
        bool allowed = state_set_has(expectation->allowed[side], state) || state == STATE_LISTEN;
        if (count == 0 || (allowed && count > 0))
            continue;
        if (holds)
            add(difference, "%s%s side: ", difference != NULL && difference->text[0] != '\0' ? "; " : "",
                side_name(side));
        else
            add(difference, ", ");
        if (count < 0)
            add(difference, "%s more socket%s than connections opened", grouped(-count).text,
                count == -1 ? "" : "s");
        else
            add(difference, "%s %s", grouped(count).text, tcp_state_name(state));
        holds = false;
    }
    if (!holds)
        add(difference, " where %s was expected", state_set_text(expectation->allowed[side]).text);
    return holds;
}

static int64_t time_wait_together(const struct histogram sides[SIDE_COUNT])
{
    return sides[SIDE_SERVER].of[STATE_TIME_WAIT] + sides[SIDE_CLIENT].of[STATE_TIME_WAIT];
}

static bool time_wait_holds(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                            struct difference *difference)
{
    int64_t together = time_wait_together(sides);
    if (expectation->time_wait_most == 0 ||
        (together >= expectation->time_wait_least && together <= expectation->time_wait_most))
        return true;
    add(difference, "%s%s TIME_WAIT on both sides together where %s to %s were expected",
        difference != NULL && difference->text[0] != '\0' ? "; " : "", grouped(together).text,
        grouped(expectation->time_wait_least).text, grouped(expectation->time_wait_most).text);
    return false;
}

/* Those that were never accepted are no one's to close. */
static bool leak_holds(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                       struct difference *difference)
{
    if (expectation->leak_side == SIDE_COUNT)
        return true;
    const struct histogram *seen = &sides[expectation->leak_side];
    enum tcp_state state = expectation->leak_state;
    int64_t held = state == STATE_GONE ? seen->ghosts : seen->of[state];
    held -= state == STATE_CLOSE_WAIT ? seen->unowned : 0;
    held += state != STATE_GONE && expectation->by_keepalive[expectation->leak_side] ? seen->ghosts : 0;
    if (held == expectation->leaked)
        return true;
    add(difference, "%s%s side: %s %s where exactly %s should have leaked",
        difference != NULL && difference->text[0] != '\0' ? "; " : "", side_name(expectation->leak_side),
        grouped(held).text, state == STATE_GONE ? "ghosts" : tcp_state_name(state),
        grouped(expectation->leaked).text);
    return false;
}

static bool listeners_hold(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                           struct difference *difference)
{
    int64_t there = sides[SIDE_SERVER].of[STATE_LISTEN];
    if (expectation->listeners == 0 || there == expectation->listeners)
        return true;
    add(difference, "server side: %s LISTEN where %s were expected", grouped(there).text,
        grouped(expectation->listeners).text);
    return false;
}

static bool descriptors_hold(const struct expectation *expectation, const struct histogram *histogram,
                             enum side side, struct difference *difference)
{
    int64_t held = histogram->owned + histogram->ghosts + histogram->elsewhere;
    if (expectation->holds_all[side] && held != expectation->opened) {
        add(difference, "%s%s side: %s %s open where each of %s should have one",
            difference != NULL && difference->text[0] != '\0' ? "; " : "", side_name(side),
            counted(held, "descriptor").text, one_or_many(held, "is", "are"),
            counted(expectation->opened, "connection").text);
        return false;
    }
    if (!expectation->holds_nothing[side] || held == 0)
        return true;
    add(difference, "%s%s side: %s descriptor%s open where none was expected",
        difference != NULL && difference->text[0] != '\0' ? "; " : "", side_name(side), grouped(held).text,
        held == 1 ? " is" : "s are");
    return false;
}

bool expectation_holds(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                       struct difference *difference)
{
    if (difference != NULL)
        difference->text[0] = '\0';
    bool holds = true;
    for (int side = 0; side < SIDE_COUNT; side++)
        holds &= side_holds(expectation, &sides[side], (enum side)side, difference);
    for (int side = 0; side < SIDE_COUNT; side++)
        holds &= descriptors_hold(expectation, &sides[side], (enum side)side, difference);
    holds &= time_wait_holds(expectation, sides, difference);
    holds &= listeners_hold(expectation, sides, difference);
    return leak_holds(expectation, sides, difference) && holds;
}

bool expectation_aged(const struct expectation *expectation, const struct histogram *histogram,
                      enum side side)
{
    return expectation->by_clock[side] && histogram_gone(histogram, expectation->opened) > 0;
}

bool expectation_lost_by_keepalive(const struct expectation *expectation, const struct histogram *histogram,
                                   enum side side)
{
    bool must_be_ghosts = expectation->leak_side == side; /* others of that side may have been closed */
    return expectation->by_keepalive[side] &&
           (histogram->ghosts > 0 || (!must_be_ghosts && histogram_gone(histogram, expectation->opened) > 0));
}

int64_t expectation_assassinated(const struct expectation *expectation,
                                 const struct histogram sides[SIDE_COUNT])
{
    int64_t missing = expectation->time_wait_promised - time_wait_together(sides);
    return missing > 0 ? missing : 0;
}
