#include "../unit.h"

#include "kernel/host_limits.h"
#include "model/close_order.h"

static const struct close_order *order_named(const char *name)
{
    const struct close_order *order = close_order_find(name);
    assert_non_null(order);
    return order;
}

/* -1: the side has not called close() by then. */
static int closing_step_of(const char *name, int step, enum side side)
{
    int closing = 4711;
    bool closed = order_side_closed(order_named(name), step, side, &closing);
    return closed ? closing : -1;
}

static void every_order_is_found_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        assert_ptr_equal(close_order_find(close_order_at(i)->name), close_order_at(i));
}

static void the_orders_that_were_promised_are_there(void **state)
{
    (void)state;
    static const char *const promised[] = {
        "server-first",   "client-first", "half-close", "never-close",        "leak",
        "simultaneous",   "abort",        "unread",     "server-crash",       "client-crash",
        "backlog",        "vanish",       "late-close", "time-wait-overflow", "fin-with-data",
        "linger-timeout", "forgotten"};
    for (size_t i = 0; i < COUNT_OF(promised); i++)
        assert_non_null(close_order_find(promised[i]));
}

static void another_name_is_no_order(void **state)
{
    (void)state;
    assert_null(close_order_find("sever-first"));
    assert_null(close_order_find(""));
    assert_null(close_order_find("all"));
}

static void a_typo_finds_the_order_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(close_order_nearest("sever-first"), "server-first");
    assert_string_equal(close_order_nearest("simultanous"), "simultaneous");
    assert_null(close_order_nearest("xyzzy"));
}

static void every_order_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        assert_true(strlen(close_order_at(i)->summary) > 5);
        assert_true(strlen(close_order_at(i)->meaning) > 20);
    }
}

static void every_order_starts_by_opening(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct order_step *first = order_step_at(close_order_at(i), 0);
        assert_int_equal(first->act, ACT_OPEN);
        assert_string_equal(order_step_label(first).text, "open");
        assert_int_equal(first->expect[SIDE_SERVER], STATE_SET(STATE_ESTABLISHED));
        assert_int_equal(first->expect[SIDE_CLIENT], STATE_SET(STATE_ESTABLISHED));
    }
}

static void only_the_first_step_opens(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 1; step < order_step_count(close_order_at(i)); step++)
            assert_true(order_step_at(close_order_at(i), step)->act > ACT_OPEN);
}

static void steps_are_counted_with_the_opening(void **state)
{
    (void)state;
    assert_int_equal(order_step_count(order_named("never-close")), 1);
    assert_int_equal(order_step_count(order_named("leak")), 2);
    assert_int_equal(order_step_count(order_named("server-first")), 3);
    assert_int_equal(order_step_count(order_named("half-close")), 6);
}

static void labels_are_unique_within_an_order(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        for (int step = 0; step < order_step_count(order); step++)
            for (int other = 0; other < step; other++)
                assert_string_not_equal(order_step_label(order_step_at(order, step)).text,
                                        order_step_label(order_step_at(order, other)).text);
    }
}

static void labels_name_side_and_act(void **state)
{
    (void)state;
    assert_string_equal(order_step_label(order_step_at(order_named("server-first"), 1)).text, "server-close");
    assert_string_equal(order_step_label(order_step_at(order_named("half-close"), 1)).text,
                        "client-shutdown");
    assert_string_equal(order_step_label(order_step_at(order_named("half-close"), 2)).text, "server-write");
    assert_string_equal(order_step_label(order_step_at(order_named("simultaneous"), 1)).text, "both-close");
}

static void somebody_acts_in_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++) {
            const struct order_step *at = order_step_at(close_order_at(i), step);
            assert_int_equal(at->by != 0, at->act != ACT_WAIT);
            assert_int_equal(at->by & ~BOTH_SIDES, 0);
        }
}

static void nobody_acts_on_a_descriptor_that_is_closed(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        uint32_t released = 0;
        for (int step = 0; step < order_step_count(close_order_at(i)); step++) {
            const struct order_step *at = order_step_at(close_order_at(i), step);
            if (at->act == ACT_RECONNECT) /* the descriptors are new */
                released &= ~at->by;
            assert_int_equal(at->by & released, 0);
            if (act_releases(at->act))
                released |= at->by;
        }
    }
}

static void every_step_expects_something_of_both_sides(void **state)
{
    (void)state;
    uint32_t all = STATE_SET(STATE_COUNT) - 1;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++)
            for (int side = 0; side < SIDE_COUNT; side++) {
                uint32_t expected = order_step_at(close_order_at(i), step)->expect[side];
                assert_true(expected != 0);
                assert_int_equal(expected & ~all, 0);
                assert_false(state_set_has(expected, STATE_LISTEN));
            }
}

static void the_bounds_of_time_wait_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int step = 0; step < order_step_count(close_order_at(i)); step++) {
            const struct order_step *at = order_step_at(close_order_at(i), step);
            assert_true(at->time_wait_min >= 0 && at->time_wait_min <= at->time_wait_max);
            assert_true(at->time_wait_max <= SIDE_COUNT);
        }
}

static void simultaneous_expects_one_or_two_time_waits_per_connection(void **state)
{
    (void)state;
    const struct order_step *step = order_step_at(order_named("simultaneous"), 1);
    assert_int_equal(step->time_wait_min, 1);
    assert_int_equal(step->time_wait_max, 2);
}

static void one_close_after_the_other_leaves_one_time_wait(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("server-first")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("client-first")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("half-close")), 1);
}

static void simultaneous_closes_leave_two_time_waits_at_most(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("simultaneous")), 2);
}

static void resets_leave_no_time_wait(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("abort")), 0);
    assert_int_equal(order_time_wait_per_connection(order_named("unread")), 0);
}

static void an_orphaned_fin_wait2_counts_as_a_time_wait_socket(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("leak")), 1);
}

static void open_connections_leave_no_time_wait(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("never-close")), 0);
}

static void nobody_has_closed_when_all_is_open(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int side = 0; side < SIDE_COUNT; side++)
            assert_int_equal(closing_step_of(close_order_at(i)->name, 0, (enum side)side), -1);
}

static void a_side_has_closed_from_its_step_on(void **state)
{
    (void)state;
    assert_int_equal(closing_step_of("server-first", 1, SIDE_SERVER), 1);
    assert_int_equal(closing_step_of("server-first", 2, SIDE_SERVER), 1);
    assert_int_equal(closing_step_of("server-first", 1, SIDE_CLIENT), -1);
    assert_int_equal(closing_step_of("server-first", 2, SIDE_CLIENT), 2);
}

static void both_sides_have_closed_after_closing_at_once(void **state)
{
    (void)state;
    assert_int_equal(closing_step_of("simultaneous", 1, SIDE_SERVER), 1);
    assert_int_equal(closing_step_of("simultaneous", 1, SIDE_CLIENT), 1);
}

static void shutdown_is_no_close(void **state)
{
    (void)state;
    for (int step = 1; step <= 4; step++)
        assert_int_equal(closing_step_of("half-close", step, SIDE_CLIENT), -1);
    assert_int_equal(closing_step_of("half-close", 5, SIDE_CLIENT), 5);
}

static void abort_is_no_close_by_fin(void **state)
{
    (void)state;
    assert_int_equal(closing_step_of("abort", 2, SIDE_CLIENT), -1);
}

static void who_leaks_never_closes(void **state)
{
    (void)state;
    assert_int_equal(closing_step_of("leak", 1, SIDE_SERVER), -1);
    assert_int_equal(closing_step_of("leak", 1, SIDE_CLIENT), 1);
}

/* ---- leaks ---- */

static const struct leak_row {
    const char *order;
    enum side side; /* SIDE_COUNT: there is no second close() */
    int step;
    enum tcp_state leaves[SIDE_COUNT];
} leaks[] = {
    {"server-first", SIDE_CLIENT, 2, {STATE_FIN_WAIT2, STATE_CLOSE_WAIT}},
    {"client-first", SIDE_SERVER, 2, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
    {"half-close", SIDE_SERVER, 4, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
    {"never-close", SIDE_COUNT, 0, {0}},
    {"leak", SIDE_COUNT, 0, {0}},
    {"simultaneous", SIDE_SERVER, 1, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
    {"abort", SIDE_SERVER, 2, {STATE_GONE, STATE_GONE}},
    {"unread", SIDE_CLIENT, 3, {STATE_GONE, STATE_GONE}},
    {"server-crash", SIDE_CLIENT, 2, {STATE_FIN_WAIT2, STATE_CLOSE_WAIT}},
    {"client-crash", SIDE_SERVER, 2, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
    {"backlog", SIDE_COUNT, 0, {0}},
    {"listener-close", SIDE_CLIENT, 2, {STATE_GONE, STATE_GONE}},
    {"fin-with-data", SIDE_SERVER, 3, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
    {"linger-timeout", SIDE_CLIENT, 3, {STATE_FIN_WAIT1, STATE_ESTABLISHED}},
    {"vanish", SIDE_COUNT, 0, {0}},
    {"forgotten", SIDE_COUNT, 0, {0}},
    {"late-close", SIDE_CLIENT, 3, {STATE_GONE, STATE_CLOSE_WAIT}}, /* or reset when FIN_WAIT2 ends */
    {"port-comes-round", SIDE_COUNT, 0, {0}},
    {"time-wait-overflow", SIDE_SERVER, 2, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}},
};

static void who_does_not_close_second_leaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(leaks); i++) {
        int step = 0;
        assert_int_equal(order_leak_side(order_named(leaks[i].order), &step), leaks[i].side);
        if (leaks[i].side != SIDE_COUNT)
            assert_int_equal(step, leaks[i].step);
    }
}

static void no_order_is_without_a_row_here(void **state)
{
    (void)state;
    size_t count = 0;
    while (close_order_at(count) != NULL)
        count++;
    assert_int_equal(count, COUNT_OF(leaks));
}

static void a_leak_stays_in_the_states_before_the_second_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(leaks); i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            uint32_t expected = leaks[i].side != SIDE_COUNT ? STATE_SET(leaks[i].leaves[side]) : 0;
            if (strcmp(leaks[i].order, "late-close") == 0)
                expected |= STATE_SET(STATE_GONE);
            assert_int_equal(order_leak_states(order_named(leaks[i].order), (enum side)side), expected);
        }
}

/* What is left out is a close() of that side alone, or the server's part of one by both. */
static void the_step_that_is_left_out_is_that_sides_close(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        int step;
        enum side side = order_leak_side(close_order_at(i), &step);
        if (side == SIDE_COUNT)
            continue;
        assert_int_equal(order_step_at(close_order_at(i), step)->act, ACT_CLOSE);
        assert_true(order_step_at(close_order_at(i), step)->by & SIDE_SET(side));
    }
}

/* ---- how they come about, and what they need ---- */

static void every_opening_reads_back_from_its_name(void **state)
{
    (void)state;
    for (int opening = 0; opening < OPENING_COUNT; opening++)
        assert_int_equal(opening_parse(opening_name((enum opening)opening)), opening);
    assert_string_equal(opening_name(OPENING_FULL), "full");
}

static void another_word_is_no_opening(void **state)
{
    (void)state;
    assert_int_equal(opening_parse("empty"), OPENING_COUNT);
    assert_int_equal(opening_parse(""), OPENING_COUNT);
    assert_int_equal(opening_parse("full "), OPENING_COUNT);
}

static const struct opening_row {
    enum opening opening;
    uint32_t by;
    enum tcp_state server, client;
    bool needs_filter;
} openings[] = {
    {OPENING_FULL, SIDE_SET(SIDE_CLIENT), STATE_ESTABLISHED, STATE_ESTABLISHED, false},
    {OPENING_NARROW, SIDE_SET(SIDE_CLIENT), STATE_ESTABLISHED, STATE_ESTABLISHED, false},
    {OPENING_UNACCEPTED, SIDE_SET(SIDE_CLIENT), STATE_ESTABLISHED, STATE_ESTABLISHED, false},
    {OPENING_UNANSWERED, SIDE_SET(SIDE_CLIENT), STATE_GONE, STATE_SYN_SENT, true},
    {OPENING_HALF, SIDE_SET(SIDE_CLIENT), STATE_SYN_RECV, STATE_SYN_SENT, true},
    {OPENING_LISTENERS, SIDE_SET(SIDE_SERVER), STATE_LISTEN, STATE_GONE, false},
};

static void every_opening_is_the_first_step_of_its_orders(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(openings), OPENING_COUNT);
    for (size_t i = 0; i < COUNT_OF(openings); i++) {
        const struct close_order order = {.opening = openings[i].opening};
        const struct order_step *first = order_step_at(&order, 0);
        assert_int_equal(order_step_count(&order), 1);
        assert_int_equal(first->act, ACT_OPEN);
        assert_int_equal(first->by, openings[i].by);
        assert_int_equal(first->expect[SIDE_SERVER], STATE_SET(openings[i].server));
        assert_int_equal(first->expect[SIDE_CLIENT], STATE_SET(openings[i].client));
        assert_string_equal(order_step_label(first).text, "open");
        assert_int_equal(order_needs_filter(&order), openings[i].needs_filter);
    }
}

/* Of the orders: whether any machine can play them, whether they need a filter, and whether one by one. */
static const struct needs_row {
    const char *order;
    bool nothing, filter, flows, orphans;
} needs[] = {
    {"server-first", true, false, true, false},
    {"client-first", true, false, true, false},
    {"half-close", true, false, true, false},
    {"never-close", true, false, true, false},
    {"leak", true, false, true, false},
    {"simultaneous", true, false, true, false},
    {"abort", true, false, true, false},
    {"unread", true, false, true, false},
    {"server-crash", true, false, false, false},
    {"client-crash", true, false, false, false},
    {"backlog", true, false, false, false},
    {"vanish", false, true, false, true},
    {"fin-with-data", true, false, true, false},
    {"linger-timeout", true, false, false, true},
    {"forgotten", false, true, false, false},
    {"late-close", false, false, false, false},
    {"time-wait-overflow", false, false, false, false},
    {"listener-close", true, false, false, false},
    {"port-comes-round", false, false, false, false},
};

static void every_order_needs_what_was_promised(void **state)
{
    (void)state;
    size_t count = 0;
    while (close_order_at(count) != NULL)
        count++;
    assert_int_equal(count, COUNT_OF(needs));
    for (size_t i = 0; i < COUNT_OF(needs); i++) {
        const struct close_order *order = order_named(needs[i].order);
        assert_int_equal(order_needs_nothing(order), needs[i].nothing);
        assert_int_equal(order_needs_filter(order), needs[i].filter);
        assert_int_equal(order_can_flow(order), needs[i].flows);
        assert_int_equal(order_leaves_orphans(order), needs[i].orphans);
    }
}

static void a_setting_has_the_value_of_its_row(void **state)
{
    (void)state;
    const struct close_order *late = order_named("late-close");
    assert_string_equal(late->needs.sysctl, "net.ipv4.tcp_fin_timeout");
    assert_int_equal(order_sysctl_value(late, 1), 3);
    assert_int_equal(order_sysctl_value(late, 1000), 3);
    assert_int_equal(order_sysctl_value(late, 100000), 8);
}

static void the_ports_come_round_in_one_order(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        assert_int_equal(order_reconnects(close_order_at(i)),
                         strcmp(close_order_at(i)->name, "port-comes-round") == 0);
}

/* The time doubles with each retransmission: a few more are enough for very many connections. */
static void so_many_retransmissions_last_until_all_have_written(void **state)
{
    (void)state;
    const struct close_order *forgotten = order_named("forgotten");
    assert_string_equal(forgotten->needs.sysctl, "net.ipv4.tcp_retries2");
    assert_int_equal(forgotten->clock, CLOCK_RETRANSMISSION);
    assert_int_equal(order_sysctl_value(forgotten, 1), 2);
    assert_int_equal(order_sysctl_value(forgotten, 1000), 2);
    assert_int_equal(order_sysctl_value(forgotten, 100000), 5);
    for (int64_t conns = 1000; conns <= 1000000; conns *= 10)
        assert_true(retransmission_least_ms(order_sysctl_value(forgotten, conns)) >= conns / 20);
}

static void what_is_sent_into_a_network_that_has_forgotten_is_unanswered(void **state)
{
    (void)state;
    const struct close_order *forgotten = order_named("forgotten");
    assert_int_equal(order_unanswered_since(forgotten, 1, SIDE_SERVER), -1);
    for (int step = 2; step < order_step_count(forgotten); step++) {
        assert_int_equal(order_unanswered_since(forgotten, step, SIDE_SERVER), 2);
        assert_int_equal(order_unanswered_since(forgotten, step, SIDE_CLIENT), -1);
    }
    assert_int_equal(order_unanswered_since(order_named("half-close"), 5, SIDE_SERVER), -1);
    struct close_order heard = *forgotten;
    heard.steps[0].by = SIDE_SET(SIDE_CLIENT);
    assert_int_equal(order_unanswered_since(&heard, 4, SIDE_SERVER), -1);
}

static void the_server_accepts_what_is_opened_fully(void **state)
{
    (void)state;
    for (int opening = 0; opening < OPENING_COUNT; opening++)
        assert_int_equal(opening_is_accepted((enum opening)opening),
                         opening == OPENING_FULL || opening == OPENING_NARROW);
}

/* Else the counter that must move would not. */
static void room_for_half_is_never_room_for_all(void **state)
{
    (void)state;
    const struct close_order *overflow = order_named("time-wait-overflow");
    assert_string_equal(overflow->needs.sysctl, "net.ipv4.tcp_max_tw_buckets");
    assert_true(overflow->needs.must_move);
    assert_int_equal(overflow->needs.counter, COUNTER_TIME_WAIT_OVERFLOW);
    assert_int_equal(order_sysctl_value(overflow, 1000), 500);
    for (int64_t conns = 1; conns < 10; conns++)
        assert_true(order_sysctl_value(overflow, conns) < conns);
}

/* What is not acknowledged stays with the kernel only where it was closed. */
static void only_what_is_closed_is_an_orphan(void **state)
{
    (void)state;
    struct close_order order = {.steps = {{ACT_DROP,
                                           SIDE_SET(SIDE_CLIENT),
                                           {STATE_SET(STATE_ESTABLISHED), STATE_SET(STATE_ESTABLISHED)},
                                           0,
                                           0},
                                          {ACT_SHUTDOWN,
                                           SIDE_SET(SIDE_SERVER),
                                           {STATE_SET(STATE_FIN_WAIT1), STATE_SET(STATE_ESTABLISHED)},
                                           0,
                                           0}}};
    assert_false(order_leaves_orphans(&order));
    order.steps[1].act = ACT_CLOSE;
    assert_true(order_leaves_orphans(&order));
    order.steps[1].act = ACT_CRASH;
    assert_true(order_leaves_orphans(&order));
}

/* It has no timer, and is no timewait socket. */
static void a_fin_wait2_with_its_descriptor_is_no_time_wait_socket(void **state)
{
    (void)state;
    struct close_order order = {.steps = {{ACT_SHUTDOWN,
                                           SIDE_SET(SIDE_CLIENT),
                                           {STATE_SET(STATE_CLOSE_WAIT), STATE_SET(STATE_FIN_WAIT2)},
                                           0,
                                           0}}};
    assert_int_equal(order_time_wait_per_connection(&order), 0);
    order.steps[0].act = ACT_CLOSE;
    assert_int_equal(order_time_wait_per_connection(&order), 1);
}

static void who_crashes_has_closed(void **state)
{
    (void)state;
    assert_int_equal(closing_step_of("server-crash", 1, SIDE_SERVER), 1);
    assert_int_equal(closing_step_of("server-crash", 1, SIDE_CLIENT), -1);
    assert_int_equal(closing_step_of("client-crash", 2, SIDE_CLIENT), 1);
    assert_int_equal(closing_step_of("late-close", 2, SIDE_CLIENT), -1);
    assert_int_equal(closing_step_of("late-close", 3, SIDE_CLIENT), 3);
}

static void crashes_and_late_closes_leave_a_time_wait_socket(void **state)
{
    (void)state;
    assert_int_equal(order_time_wait_per_connection(order_named("server-crash")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("client-crash")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("backlog")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("late-close")), 1); /* FIN_WAIT2 */
    assert_int_equal(order_time_wait_per_connection(order_named("time-wait-overflow")), 1);
    assert_int_equal(order_time_wait_per_connection(order_named("vanish")), 0);
}

static void a_step_without_an_actor_is_called_by_its_act(void **state)
{
    (void)state;
    assert_string_equal(order_step_label(order_step_at(order_named("late-close"), 2)).text, "wait");
    assert_string_equal(order_step_label(order_step_at(order_named("server-crash"), 1)).text, "server-crash");
    assert_string_equal(order_step_label(order_step_at(order_named("vanish"), 1)).text, "client-drop");
}

static void a_set_is_written_as_its_states(void **state)
{
    (void)state;
    assert_string_equal(state_set_text(STATE_SET(STATE_FIN_WAIT2)).text, "FIN_WAIT2");
    assert_string_equal(state_set_text(STATE_SET(STATE_TIME_WAIT) | STATE_SET(STATE_GONE)).text,
                        "TIME_WAIT or gone");
    assert_string_equal(state_set_text(0).text, "");
}

static void the_largest_set_is_cut_not_overrun(void **state)
{
    (void)state;
    struct state_set_text text = state_set_text(STATE_SET(STATE_COUNT) - 1);
    assert_true(strlen(text.text) < sizeof text.text);
    assert_contains(text.text, "LISTEN or SYN_SENT or ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_is_found_by_its_name),
        cmocka_unit_test(the_orders_that_were_promised_are_there),
        cmocka_unit_test(another_name_is_no_order),
        cmocka_unit_test(a_typo_finds_the_order_that_was_meant),
        cmocka_unit_test(every_order_says_what_it_is),
        cmocka_unit_test(every_order_starts_by_opening),
        cmocka_unit_test(only_the_first_step_opens),
        cmocka_unit_test(steps_are_counted_with_the_opening),
        cmocka_unit_test(labels_are_unique_within_an_order),
        cmocka_unit_test(labels_name_side_and_act),
        cmocka_unit_test(somebody_acts_in_every_step),
        cmocka_unit_test(nobody_acts_on_a_descriptor_that_is_closed),
        cmocka_unit_test(every_step_expects_something_of_both_sides),
        cmocka_unit_test(the_bounds_of_time_wait_are_in_order),
        cmocka_unit_test(simultaneous_expects_one_or_two_time_waits_per_connection),
        cmocka_unit_test(one_close_after_the_other_leaves_one_time_wait),
        cmocka_unit_test(simultaneous_closes_leave_two_time_waits_at_most),
        cmocka_unit_test(resets_leave_no_time_wait),
        cmocka_unit_test(an_orphaned_fin_wait2_counts_as_a_time_wait_socket),
        cmocka_unit_test(open_connections_leave_no_time_wait),
        cmocka_unit_test(nobody_has_closed_when_all_is_open),
        cmocka_unit_test(a_side_has_closed_from_its_step_on),
        cmocka_unit_test(both_sides_have_closed_after_closing_at_once),
        cmocka_unit_test(shutdown_is_no_close),
        cmocka_unit_test(abort_is_no_close_by_fin),
        cmocka_unit_test(who_leaks_never_closes),
        cmocka_unit_test(who_does_not_close_second_leaks),
        cmocka_unit_test(no_order_is_without_a_row_here),
        cmocka_unit_test(a_leak_stays_in_the_states_before_the_second_close),
        cmocka_unit_test(the_step_that_is_left_out_is_that_sides_close),
        cmocka_unit_test(every_opening_reads_back_from_its_name),
        cmocka_unit_test(another_word_is_no_opening),
        cmocka_unit_test(every_opening_is_the_first_step_of_its_orders),
        cmocka_unit_test(every_order_needs_what_was_promised),
        cmocka_unit_test(a_setting_has_the_value_of_its_row),
        cmocka_unit_test(the_ports_come_round_in_one_order),
        cmocka_unit_test(so_many_retransmissions_last_until_all_have_written),
        cmocka_unit_test(what_is_sent_into_a_network_that_has_forgotten_is_unanswered),
        cmocka_unit_test(the_server_accepts_what_is_opened_fully),
        cmocka_unit_test(room_for_half_is_never_room_for_all),
        cmocka_unit_test(only_what_is_closed_is_an_orphan),
        cmocka_unit_test(a_fin_wait2_with_its_descriptor_is_no_time_wait_socket),
        cmocka_unit_test(who_crashes_has_closed),
        cmocka_unit_test(crashes_and_late_closes_leave_a_time_wait_socket),
        cmocka_unit_test(a_step_without_an_actor_is_called_by_its_act),
        cmocka_unit_test(a_set_is_written_as_its_states),
        cmocka_unit_test(the_largest_set_is_cut_not_overrun),
    };
    return cmocka_run_group_tests_name("close_order", tests, NULL, NULL);
}
