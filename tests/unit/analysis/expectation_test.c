#include "../unit.h"

#include "analysis/expectation.h"
#include "model/kept_state.h"

#include "kernel/host_limits.h"

enum { OPENED = 1000, FIN_TIMEOUT_MS = 60000, STEP_MS = 2000 };

/* Step i began at i * 2 s and was acknowledged half a second later. */
static struct act_times every_two_seconds(void)
{
    struct act_times times;
    for (int i = 0; i <= ORDER_STEPS_MAX; i++) {
        times.began_ms[i] = (int64_t)i * STEP_MS;
        times.ended_ms[i] = times.began_ms[i] + 500;
    }
    return times;
}

static const struct circumstances usual = {.opened = OPENED, .fin_timeout_ms = FIN_TIMEOUT_MS, .retries2 = 2};

static struct expectation expected_in(const char *name, int step, const struct act_times *times,
                                      int64_t now_ms, const struct circumstances *circumstances)
{
    const struct close_order *order = close_order_find(name);
    assert_non_null(order);
    return expectation_at(order, step, times, now_ms, circumstances);
}

/* A second after the step began. */
static struct expectation expected_soon(const char *name, int step)
{
    struct act_times times = every_two_seconds();
    return expected_in(name, step, &times, times.began_ms[step] + 1000, &usual);
}

/* So long after the step began. */
static struct expectation expected_after(const char *name, int step, int64_t passed_ms)
{
    struct act_times times = every_two_seconds();
    return expected_in(name, step, &times, times.began_ms[step] + passed_ms, &usual);
}

static bool may_be_gone(const struct expectation *expectation, enum side side)
{
    return state_set_has(expectation->allowed[side], STATE_GONE);
}

static void put(struct histogram sides[SIDE_COUNT], enum tcp_state server, enum tcp_state client)
{
    memset(sides, 0, SIDE_COUNT * sizeof *sides);
    if (server != STATE_GONE)
        sides[SIDE_SERVER].of[server] = OPENED;
    if (client != STATE_GONE)
        sides[SIDE_CLIENT].of[client] = OPENED;
}

static void assert_holds(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT])
{
    struct difference difference = {"not written"};
    assert_true(expectation_holds(expectation, sides, &difference));
    assert_string_equal(difference.text, "");
    assert_true(expectation_holds(expectation, sides, NULL));
}

static void assert_differs(const struct expectation *expectation, const struct histogram sides[SIDE_COUNT],
                           const char *how)
{
    struct difference difference = {""};
    assert_false(expectation_holds(expectation, sides, &difference));
    assert_string_equal(difference.text, how);
    assert_false(expectation_holds(expectation, sides, NULL));
}

/* ---- the table ---- */

static void the_sets_are_those_of_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++) {
            struct expectation expectation = expected_soon(close_order_at(i)->name, step);
            const struct order_step *row = order_step_at(close_order_at(i), step);
            for (int side = 0; side < SIDE_COUNT; side++) {
                assert_int_equal(expectation.allowed[side], row->expect[side]);
                assert_false(expectation.by_clock[side]);
            }
            assert_int_equal(expectation.time_wait_least, row->time_wait_min * OPENED);
            assert_int_equal(expectation.time_wait_most, row->time_wait_max * OPENED);
            assert_int_equal(expectation.opened, OPENED);
        }
}

static void every_state_of_a_set_holds_for_all_ends(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++) {
            struct expectation expectation = expected_soon(close_order_at(i)->name, step);
            expectation.time_wait_most = 0; /* see below */
            for (int a = STATE_GONE; a < STATE_COUNT; a++)
                for (int b = STATE_GONE; b < STATE_COUNT; b++) {
                    struct histogram sides[SIDE_COUNT];
                    if (a == STATE_LISTEN || b == STATE_LISTEN)
                        continue;
                    put(sides, (enum tcp_state)a, (enum tcp_state)b);
                    bool expected = state_set_has(expectation.allowed[SIDE_SERVER], (enum tcp_state)a) &&
                                    state_set_has(expectation.allowed[SIDE_CLIENT], (enum tcp_state)b);
                    assert_int_equal(expectation_holds(&expectation, sides, NULL), expected);
                }
        }
}

static void listeners_do_not_count(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("server-first", 0);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_ESTABLISHED, STATE_ESTABLISHED);
    sides[SIDE_SERVER].of[STATE_LISTEN] = 3;
    assert_holds(&expectation, sides);
}

static void nothing_opened_and_nothing_seen_holds(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    const struct circumstances none = {.opened = 0, .fin_timeout_ms = FIN_TIMEOUT_MS};
    struct expectation expectation = expected_in("server-first", 0, &times, 100, &none);
    const struct histogram sides[SIDE_COUNT] = {{.of = {0}}, {.of = {0}}};
    assert_holds(&expectation, sides);
}

/* ---- differences ---- */

static void interactive_in_another_state_is_told(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("server-first", 2);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT] = OPENED - 1;
    sides[SIDE_SERVER].of[STATE_CLOSING] = 1;
    assert_differs(&expectation, sides, "server side: 1 CLOSING where TIME_WAIT was expected");
}

static void interactive_that_is_gone_is_told(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("leak", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    sides[SIDE_CLIENT].of[STATE_FIN_WAIT2]--;
    assert_differs(&expectation, sides, "client side: 1 gone where FIN_WAIT2 was expected");
}

static void interactive_that_should_be_gone_is_told(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("abort", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_ESTABLISHED] = 1;
    assert_differs(&expectation, sides, "server side: 1 ESTABLISHED where gone was expected");
}

static void both_sides_are_told(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("server-first", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_ESTABLISHED, STATE_ESTABLISHED);
    assert_differs(&expectation, sides,
                   "server side: 1,000 ESTABLISHED where FIN_WAIT2 was expected; client side: 1,000 "
                   "ESTABLISHED where CLOSE_WAIT was expected");
}

static void several_states_of_a_side_are_told_together(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("server-first", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_CLOSE_WAIT);
    sides[SIDE_SERVER].of[STATE_FIN_WAIT2] = OPENED - 5;
    sides[SIDE_SERVER].of[STATE_FIN_WAIT1] = 3;
    assert_differs(&expectation, sides, "server side: 2 gone, 3 FIN_WAIT1 where FIN_WAIT2 was expected");
}

static void more_sockets_than_connections_differ(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("never-close", 0);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_ESTABLISHED, STATE_ESTABLISHED);
    sides[SIDE_CLIENT].of[STATE_ESTABLISHED] += 2;
    assert_differs(&expectation, sides,
                   "client side: 2 more sockets than connections opened where ESTABLISHED was expected");
}

static void more_sockets_than_connections_differ_even_where_gone_is_expected(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("simultaneous", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT]++;
    assert_true(may_be_gone(&expectation, SIDE_SERVER));
    assert_false(expectation_holds(&expectation, sides, NULL));
}

static void a_difference_of_every_state_is_cut_not_overrun(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("server-first", 1);
    struct histogram sides[SIDE_COUNT];
    for (int i = 0; i < STATE_COUNT; i++)
        sides[SIDE_SERVER].of[i] = sides[SIDE_CLIENT].of[i] = INT32_MAX;
    struct difference difference;
    assert_false(expectation_holds(&expectation, sides, &difference));
    assert_true(strnlen(difference.text, sizeof difference.text) < sizeof difference.text);
}

/* ---- TIME_WAIT on both sides together ---- */

static bool simultaneous_holds(int64_t server, int64_t client)
{
    struct expectation expectation = expected_soon("simultaneous", 1);
    struct histogram sides[SIDE_COUNT] = {{.of = {0}}, {.of = {0}}};
    sides[SIDE_SERVER].of[STATE_TIME_WAIT] = server;
    sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = client;
    return expectation_holds(&expectation, sides, NULL);
}

static void one_time_wait_a_connection_is_enough_on_whichever_side(void **state)
{
    (void)state;
    assert_true(simultaneous_holds(OPENED, 0));
    assert_true(simultaneous_holds(0, OPENED));
    assert_true(simultaneous_holds(400, 600));
}

static void two_time_waits_a_connection_are_the_most(void **state)
{
    (void)state;
    assert_true(simultaneous_holds(OPENED, OPENED));
}

static void less_than_one_time_wait_a_connection_differs(void **state)
{
    (void)state;
    assert_false(simultaneous_holds(OPENED - 1, 0));
    assert_false(simultaneous_holds(0, 0));
}

static void the_joint_bounds_are_told(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("simultaneous", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 999;
    struct difference difference;
    assert_false(expectation_holds(&expectation, sides, &difference));
    assert_contains(difference.text, "999 TIME_WAIT on both sides together");
    assert_contains(difference.text, "1,000 to 2,000");
}

static void an_order_without_joint_bounds_is_not_held_to_any(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("abort", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_int_equal(expectation.time_wait_most, 0);
    assert_holds(&expectation, sides);
}

/* ---- TIME_WAIT that a late RST has ended (RFC 1337) ---- */

static struct expectation simultaneous_with_resets(int64_t resets)
{
    struct act_times times = every_two_seconds();
    struct circumstances circumstances = usual;
    circumstances.resets = resets;
    return expected_in("simultaneous", 1, &times, times.began_ms[1] + 1000, &circumstances);
}

static void each_reset_may_have_ended_a_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = simultaneous_with_resets(3);
    assert_int_equal(expectation.time_wait_promised, OPENED);
    assert_int_equal(expectation.time_wait_least, OPENED - 3);
    assert_int_equal(expectation.time_wait_most, 2 * OPENED);
}

static void more_resets_than_connections_leave_no_least(void **state)
{
    (void)state;
    assert_int_equal(simultaneous_with_resets(5 * OPENED).time_wait_least, 0);
}

static void the_missing_time_waits_are_counted(void **state)
{
    (void)state;
    struct expectation expectation = simultaneous_with_resets(3);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    assert_int_equal(expectation_assassinated(&expectation, sides), 0);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT] = OPENED - 2;
    assert_holds(&expectation, sides);
    assert_int_equal(expectation_assassinated(&expectation, sides), 2);
}

static void resets_do_not_excuse_an_order_whose_states_are_certain(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    struct circumstances circumstances = usual;
    circumstances.resets = OPENED;
    struct expectation expectation =
        expected_in("server-first", 2, &times, times.began_ms[2] + 1000, &circumstances);
    assert_false(may_be_gone(&expectation, SIDE_SERVER));
}

/* ---- the kernel's clocks: FIN_WAIT2 ---- */

static void a_closed_fin_wait2_may_be_gone_after_the_fin_timeout(void **state)
{
    (void)state;
    struct expectation before = expected_after("server-first", 1, FIN_TIMEOUT_MS - 1);
    assert_false(may_be_gone(&before, SIDE_SERVER));
    struct expectation after = expected_after("server-first", 1, FIN_TIMEOUT_MS);
    assert_true(may_be_gone(&after, SIDE_SERVER));
    assert_true(after.by_clock[SIDE_SERVER]);
}

static void the_fin_timeout_is_the_one_of_this_namespace(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    const struct circumstances quick = {.opened = OPENED, .fin_timeout_ms = 3000};
    struct expectation before = expected_in("leak", 1, &times, times.began_ms[1] + 2999, &quick);
    struct expectation after = expected_in("leak", 1, &times, times.began_ms[1] + 3000, &quick);
    assert_false(may_be_gone(&before, SIDE_CLIENT));
    assert_true(may_be_gone(&after, SIDE_CLIENT));
}

static void a_fin_wait2_after_shutdown_has_no_clock(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        struct expectation expectation = expected_after("half-close", step, 100 * FIN_TIMEOUT_MS);
        assert_false(may_be_gone(&expectation, SIDE_CLIENT));
        assert_false(expectation.by_clock[SIDE_CLIENT]);
    }
}

static void close_wait_has_no_clock(void **state)
{
    (void)state;
    struct expectation expectation = expected_after("leak", 1, 100 * FIN_TIMEOUT_MS);
    assert_int_equal(expectation.allowed[SIDE_SERVER], STATE_SET(STATE_CLOSE_WAIT));
}

static void established_has_no_clock(void **state)
{
    (void)state;
    struct expectation expectation = expected_after("never-close", 0, 100 * FIN_TIMEOUT_MS);
    assert_int_equal(expectation.allowed[SIDE_SERVER], STATE_SET(STATE_ESTABLISHED));
    assert_int_equal(expectation.allowed[SIDE_CLIENT], STATE_SET(STATE_ESTABLISHED));
}

static void ends_that_left_by_the_clock_hold(void **state)
{
    (void)state;
    struct expectation expectation = expected_after("leak", 1, FIN_TIMEOUT_MS);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    assert_holds(&expectation, sides);
    sides[SIDE_CLIENT].of[STATE_FIN_WAIT2] = 1;
    assert_holds(&expectation, sides);
    sides[SIDE_CLIENT].of[STATE_FIN_WAIT2] = 0;
    assert_holds(&expectation, sides);
}

static void ends_that_left_by_the_clock_have_aged(void **state)
{
    (void)state;
    struct expectation expectation = expected_after("leak", 1, FIN_TIMEOUT_MS);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    assert_false(expectation_aged(&expectation, &sides[SIDE_CLIENT], SIDE_CLIENT));
    sides[SIDE_CLIENT].of[STATE_FIN_WAIT2]--;
    assert_true(expectation_aged(&expectation, &sides[SIDE_CLIENT], SIDE_CLIENT));
}

static void ends_that_the_order_wants_gone_have_not_aged(void **state)
{
    (void)state;
    struct expectation expectation = expected_after("server-first", 2, 100 * FIN_TIMEOUT_MS);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    assert_false(expectation_aged(&expectation, &sides[SIDE_CLIENT], SIDE_CLIENT));
}

/* ---- the kernel's clocks: TIME_WAIT ---- */

static void time_wait_may_be_gone_after_a_minute(void **state)
{
    (void)state;
    struct expectation before = expected_after("server-first", 2, TIME_WAIT_LENGTH_MS - 1);
    assert_false(may_be_gone(&before, SIDE_SERVER));
    struct expectation after = expected_after("server-first", 2, TIME_WAIT_LENGTH_MS);
    assert_true(may_be_gone(&after, SIDE_SERVER));
    assert_true(after.by_clock[SIDE_SERVER]);
}

static void the_minute_runs_from_the_step_that_led_to_time_wait(void **state)
{
    (void)state;
    /* half-close: the server's close (step 4) leads to TIME_WAIT, the client's close (step 5) changes
     * nothing. */
    struct act_times times = every_two_seconds();
    struct expectation before =
        expected_in("half-close", 5, &times, times.began_ms[4] + TIME_WAIT_LENGTH_MS - 1, &usual);
    struct expectation after =
        expected_in("half-close", 5, &times, times.began_ms[4] + TIME_WAIT_LENGTH_MS, &usual);
    assert_false(may_be_gone(&before, SIDE_CLIENT));
    assert_true(may_be_gone(&after, SIDE_CLIENT));
}

static void a_short_fin_timeout_does_not_shorten_time_wait(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    const struct circumstances quick = {.opened = OPENED, .fin_timeout_ms = 10000};
    struct expectation expectation =
        expected_in("server-first", 2, &times, times.began_ms[2] + 30000, &quick);
    assert_false(may_be_gone(&expectation, SIDE_SERVER));
}

static void joint_time_wait_has_no_least_after_a_minute(void **state)
{
    (void)state;
    struct expectation before = expected_after("simultaneous", 1, TIME_WAIT_LENGTH_MS - 1);
    struct expectation after = expected_after("simultaneous", 1, TIME_WAIT_LENGTH_MS);
    assert_int_equal(before.time_wait_least, OPENED);
    assert_int_equal(after.time_wait_least, 0);
    assert_int_equal(after.time_wait_most, 2 * OPENED);
}

/* ---- a close() after the peer's FIN_WAIT2 has ended ---- */

static struct expectation closed_so_late(int64_t began_later_ms, int64_t took_ms)
{
    struct act_times times = every_two_seconds();
    times.began_ms[2] = times.began_ms[1] + began_later_ms;
    times.ended_ms[2] = times.began_ms[2] + took_ms;
    return expected_in("server-first", 2, &times, times.ended_ms[2] + 100, &usual);
}

static void a_late_close_leaves_no_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = closed_so_late(FIN_TIMEOUT_MS + 1000, 10);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_true(expectation.by_clock[SIDE_SERVER]);
    assert_holds(&expectation, sides);
}

static void a_close_in_time_leaves_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = closed_so_late(FIN_TIMEOUT_MS - 1000, 10);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_false(expectation_holds(&expectation, sides, NULL));
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    assert_holds(&expectation, sides);
}

static void closes_that_end_too_late_may_have_left_some_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = closed_so_late(FIN_TIMEOUT_MS - 1000, 2000);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT] = OPENED / 2;
    assert_holds(&expectation, sides);
}

static void a_late_close_after_shutdown_leaves_time_wait(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    times.began_ms[4] = 10 * FIN_TIMEOUT_MS;
    times.ended_ms[4] = times.began_ms[4] + 10;
    struct expectation expectation = expected_in("half-close", 4, &times, times.ended_ms[4] + 100, &usual);
    assert_false(may_be_gone(&expectation, SIDE_CLIENT));
}

static void nothing_is_left_before_the_act_was_acknowledged(void **state)
{
    (void)state;
    /* While the late close is under way its end is not known; a look then must not be read as in time. */
    struct act_times times = every_two_seconds();
    times.began_ms[2] = times.began_ms[1] + FIN_TIMEOUT_MS + 1000;
    times.ended_ms[2] = times.began_ms[2];
    struct expectation expectation = expected_in("server-first", 2, &times, times.began_ms[2] + 100, &usual);
    assert_true(may_be_gone(&expectation, SIDE_SERVER));
}

/* ---- a second close() that is left out ---- */

enum { LEAKED = 20 };

static struct circumstances with_leak(void)
{
    struct circumstances circumstances = usual;
    circumstances.leaked = LEAKED;
    return circumstances;
}

static struct expectation leaking_after(const char *name, int step, int64_t passed_ms)
{
    struct act_times times = every_two_seconds();
    struct circumstances circumstances = with_leak();
    return expected_in(name, step, &times, times.began_ms[step] + passed_ms, &circumstances);
}

static struct expectation leaking(const char *name, int step)
{
    return leaking_after(name, step, 1000);
}

/* All but the leaked ones are in the first two states, those in the last two. */
static void put_leak(struct histogram sides[SIDE_COUNT], enum tcp_state server, enum tcp_state client,
                     enum tcp_state server_leaked, enum tcp_state client_leaked)
{
    put(sides, server, client);
    sides[SIDE_SERVER].of[server] -= server != STATE_GONE ? LEAKED : 0;
    sides[SIDE_CLIENT].of[client] -= client != STATE_GONE ? LEAKED : 0;
    sides[SIDE_SERVER].of[server_leaked] += server_leaked != STATE_GONE ? LEAKED : 0;
    sides[SIDE_CLIENT].of[client_leaked] += client_leaked != STATE_GONE ? LEAKED : 0;
}

static void a_leak_changes_nothing_before_its_step(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        int leak_step = order_step_count(order);
        if (order_leak_side(order, &leak_step) == SIDE_COUNT)
            leak_step = order_step_count(order);
        for (int step = 0; step < leak_step; step++) {
            struct expectation with = leaking(order->name, step), without = expected_soon(order->name, step);
            assert_int_equal(with.leak_side, SIDE_COUNT);
            for (int side = 0; side < SIDE_COUNT; side++)
                assert_int_equal(with.allowed[side], without.allowed[side]);
        }
    }
}

static void from_its_step_on_a_leak_is_expected_on_its_side(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        int leak_step;
        enum side side = order_leak_side(order, &leak_step);
        for (int step = leak_step; side != SIDE_COUNT && step < order_step_count(order); step++) {
            struct expectation expectation = leaking(order->name, step);
            assert_int_equal(expectation.leak_side, side);
            assert_int_equal(expectation.leaked, LEAKED);
            for (int each = 0; each < SIDE_COUNT; each++)
                assert_int_equal(expectation.allowed[each], order_step_at(order, step)->expect[each] |
                                                                order_leak_states(order, (enum side)each));
        }
    }
}

static void without_a_leak_asked_for_none_is_looked_for(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++)
            assert_int_equal(expected_soon(close_order_at(i)->name, step).leak_side, SIDE_COUNT);
}

static void exactly_so_many_close_wait_hold(void **state)
{
    (void)state;
    struct expectation expectation = leaking("server-first", 2);
    struct histogram sides[SIDE_COUNT];
    put_leak(sides, STATE_TIME_WAIT, STATE_GONE, STATE_FIN_WAIT2, STATE_CLOSE_WAIT);
    assert_holds(&expectation, sides);
    sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT]--;
    assert_differs(&expectation, sides, "client side: 19 CLOSE_WAIT where exactly 20 should have leaked");
    sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT] += 2;
    assert_differs(&expectation, sides, "client side: 21 CLOSE_WAIT where exactly 20 should have leaked");
}

static void a_half_close_leaks_to_its_end(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    for (int step = 4; step <= 5; step++) {
        struct expectation expectation = leaking("half-close", step);
        put_leak(sides, STATE_GONE, STATE_TIME_WAIT, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
        assert_holds(&expectation, sides);
        put(sides, STATE_GONE, STATE_TIME_WAIT);
        assert_differs(&expectation, sides, "server side: 0 CLOSE_WAIT where exactly 20 should have leaked");
    }
}

static void who_was_never_accepted_did_not_leak(void **state)
{
    (void)state;
    struct expectation expectation = leaking("client-first", 2);
    struct histogram sides[SIDE_COUNT];
    put_leak(sides, STATE_GONE, STATE_TIME_WAIT, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    sides[SIDE_SERVER].unowned = 3;
    assert_differs(&expectation, sides, "server side: 17 CLOSE_WAIT where exactly 20 should have leaked");
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] += 3;
    assert_holds(&expectation, sides);
}

static void a_leak_of_all_leaves_no_time_wait(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    struct circumstances circumstances = usual;
    circumstances.leaked = OPENED;
    struct expectation expectation =
        expected_in("client-first", 2, &times, times.began_ms[2] + 1000, &circumstances);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    assert_holds(&expectation, sides);
}

static void those_that_leak_promise_no_joint_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = leaking("simultaneous", 1);
    struct histogram sides[SIDE_COUNT];
    assert_int_equal(expectation.time_wait_least, OPENED - LEAKED);
    put_leak(sides, STATE_GONE, STATE_TIME_WAIT, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    assert_holds(&expectation, sides);
    put_leak(sides, STATE_TIME_WAIT, STATE_GONE, STATE_CLOSE_WAIT, STATE_FIN_WAIT2);
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].of[STATE_TIME_WAIT]--;
    assert_false(expectation_holds(&expectation, sides, NULL));
}

static void what_leaks_of_a_reset_are_ghosts(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        int step;
        enum side side;
    } resets[] = {{"abort", 2, SIDE_SERVER}, {"unread", 3, SIDE_CLIENT}};
    for (size_t i = 0; i < COUNT_OF(resets); i++) {
        struct expectation expectation = leaking(resets[i].order, resets[i].step);
        struct histogram sides[SIDE_COUNT];
        assert_int_equal(expectation.leak_state, STATE_GONE);
        put(sides, STATE_GONE, STATE_GONE);
        assert_false(expectation_holds(&expectation, sides, NULL));
        sides[resets[i].side].ghosts = LEAKED;
        assert_holds(&expectation, sides);
        sides[resets[i].side].ghosts++;
        assert_false(expectation_holds(&expectation, sides, NULL));
    }
}

static void missing_ghosts_are_told(void **state)
{
    (void)state;
    struct expectation expectation = leaking("abort", 2);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].ghosts = 5;
    assert_differs(&expectation, sides, "server side: 5 ghosts where exactly 20 should have leaked");
}

/* abort's server holds dead descriptors until its second step. */
static void ghosts_before_the_leak_are_no_leak(void **state)
{
    (void)state;
    struct expectation expectation = leaking("abort", 1);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].ghosts = OPENED;
    assert_holds(&expectation, sides);
}

static void the_orphans_opposite_a_leak_go_by_the_clock(void **state)
{
    (void)state;
    struct expectation before = leaking_after("client-first", 2, FIN_TIMEOUT_MS - 2 * STEP_MS);
    struct expectation after = leaking_after("client-first", 2, FIN_TIMEOUT_MS);
    struct histogram sides[SIDE_COUNT];
    put_leak(sides, STATE_GONE, STATE_TIME_WAIT, STATE_CLOSE_WAIT, STATE_GONE);
    assert_false(expectation_holds(&before, sides, NULL));
    assert_holds(&after, sides);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT]--; /* which no clock ends */
    assert_false(expectation_holds(&after, sides, NULL));
}

static void a_difference_and_a_leak_are_told_together(void **state)
{
    (void)state;
    struct expectation expectation = leaking("client-first", 2);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_TIME_WAIT);
    sides[SIDE_SERVER].of[STATE_ESTABLISHED] = 1;
    struct difference difference;
    assert_false(expectation_holds(&expectation, sides, &difference));
    assert_contains(difference.text, "server side: 1 ESTABLISHED where ");
    assert_contains(difference.text, "; server side: 0 CLOSE_WAIT where exactly 20 should have leaked");
}

/* ---- connections that came one by one ---- */

static struct expectation of_flow(const char *name, int64_t leaked, bool is_outage)
{
    const struct close_order *order = close_order_find(name);
    assert_non_null(order);
    struct act_times times = every_two_seconds();
    struct circumstances circumstances = usual;
    circumstances.is_flow = true;
    circumstances.leaked = leaked;
    circumstances.is_outage = is_outage;
    int last = order_step_count(order) - 1;
    return expected_in(name, last, &times, times.began_ms[last] + 1000, &circumstances);
}

static void in_a_flow_what_a_clock_ends_may_be_gone(void **state)
{
    (void)state;
    const uint32_t timed = STATE_SET(STATE_TIME_WAIT) | STATE_SET(STATE_FIN_WAIT2);
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        const struct order_step *last = order_step_at(order, order_step_count(order) - 1);
        struct expectation expectation = of_flow(order->name, 0, false);
        for (int side = 0; side < SIDE_COUNT; side++) {
            uint32_t gone = last->expect[side] & timed ? STATE_SET(STATE_GONE) : 0;
            assert_int_equal(expectation.allowed[side], last->expect[side] | gone);
        }
    }
}

static void in_a_flow_established_and_close_wait_may_not(void **state)
{
    (void)state;
    struct expectation never = of_flow("never-close", 0, false), leak = of_flow("leak", 0, false);
    assert_false(may_be_gone(&never, SIDE_SERVER));
    assert_false(may_be_gone(&never, SIDE_CLIENT));
    assert_false(may_be_gone(&leak, SIDE_SERVER));
    assert_true(may_be_gone(&leak, SIDE_CLIENT));
}

static void a_flow_is_not_held_to_joint_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("simultaneous", 0, false);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_holds(&expectation, sides);
    assert_int_equal(expectation_assassinated(&expectation, sides), 0);
}

static void a_flow_does_not_age(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("server-first", 0, false);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_holds(&expectation, sides);
    assert_false(expectation_aged(&expectation, &sides[SIDE_SERVER], SIDE_SERVER));
}

static void what_a_flow_should_have_closed_differs(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("client-first", 0, false);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_TIME_WAIT);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 1;
    assert_differs(&expectation, sides, "server side: 1 CLOSE_WAIT where gone was expected");
}

static void the_leak_of_a_flow_is_exact(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("client-first", LEAKED, false);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = LEAKED;
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT]++;
    assert_differs(&expectation, sides, "server side: 21 CLOSE_WAIT where exactly 20 should have leaked");
}

static void in_an_outage_any_state_may_follow(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("client-first", 0, true);
    for (int i = STATE_GONE; i < STATE_COUNT; i++) {
        struct histogram sides[SIDE_COUNT];
        put(sides, (enum tcp_state)i, (enum tcp_state)i);
        if (i != STATE_LISTEN)
            assert_holds(&expectation, sides);
    }
}

static void in_an_outage_sockets_of_no_connection_still_differ(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("client-first", 0, true);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_ESTABLISHED, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_ESTABLISHED]++;
    struct difference difference;
    assert_false(expectation_holds(&expectation, sides, &difference));
    assert_contains(difference.text, "server side: 1 more socket than connections opened");
}

static void what_leaked_before_an_outage_is_counted_all_the_same(void **state)
{
    (void)state;
    struct expectation expectation = of_flow("client-first", LEAKED, true);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = LEAKED + 17;
    sides[SIDE_SERVER].unowned = 17;
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].unowned = 16;
    assert_false(expectation_holds(&expectation, sides, NULL));
}

/* ---- what keeps a state ---- */

static struct expectation of_state(enum tcp_state kept, int step, int64_t opened)
{
    struct kept_state made;
    struct act_times times = every_two_seconds();
    const struct circumstances here = {.conns = OPENED, .opened = opened, .fin_timeout_ms = FIN_TIMEOUT_MS};
    assert_int_equal(kept_state_make(kept, SIDE_COUNT, &made), 0);
    return expectation_at(&made.order, step, &times, times.began_ms[step] + 1000, &here);
}

static void so_many_listeners_hold_as_were_asked_for(void **state)
{
    (void)state;
    struct expectation expectation = of_state(STATE_LISTEN, 0, 0);
    struct histogram sides[SIDE_COUNT] = {0};
    assert_int_equal(expectation.listeners, OPENED);
    sides[SIDE_SERVER].of[STATE_LISTEN] = OPENED;
    assert_holds(&expectation, sides);
}

static void other_numbers_of_listeners_are_told(void **state)
{
    (void)state;
    struct expectation expectation = of_state(STATE_LISTEN, 0, 0);
    struct histogram sides[SIDE_COUNT] = {0};
    assert_differs(&expectation, sides, "server side: 0 LISTEN where 1,000 were expected");
    sides[SIDE_SERVER].of[STATE_LISTEN] = OPENED + 1;
    assert_differs(&expectation, sides, "server side: 1,001 LISTEN where 1,000 were expected");
}

static void listeners_of_other_orders_are_not_looked_at(void **state)
{
    (void)state;
    assert_int_equal(of_state(STATE_SYN_RECV, 0, OPENED).listeners, 0);
    assert_int_equal(expected_soon("backlog", 0).listeners, 0);
    assert_int_equal(expected_soon("server-first", 0).listeners, 0);
}

static void half_open_connections_are_expected_half_open(void **state)
{
    (void)state;
    struct expectation expectation = of_state(STATE_SYN_RECV, 0, OPENED);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_SYN_RECV, STATE_SYN_SENT);
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].of[STATE_SYN_RECV]--; /* pruned */
    assert_differs(&expectation, sides, "server side: 1 gone where SYN_RECV was expected");
    expectation = of_state(STATE_SYN_SENT, 0, OPENED);
    put(sides, STATE_GONE, STATE_SYN_SENT);
    assert_holds(&expectation, sides);
}

/* Its own descriptor keeps it: no clock ends it. */
static void a_kept_fin_wait2_does_not_age(void **state)
{
    (void)state;
    struct kept_state made;
    struct act_times times = every_two_seconds();
    assert_int_equal(kept_state_make(STATE_FIN_WAIT2, SIDE_COUNT, &made), 0);
    struct expectation expectation =
        expectation_at(&made.order, 1, &times, times.began_ms[1] + 10 * FIN_TIMEOUT_MS, &usual);
    assert_false(may_be_gone(&expectation, SIDE_CLIENT));
}

/* The wait of late-close is over when FIN_WAIT2 is gone, and no sooner. */
static void what_is_waited_for_must_have_left(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("late-close", 2);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_FIN_WAIT2, STATE_CLOSE_WAIT);
    assert_differs(&expectation, sides, "server side: 1,000 FIN_WAIT2 where gone was expected");
    put(sides, STATE_GONE, STATE_CLOSE_WAIT);
    assert_holds(&expectation, sides);
    assert_false(expectation.by_clock[SIDE_SERVER]); /* the order wants it */
}

/* The kernel gives up when its retransmissions are used up: 1.4 s for 2 of them at the earliest. */
static void what_nobody_acknowledges_is_given_up_in_time(void **state)
{
    (void)state;
    struct expectation soon = expected_after("forgotten", 2, 1399);
    assert_false(may_be_gone(&soon, SIDE_SERVER));
    struct expectation late = expected_after("forgotten", 2, 1400);
    assert_true(may_be_gone(&late, SIDE_SERVER));
    assert_true(late.by_clock[SIDE_SERVER]);
    assert_false(may_be_gone(&late, SIDE_CLIENT));
    struct expectation deaf = expected_after("forgotten", 1, 100000);
    assert_false(may_be_gone(&deaf, SIDE_SERVER)); /* it has not written */
    struct expectation waited = expected_soon("forgotten", 3);
    assert_int_equal(waited.allowed[SIDE_SERVER], STATE_SET(STATE_GONE));
    assert_false(waited.by_clock[SIDE_SERVER]); /* the order wants it */
}

/* What is left out is the close() of clients that are ESTABLISHED. */
static void a_leak_may_be_of_established_ends(void **state)
{
    (void)state;
    struct act_times times = every_two_seconds();
    struct circumstances leaking = usual;
    leaking.leaked = 20;
    struct expectation expectation =
        expected_in("linger-timeout", 3, &times, times.began_ms[3] + 100, &leaking);
    struct histogram sides[SIDE_COUNT] = {0};
    sides[SIDE_SERVER].of[STATE_FIN_WAIT1] = sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 20;
    assert_holds(&expectation, sides);
    sides[SIDE_SERVER].of[STATE_FIN_WAIT1] = sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 19;
    assert_differs(&expectation, sides, "client side: 19 ESTABLISHED where exactly 20 should have leaked");
}

/* ---- keep-alive ---- */

static struct circumstances with_keepalive(enum side side)
{
    struct circumstances asking = usual;
    asking.keepalive_s[side] = 1;
    return asking;
}

static struct expectation expected_with_keepalive(const char *name, int step, enum side side,
                                                  int64_t passed_ms, int64_t leaked)
{
    struct act_times times = every_two_seconds();
    struct circumstances asking = with_keepalive(side);
    asking.leaked = leaked;
    return expected_in(name, step, &times, times.began_ms[step] + passed_ms, &asking);
}

static void put_ghosts(struct histogram sides[SIDE_COUNT], int64_t close_wait, int64_t ghosts)
{
    memset(sides, 0, SIDE_COUNT * sizeof *sides);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = sides[SIDE_SERVER].owned = close_wait;
    sides[SIDE_SERVER].ghosts = ghosts;
}

/* FIN_WAIT2 answers probes until tcp_fin_timeout. */
static void keepalive_ends_a_close_wait_when_its_peer_has_left(void **state)
{
    (void)state;
    struct expectation soon = expected_with_keepalive("leak", 1, SIDE_SERVER, FIN_TIMEOUT_MS - 1, 0);
    assert_false(may_be_gone(&soon, SIDE_SERVER));
    struct expectation late = expected_with_keepalive("leak", 1, SIDE_SERVER, FIN_TIMEOUT_MS, 0);
    assert_true(may_be_gone(&late, SIDE_SERVER));
    assert_true(late.by_keepalive[SIDE_SERVER]);
    struct expectation without = expected_after("leak", 1, FIN_TIMEOUT_MS);
    assert_false(may_be_gone(&without, SIDE_SERVER));
    struct expectation others = expected_with_keepalive("leak", 1, SIDE_CLIENT, FIN_TIMEOUT_MS, 0);
    assert_false(may_be_gone(&others, SIDE_SERVER));
}

static void keepalive_closes_no_descriptor(void **state)
{
    (void)state;
    struct expectation expectation = expected_with_keepalive("leak", 1, SIDE_SERVER, FIN_TIMEOUT_MS, 0);
    struct histogram sides[SIDE_COUNT];
    for (int ghosts = 0; ghosts <= OPENED; ghosts += 250) {
        put_ghosts(sides, OPENED - ghosts, ghosts);
        assert_holds(&expectation, sides);
        assert_int_equal(expectation_lost_by_keepalive(&expectation, &sides[SIDE_SERVER], SIDE_SERVER),
                         ghosts > 0);
    }
    put_ghosts(sides, 0, OPENED - 1);
    assert_differs(&expectation, sides,
                   "server side: 999 descriptors are open where each of 1,000 connections should have one");
}

static void a_leak_with_keepalive_is_as_many_close_wait_and_ghosts(void **state)
{
    (void)state;
    struct expectation expectation =
        expected_with_keepalive("client-first", 2, SIDE_SERVER, FIN_TIMEOUT_MS, 20);
    struct histogram sides[SIDE_COUNT];
    for (int ghosts = 0; ghosts <= 20; ghosts += 5) {
        put_ghosts(sides, 20 - ghosts, ghosts);
        assert_holds(&expectation, sides);
    }
    put_ghosts(sides, 5, 14);
    assert_differs(&expectation, sides, "server side: 19 CLOSE_WAIT where exactly 20 should have leaked");
    put_ghosts(sides, 0, 0);
    assert_false(expectation_lost_by_keepalive(&expectation, &sides[SIDE_SERVER], SIDE_SERVER));
}

/* Three probes, a second apart. */
static void keepalive_ends_what_nobody_answers(void **state)
{
    (void)state;
    struct expectation soon = expected_with_keepalive("vanish", 1, SIDE_SERVER, 2999, 0);
    assert_false(may_be_gone(&soon, SIDE_SERVER));
    struct expectation late = expected_with_keepalive("vanish", 1, SIDE_SERVER, 3000, 0);
    assert_true(may_be_gone(&late, SIDE_SERVER));
    assert_false(may_be_gone(&late, SIDE_CLIENT));
    struct expectation closed = expected_with_keepalive("vanish", 2, SIDE_SERVER, 3000, 0);
    assert_true(may_be_gone(&closed, SIDE_SERVER));
    assert_false(closed.holds_all[SIDE_SERVER]);
}

static void keepalive_ends_nothing_that_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        int step;
    } answered[] = {{"never-close", 0}, {"half-close", 3}, {"linger-timeout", 2}, {"unread", 1}};
    for (size_t i = 0; i < COUNT_OF(answered); i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct expectation expectation =
                expected_with_keepalive(answered[i].order, answered[i].step, (enum side)side, 60000, 0);
            assert_false(may_be_gone(&expectation, SIDE_CLIENT));
            assert_false(expectation.by_keepalive[side]);
        }
}

/* An orphan is given up sooner than what a process has. */
static void an_orphan_that_is_not_acknowledged_is_given_up(void **state)
{
    (void)state;
    struct expectation soon = expected_after("vanish", 2, 102199);
    assert_false(may_be_gone(&soon, SIDE_SERVER));
    struct expectation late = expected_after("vanish", 2, 102200);
    assert_true(may_be_gone(&late, SIDE_SERVER));
    struct kept_state kept;
    struct act_times times = every_two_seconds();
    assert_int_equal(kept_state_make(STATE_FIN_WAIT1, SIDE_COUNT, &kept), 0);
    struct expectation held = expectation_at(&kept.order, 2, &times, 1000000, &usual);
    assert_false(may_be_gone(&held, SIDE_SERVER));
}

static void after_the_wait_no_time_wait_is_expected(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("late-close", 3);
    struct histogram sides[SIDE_COUNT];
    put(sides, STATE_GONE, STATE_GONE);
    assert_holds(&expectation, sides);
    put(sides, STATE_TIME_WAIT, STATE_GONE);
    assert_differs(&expectation, sides, "server side: 1,000 TIME_WAIT where gone was expected");
}

static void an_overflow_may_leave_any_number_of_time_wait(void **state)
{
    (void)state;
    struct expectation expectation = expected_soon("time-wait-overflow", 2);
    for (int kept = 0; kept <= OPENED; kept += 250) {
        struct histogram sides[SIDE_COUNT];
        put(sides, STATE_GONE, STATE_GONE);
        sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = kept;
        assert_holds(&expectation, sides);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sets_are_those_of_the_order),
        cmocka_unit_test(every_state_of_a_set_holds_for_all_ends),
        cmocka_unit_test(listeners_do_not_count),
        cmocka_unit_test(nothing_opened_and_nothing_seen_holds),
        cmocka_unit_test(interactive_in_another_state_is_told),
        cmocka_unit_test(interactive_that_is_gone_is_told),
        cmocka_unit_test(interactive_that_should_be_gone_is_told),
        cmocka_unit_test(both_sides_are_told),
        cmocka_unit_test(several_states_of_a_side_are_told_together),
        cmocka_unit_test(more_sockets_than_connections_differ),
        cmocka_unit_test(more_sockets_than_connections_differ_even_where_gone_is_expected),
        cmocka_unit_test(a_difference_of_every_state_is_cut_not_overrun),
        cmocka_unit_test(one_time_wait_a_connection_is_enough_on_whichever_side),
        cmocka_unit_test(two_time_waits_a_connection_are_the_most),
        cmocka_unit_test(less_than_one_time_wait_a_connection_differs),
        cmocka_unit_test(the_joint_bounds_are_told),
        cmocka_unit_test(an_order_without_joint_bounds_is_not_held_to_any),
        cmocka_unit_test(each_reset_may_have_ended_a_time_wait),
        cmocka_unit_test(more_resets_than_connections_leave_no_least),
        cmocka_unit_test(the_missing_time_waits_are_counted),
        cmocka_unit_test(resets_do_not_excuse_an_order_whose_states_are_certain),
        cmocka_unit_test(a_closed_fin_wait2_may_be_gone_after_the_fin_timeout),
        cmocka_unit_test(the_fin_timeout_is_the_one_of_this_namespace),
        cmocka_unit_test(a_fin_wait2_after_shutdown_has_no_clock),
        cmocka_unit_test(close_wait_has_no_clock),
        cmocka_unit_test(established_has_no_clock),
        cmocka_unit_test(ends_that_left_by_the_clock_hold),
        cmocka_unit_test(ends_that_left_by_the_clock_have_aged),
        cmocka_unit_test(ends_that_the_order_wants_gone_have_not_aged),
        cmocka_unit_test(time_wait_may_be_gone_after_a_minute),
        cmocka_unit_test(the_minute_runs_from_the_step_that_led_to_time_wait),
        cmocka_unit_test(a_short_fin_timeout_does_not_shorten_time_wait),
        cmocka_unit_test(joint_time_wait_has_no_least_after_a_minute),
        cmocka_unit_test(a_late_close_leaves_no_time_wait),
        cmocka_unit_test(a_close_in_time_leaves_time_wait),
        cmocka_unit_test(closes_that_end_too_late_may_have_left_some_time_wait),
        cmocka_unit_test(a_late_close_after_shutdown_leaves_time_wait),
        cmocka_unit_test(nothing_is_left_before_the_act_was_acknowledged),
        cmocka_unit_test(a_leak_changes_nothing_before_its_step),
        cmocka_unit_test(from_its_step_on_a_leak_is_expected_on_its_side),
        cmocka_unit_test(without_a_leak_asked_for_none_is_looked_for),
        cmocka_unit_test(exactly_so_many_close_wait_hold),
        cmocka_unit_test(a_half_close_leaks_to_its_end),
        cmocka_unit_test(who_was_never_accepted_did_not_leak),
        cmocka_unit_test(a_leak_of_all_leaves_no_time_wait),
        cmocka_unit_test(those_that_leak_promise_no_joint_time_wait),
        cmocka_unit_test(what_leaks_of_a_reset_are_ghosts),
        cmocka_unit_test(missing_ghosts_are_told),
        cmocka_unit_test(ghosts_before_the_leak_are_no_leak),
        cmocka_unit_test(the_orphans_opposite_a_leak_go_by_the_clock),
        cmocka_unit_test(a_difference_and_a_leak_are_told_together),
        cmocka_unit_test(in_a_flow_what_a_clock_ends_may_be_gone),
        cmocka_unit_test(in_a_flow_established_and_close_wait_may_not),
        cmocka_unit_test(a_flow_is_not_held_to_joint_time_wait),
        cmocka_unit_test(a_flow_does_not_age),
        cmocka_unit_test(what_a_flow_should_have_closed_differs),
        cmocka_unit_test(the_leak_of_a_flow_is_exact),
        cmocka_unit_test(in_an_outage_any_state_may_follow),
        cmocka_unit_test(in_an_outage_sockets_of_no_connection_still_differ),
        cmocka_unit_test(what_leaked_before_an_outage_is_counted_all_the_same),
        cmocka_unit_test(so_many_listeners_hold_as_were_asked_for),
        cmocka_unit_test(other_numbers_of_listeners_are_told),
        cmocka_unit_test(listeners_of_other_orders_are_not_looked_at),
        cmocka_unit_test(half_open_connections_are_expected_half_open),
        cmocka_unit_test(a_kept_fin_wait2_does_not_age),
        cmocka_unit_test(what_is_waited_for_must_have_left),
        cmocka_unit_test(what_nobody_acknowledges_is_given_up_in_time),
        cmocka_unit_test(a_leak_may_be_of_established_ends),
        cmocka_unit_test(keepalive_ends_a_close_wait_when_its_peer_has_left),
        cmocka_unit_test(keepalive_closes_no_descriptor),
        cmocka_unit_test(a_leak_with_keepalive_is_as_many_close_wait_and_ghosts),
        cmocka_unit_test(keepalive_ends_what_nobody_answers),
        cmocka_unit_test(keepalive_ends_nothing_that_is_answered),
        cmocka_unit_test(an_orphan_that_is_not_acknowledged_is_given_up),
        cmocka_unit_test(after_the_wait_no_time_wait_is_expected),
        cmocka_unit_test(an_overflow_may_leave_any_number_of_time_wait),
    };
    return cmocka_run_group_tests_name("expectation", tests, NULL, NULL);
}
