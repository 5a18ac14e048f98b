#include "../unit.h"

#include "kernel/host_limits.h"
#include "model/kept_state.h"

#include <errno.h>

enum { CONNS = 1000 };

/* What is promised: the state, the side where it is usual, and whether the other side can be in it. */
static const struct row {
    enum tcp_state state;
    enum side side;
    bool has_mirror;
    enum opening opening;
    const char *steps; /* after the opening, on the usual side */
    const char *mirrored;
} rows[] = {
    {STATE_LISTEN, SIDE_SERVER, false, OPENING_LISTENERS, "", NULL},
    {STATE_SYN_SENT, SIDE_CLIENT, false, OPENING_UNANSWERED, "", NULL},
    {STATE_SYN_RECV, SIDE_SERVER, false, OPENING_HALF, "", NULL},
    {STATE_ESTABLISHED, SIDE_SERVER, true, OPENING_FULL, "", ""},
    {STATE_FIN_WAIT1, SIDE_SERVER, true, OPENING_FULL, "client-drop server-shutdown ",
     "server-drop client-shutdown "},
    {STATE_FIN_WAIT2, SIDE_CLIENT, true, OPENING_FULL, "client-shutdown ", "server-shutdown "},
    {STATE_CLOSE_WAIT, SIDE_SERVER, true, OPENING_FULL, "client-shutdown ", "server-shutdown "},
    {STATE_CLOSING, SIDE_SERVER, true, OPENING_FULL, "client-drop server-shutdown client-shutdown ",
     "server-drop client-shutdown server-shutdown "},
    {STATE_LAST_ACK, SIDE_SERVER, true, OPENING_FULL, "client-shutdown client-drop server-shutdown ",
     "server-shutdown server-drop client-shutdown "},
    {STATE_TIME_WAIT, SIDE_CLIENT, true, OPENING_FULL, "client-close server-close ",
     "server-close client-close "},
    {STATE_CLOSE, SIDE_SERVER, true, OPENING_FULL, "client-abort ", "server-abort "},
};

static struct kept_state usual(enum tcp_state state)
{
    struct kept_state made;
    assert_int_equal(kept_state_make(state, SIDE_COUNT, &made), 0);
    return made;
}

static const struct order_step *last_step(const struct close_order *order)
{
    return order_step_at(order, order_step_count(order) - 1);
}

static void all_eleven_are_there_in_the_order_of_a_life(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(rows), LIFE_ORDER_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(kept_state_at(i), rows[i].state);
        assert_int_equal(kept_state_at(i), tcp_state_in_life_order(i));
    }
    assert_int_equal(kept_state_at(COUNT_OF(rows)), STATE_GONE);
    assert_int_equal(kept_state_at(SIZE_MAX), STATE_GONE);
}

static void each_is_kept_on_its_usual_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state);
        assert_int_equal(made.state, rows[i].state);
        assert_int_equal(made.side, rows[i].side);
        assert_int_equal(made.order.opening, rows[i].opening);
        assert_string_equal(made.order.name, tcp_state_name(rows[i].state));
    }
}

static void the_usual_side_may_be_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state named, made = usual(rows[i].state);
        assert_int_equal(kept_state_make(rows[i].state, rows[i].side, &named), 0);
        assert_int_equal(named.side, rows[i].side);
        assert_ptr_equal(named.order.summary, made.order.summary);
        assert_memory_equal(named.order.steps, made.order.steps, sizeof made.order.steps);
    }
}

static void the_other_side_is_refused_where_it_is_never_in_that_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made;
        assert_int_equal(kept_state_make(rows[i].state, side_other(rows[i].side), &made),
                         rows[i].has_mirror ? 0 : -EINVAL);
    }
}

static void gone_is_no_state_to_be_kept(void **state)
{
    (void)state;
    struct kept_state made;
    assert_int_equal(kept_state_make(STATE_GONE, SIDE_COUNT, &made), -EINVAL);
    assert_int_equal(kept_state_make(STATE_COUNT, SIDE_COUNT, &made), -EINVAL);
}

static void assert_steps(const struct close_order *order, const char *expected)
{
    char text[256] = "";
    for (int step = 1; step < order_step_count(order); step++)
        sprintf(text + strlen(text), "%s ", order_step_label(order_step_at(order, step)).text);
    assert_string_equal(text, expected);
}

static void the_steps_are_those_that_were_promised(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state);
        assert_steps(&made.order, rows[i].steps);
    }
}

static void on_the_other_side_the_parts_are_exchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state), mirrored;
        if (!rows[i].has_mirror)
            continue;
        assert_int_equal(kept_state_make(rows[i].state, side_other(rows[i].side), &mirrored), 0);
        assert_int_equal(mirrored.side, side_other(rows[i].side));
        assert_steps(&mirrored.order, rows[i].mirrored);
        for (int step = 1; step < order_step_count(&made.order); step++)
            for (int side = 0; side < SIDE_COUNT; side++)
                assert_int_equal(order_step_at(&mirrored.order, step)->expect[side],
                                 order_step_at(&made.order, step)->expect[side_other((enum side)side)]);
    }
}

static void its_last_step_expects_it_of_every_end_of_its_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct kept_state made;
            if (kept_state_make(rows[i].state, (enum side)side, &made) != 0)
                continue;
            uint32_t expected = last_step(&made.order)->expect[side];
            /* CLOSE is in no table. */
            assert_int_equal(expected, STATE_SET(rows[i].state == STATE_CLOSE ? STATE_GONE : rows[i].state));
        }
}

/* Else the kernel would end FIN_WAIT2 after tcp_fin_timeout, and the descriptor of a ghost would be gone. */
static void who_keeps_a_state_keeps_its_descriptor(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct kept_state made;
            int step;
            if (kept_state_make(rows[i].state, (enum side)side, &made) != 0)
                continue;
            bool closed =
                order_side_closed(&made.order, order_step_count(&made.order) - 1, (enum side)side, &step);
            assert_int_equal(closed, rows[i].state == STATE_TIME_WAIT);
            assert_false(order_leaves_orphans(&made.order));
        }
}

static void each_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state);
        assert_true(strlen(made.order.summary) > 5);
        assert_true(strlen(made.order.meaning) > 20);
    }
}

static void those_that_are_sent_again_and_again_name_what_ends_that(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state);
        uint32_t sending = STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_SYN_RECV) |
                           STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_CLOSING) | STATE_SET(STATE_LAST_ACK);
        assert_int_equal(made.given_up_by != NULL, state_set_has(sending, rows[i].state));
        if (made.given_up_by != NULL)
            assert_contains(made.given_up_by, "net.ipv4.tcp_");
    }
}

static void only_time_wait_has_a_clock_that_nothing_stretches(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(usual(rows[i].state).lasts_at_most_ms,
                         rows[i].state == STATE_TIME_WAIT ? TIME_WAIT_LENGTH_MS : 0);
}

static void those_that_drop_need_a_filter(void **state)
{
    (void)state;
    uint32_t dropping = STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_SYN_RECV) | STATE_SET(STATE_FIN_WAIT1) |
                        STATE_SET(STATE_CLOSING) | STATE_SET(STATE_LAST_ACK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kept_state made = usual(rows[i].state);
        assert_int_equal(order_needs_filter(&made.order), state_set_has(dropping, rows[i].state));
        assert_null(made.order.needs.sysctl);
    }
}

/* ---- how many a look shows ---- */

static void those_of_its_side_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].state == STATE_CLOSE)
            continue;
        struct kept_state made = usual(rows[i].state);
        struct histogram sides[SIDE_COUNT] = {0};
        assert_int_equal(kept_state_reached(&made, sides), 0);
        sides[rows[i].side].of[rows[i].state] = CONNS;
        sides[side_other(rows[i].side)].of[rows[i].state] = 7;
        sides[rows[i].side].ghosts = 3;
        assert_int_equal(kept_state_reached(&made, sides), CONNS);
    }
}

static void of_the_other_side_those_over_there(void **state)
{
    (void)state;
    struct kept_state made;
    struct histogram sides[SIDE_COUNT] = {0};
    assert_int_equal(kept_state_make(STATE_CLOSE_WAIT, SIDE_CLIENT, &made), 0);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 7;
    sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT] = CONNS;
    assert_int_equal(kept_state_reached(&made, sides), CONNS);
}

static void of_close_the_ghosts(void **state)
{
    (void)state;
    struct kept_state made = usual(STATE_CLOSE);
    struct histogram sides[SIDE_COUNT] = {0};
    sides[SIDE_SERVER].of[STATE_CLOSE] = 7; /* bound and nothing else: not ours */
    sides[SIDE_SERVER].ghosts = CONNS;
    sides[SIDE_CLIENT].ghosts = 3;
    assert_int_equal(kept_state_reached(&made, sides), CONNS);
    assert_int_equal(kept_state_make(STATE_CLOSE, SIDE_CLIENT, &made), 0);
    assert_int_equal(kept_state_reached(&made, sides), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_eleven_are_there_in_the_order_of_a_life),
        cmocka_unit_test(each_is_kept_on_its_usual_side),
        cmocka_unit_test(the_usual_side_may_be_named),
        cmocka_unit_test(the_other_side_is_refused_where_it_is_never_in_that_state),
        cmocka_unit_test(gone_is_no_state_to_be_kept),
        cmocka_unit_test(the_steps_are_those_that_were_promised),
        cmocka_unit_test(on_the_other_side_the_parts_are_exchanged),
        cmocka_unit_test(its_last_step_expects_it_of_every_end_of_its_side),
        cmocka_unit_test(who_keeps_a_state_keeps_its_descriptor),
        cmocka_unit_test(each_says_what_it_is),
        cmocka_unit_test(those_that_are_sent_again_and_again_name_what_ends_that),
        cmocka_unit_test(only_time_wait_has_a_clock_that_nothing_stretches),
        cmocka_unit_test(those_that_drop_need_a_filter),
        cmocka_unit_test(those_of_its_side_are_counted),
        cmocka_unit_test(of_the_other_side_those_over_there),
        cmocka_unit_test(of_close_the_ghosts),
    };
    return cmocka_run_group_tests_name("kept_state", tests, NULL, NULL);
}
