#include "../unit.h"

#include "model/kept_state.h"
#include "model/order_transitions.h"
#include "model/transition.h"

enum { N = 1000, LISTENERS = 2 };

static struct order_transitions of_order(const struct close_order *order, bool sees_small, int64_t leaked)
{
    return order_transitions_of(order,
                                &(struct order_transitions_input){.conns = N,
                                                                  .leaked = leaked,
                                                                  .listeners = LISTENERS,
                                                                  .last_step = order_step_count(order) - 1,
                                                                  .sees_small = sees_small});
}

static struct order_transitions of_name(const char *name)
{
    const struct close_order *order = close_order_find(name);
    assert_non_null(order);
    return of_order(order, true, 0);
}

/* "server ESTABLISHED FIN_WAIT1 1000", "... 0..1000", a line each: what may be used, in the order of the
 * states' numbers, without what clocks may do later and the listeners. */
static void tell(const struct order_transitions *transitions, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++) {
                    const struct transition_range *range = &transitions->of[side][from][to][why];
                    bool is_clock = range->least == 0 && to == STATE_GONE &&
                                    (from == STATE_TIME_WAIT || from == STATE_FIN_WAIT2);
                    if (range->most == 0 || is_clock || from == STATE_LISTEN || to == STATE_LISTEN)
                        continue;
                    used +=
                        (size_t)snprintf(out + used, size - used, "%c %s %s%s", side_name((enum side)side)[0],
                                         tcp_state_name((enum tcp_state)from),
                                         tcp_state_name((enum tcp_state)to), why == WHY_RESET ? " RST" : "");
                    used += (size_t)snprintf(out + used, size - used,
                                             range->least == range->most ? " all\n" : " %lld..%lld\n",
                                             (long long)range->least, (long long)range->most);
                }
}

#define assert_uses(name, expected)                                                                          \
    do {                                                                                                     \
        char text_[2048];                                                                                    \
        struct order_transitions of_ = of_name(name);                                                        \
        tell(&of_, text_, sizeof text_);                                                                     \
        assert_string_equal(text_, (expected));                                                              \
    } while (0)

#define OPENED_SERVER "s gone SYN_RECV all\n"
#define OPENED_CLIENT "c gone SYN_SENT all\n"

static void server_first_goes_round_the_diagram(void **state)
{
    (void)state;
    assert_uses("server-first",
                OPENED_SERVER "s ESTABLISHED FIN_WAIT1 all\n"
                              "s SYN_RECV ESTABLISHED all\n"
                              "s FIN_WAIT1 FIN_WAIT2 all\n"
                              "s FIN_WAIT2 TIME_WAIT all\n" OPENED_CLIENT "c ESTABLISHED CLOSE_WAIT all\n"
                              "c SYN_SENT ESTABLISHED all\n"
                              "c CLOSE_WAIT LAST_ACK all\n"
                              "c LAST_ACK gone all\n");
}

static void a_crash_is_a_close(void **state)
{
    (void)state;
    char crash[2048], close[2048];
    struct order_transitions of_crash = of_name("client-crash"), of_close = of_name("client-first");
    tell(&of_crash, crash, sizeof crash);
    tell(&of_close, close, sizeof close);
    assert_string_equal(crash, close);
}

static void abort_ends_both_by_an_rst(void **state)
{
    (void)state;
    assert_uses("abort", OPENED_SERVER "s ESTABLISHED gone RST all\n"
                                       "s SYN_RECV ESTABLISHED all\n" OPENED_CLIENT "c ESTABLISHED gone all\n"
                                       "c SYN_SENT ESTABLISHED all\n");
}

static void unread_data_turns_close_into_an_rst(void **state)
{
    (void)state;
    assert_uses("unread",
                OPENED_SERVER "s ESTABLISHED gone all\n"
                              "s SYN_RECV ESTABLISHED all\n" OPENED_CLIENT "c ESTABLISHED gone RST all\n"
                              "c SYN_SENT ESTABLISHED all\n");
}

static void simultaneous_has_ranges_and_a_sum(void **state)
{
    (void)state;
    assert_uses("simultaneous", OPENED_SERVER "s ESTABLISHED FIN_WAIT1 0..1000\n"
                                              "s ESTABLISHED CLOSE_WAIT 0..1000\n"
                                              "s SYN_RECV ESTABLISHED all\n"
                                              "s FIN_WAIT1 FIN_WAIT2 0..1000\n"
                                              "s FIN_WAIT1 TIME_WAIT 0..1000\n"
                                              "s FIN_WAIT1 CLOSING 0..1000\n"
                                              "s FIN_WAIT2 TIME_WAIT 0..1000\n"
                                              "s CLOSE_WAIT LAST_ACK 0..1000\n"
                                              "s LAST_ACK gone 0..1000\n"
                                              "s CLOSING TIME_WAIT 0..1000\n" OPENED_CLIENT
                                              "c ESTABLISHED FIN_WAIT1 0..1000\n"
                                              "c ESTABLISHED CLOSE_WAIT 0..1000\n"
                                              "c SYN_SENT ESTABLISHED all\n"
                                              "c FIN_WAIT1 FIN_WAIT2 0..1000\n"
                                              "c FIN_WAIT1 TIME_WAIT 0..1000\n"
                                              "c FIN_WAIT1 CLOSING 0..1000\n"
                                              "c FIN_WAIT2 TIME_WAIT 0..1000\n"
                                              "c CLOSE_WAIT LAST_ACK 0..1000\n"
                                              "c LAST_ACK gone 0..1000\n"
                                              "c CLOSING TIME_WAIT 0..1000\n");
    struct order_transitions of = of_name("simultaneous");
    assert_int_equal(of.to_time_wait.least, N);
    assert_int_equal(of.to_time_wait.most, 2 * N);
}

static void vanish_waits_in_fin_wait_1(void **state)
{
    (void)state;
    assert_uses("vanish",
                OPENED_SERVER "s ESTABLISHED FIN_WAIT1 all\n"
                              "s SYN_RECV ESTABLISHED all\n" OPENED_CLIENT "c SYN_SENT ESTABLISHED all\n");
}

static void a_late_close_is_answered_by_an_rst(void **state)
{
    (void)state;
    struct order_transitions of = of_name("late-close");
    /* By the timer of a small socket, or by that of a full one. */
    assert_int_equal(of.of[SIDE_SERVER][STATE_FIN_WAIT2][STATE_GONE][WHY_TIMED_OUT].most, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY].most, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_FIN_WAIT2][STATE_TIME_WAIT][WHY_ORDERLY].most, 0);
    assert_int_equal(of.of[SIDE_CLIENT][STATE_LAST_ACK][STATE_GONE][WHY_RESET].most, N);
    assert_int_equal(of.of[SIDE_CLIENT][STATE_CLOSE_WAIT][STATE_LAST_ACK][WHY_ORDERLY].most, N);
}

static void what_has_no_room_leaves_out_time_wait(void **state)
{
    (void)state;
    struct order_transitions of = of_name("time-wait-overflow");
    const struct transition_range *to_time_wait =
        &of.of[SIDE_CLIENT][STATE_FIN_WAIT2][STATE_TIME_WAIT][WHY_ORDERLY];
    assert_int_equal(to_time_wait->least, 0);
    assert_int_equal(to_time_wait->most, N);
    assert_int_equal(of.of[SIDE_CLIENT][STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY].most, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_LAST_ACK][STATE_GONE][WHY_ORDERLY].least, N);
}

static void a_leak_leaves_out_the_second_close(void **state)
{
    (void)state;
    struct order_transitions of = of_order(close_order_find("client-first"), true, 20);
    const struct transition_range *close = &of.of[SIDE_SERVER][STATE_CLOSE_WAIT][STATE_LAST_ACK][WHY_ORDERLY];
    assert_int_equal(close->least, N - 20);
    assert_int_equal(close->most, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_ESTABLISHED][STATE_CLOSE_WAIT][WHY_ORDERLY].least, N);
}

/* A time-out of TIME_WAIT may come within a run; the listeners leave only with their process. */
static void clocks_and_listeners_have_their_ranges(void **state)
{
    (void)state;
    struct order_transitions of = of_name("server-first"), crash = of_name("server-crash");
    assert_int_equal(of.of[SIDE_SERVER][STATE_TIME_WAIT][STATE_GONE][WHY_ORDERLY].least, 0);
    assert_int_equal(of.of[SIDE_SERVER][STATE_TIME_WAIT][STATE_GONE][WHY_ORDERLY].most, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_GONE][STATE_LISTEN][WHY_ORDERLY].least, LISTENERS);
    assert_int_equal(of.of[SIDE_SERVER][STATE_GONE][STATE_LISTEN][WHY_ORDERLY].most, LISTENERS);
    assert_int_equal(of.of[SIDE_SERVER][STATE_LISTEN][STATE_GONE][WHY_ORDERLY].most, 0);
    assert_int_equal(crash.of[SIDE_SERVER][STATE_LISTEN][STATE_GONE][WHY_ORDERLY].most, LISTENERS);
}

static void assert_steps_have_paths(const struct close_order *order)
{
    for (int step = 0; step < order_step_count(order); step++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            if (!order_step_has_path(order, step, (enum side)side))
                print_error("%s, step %d: no way for the %s\n", order->name, step,
                            side_name((enum side)side));
            assert_true(order_step_has_path(order, step, (enum side)side));
        }
}

/* Nothing outside, and nothing that no step allows; what must be used may be used. */
static void assert_arrows_are_known(const struct close_order *order, bool sees_small)
{
    struct order_transitions of = of_order(order, sees_small, 0);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++) {
                    const struct transition_range *range = &of.of[side][from][to][why];
                    assert_true(range->least >= 0 && range->least <= range->most);
                    assert_true(range->most <= N * 2);
                    if (range->most > 0)
                        assert_int_not_equal(transition_kind((enum side)side, (enum tcp_state)from,
                                                             (enum tcp_state)to, (enum transition_why)why,
                                                             sees_small),
                                             TRANSITION_OUTSIDE);
                }
}

static void every_step_of_every_order_has_a_way(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        assert_steps_have_paths(close_order_at(i));
        assert_arrows_are_known(close_order_at(i), true);
        assert_arrows_are_known(close_order_at(i), false);
    }
}

static void every_step_of_every_kept_state_has_a_way(void **state)
{
    (void)state;
    struct kept_state kept;
    for (size_t i = 0; kept_state_at(i) != STATE_GONE; i++)
        for (int side = 0; side <= SIDE_COUNT; side++) {
            if (kept_state_make(kept_state_at(i), (enum side)side, &kept) != 0)
                continue;
            assert_steps_have_paths(&kept.order);
            assert_arrows_are_known(&kept.order, true);
            assert_arrows_are_known(&kept.order, false);
        }
}

/* What comes to a state and what leaves it differ by what is there at the end: where the row leaves no
 * choice. */
static void the_arrows_add_up_to_the_states_at_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        struct order_transitions of = of_order(order, true, 0);
        int last = order_step_count(order) - 1;
        for (int side = 0; side < SIDE_COUNT; side++)
            for (int at = STATE_ESTABLISHED; at < STATE_COUNT; at++) {
                int64_t least = 0, most = 0;
                uint32_t expected = order_step_at(order, last)->expect[side];
                for (int other = 0; other < STATE_COUNT; other++)
                    for (int why = 0; why < WHY_COUNT; why++) {
                        least += of.of[side][other][at][why].least - of.of[side][at][other][why].most;
                        most += of.of[side][other][at][why].most - of.of[side][at][other][why].least;
                    }
                int64_t there = expected == STATE_SET(at) ? N : 0;
                bool is_certain = (expected & (expected - 1)) == 0 && at != STATE_LISTEN;
                assert_true(!is_certain || (least <= there && there <= most));
            }
    }
}

static void without_small_sockets_time_wait_is_an_end(void **state)
{
    (void)state;
    struct order_transitions of = of_order(close_order_find("server-first"), false, 0);
    assert_int_equal(of.of[SIDE_SERVER][STATE_FIN_WAIT2][STATE_TIME_WAIT][WHY_ORDERLY].most, 0);
    assert_int_equal(of.of[SIDE_SERVER][STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY].least, N);
    assert_int_equal(of.of[SIDE_SERVER][STATE_TIME_WAIT][STATE_GONE][WHY_ORDERLY].most, 0);
    assert_int_equal(of.of[SIDE_CLIENT][STATE_LAST_ACK][STATE_GONE][WHY_ORDERLY].least, N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_first_goes_round_the_diagram),
        cmocka_unit_test(a_crash_is_a_close),
        cmocka_unit_test(abort_ends_both_by_an_rst),
        cmocka_unit_test(unread_data_turns_close_into_an_rst),
        cmocka_unit_test(simultaneous_has_ranges_and_a_sum),
        cmocka_unit_test(vanish_waits_in_fin_wait_1),
        cmocka_unit_test(a_late_close_is_answered_by_an_rst),
        cmocka_unit_test(what_has_no_room_leaves_out_time_wait),
        cmocka_unit_test(a_leak_leaves_out_the_second_close),
        cmocka_unit_test(clocks_and_listeners_have_their_ranges),
        cmocka_unit_test(every_step_of_every_order_has_a_way),
        cmocka_unit_test(every_step_of_every_kept_state_has_a_way),
        cmocka_unit_test(the_arrows_add_up_to_the_states_at_the_end),
        cmocka_unit_test(without_small_sockets_time_wait_is_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
