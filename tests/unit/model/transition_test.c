#include "../unit.h"

#include "model/dwell_time.h"
#include "model/transition.h"

/* Figure 5 of RFC 9293, by hand: every arrow, in Linux's names. The first two are a connection's and the
 * listener's way out of CLOSED. */
static const enum tcp_state figure[][2] = {
    {STATE_GONE, STATE_LISTEN},           {STATE_GONE, STATE_SYN_SENT},
    {STATE_GONE, STATE_SYN_RECV},         {STATE_LISTEN, STATE_GONE},
    {STATE_LISTEN, STATE_SYN_SENT},       {STATE_LISTEN, STATE_SYN_RECV},
    {STATE_SYN_RECV, STATE_LISTEN},       {STATE_SYN_RECV, STATE_ESTABLISHED},
    {STATE_SYN_RECV, STATE_FIN_WAIT1},    {STATE_SYN_SENT, STATE_GONE},
    {STATE_SYN_SENT, STATE_SYN_RECV},     {STATE_SYN_SENT, STATE_ESTABLISHED},
    {STATE_ESTABLISHED, STATE_FIN_WAIT1}, {STATE_ESTABLISHED, STATE_CLOSE_WAIT},
    {STATE_FIN_WAIT1, STATE_FIN_WAIT2},   {STATE_FIN_WAIT1, STATE_CLOSING},
    {STATE_FIN_WAIT1, STATE_TIME_WAIT},   {STATE_FIN_WAIT2, STATE_TIME_WAIT},
    {STATE_CLOSING, STATE_TIME_WAIT},     {STATE_CLOSE_WAIT, STATE_LAST_ACK},
    {STATE_LAST_ACK, STATE_GONE},         {STATE_TIME_WAIT, STATE_GONE},
};

static bool is_drawn(enum tcp_state from, enum tcp_state to)
{
    for (size_t i = 0; i < COUNT_OF(figure); i++)
        if (figure[i][0] == from && figure[i][1] == to)
            return true;
    return false;
}

/* What a connection that ends without an arrow of the figure ends by. */
static enum transition_kind end_of(enum side side, enum tcp_state from, enum transition_why why)
{
    const uint32_t live = STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_SYN_RECV) |
                          STATE_SET(STATE_ESTABLISHED) | STATE_SET(STATE_FIN_WAIT1) |
                          STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_CLOSE_WAIT) |
                          STATE_SET(STATE_CLOSING) | STATE_SET(STATE_LAST_ACK);
    const uint32_t aborted = STATE_SET(STATE_SYN_RECV) | STATE_SET(STATE_ESTABLISHED) |
                             STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_CLOSE_WAIT);
    const uint32_t shortened = STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_CLOSING);
    if (why == WHY_RESET && from == STATE_SYN_RECV && side == SIDE_SERVER)
        return TRANSITION_DIAGRAM;
    if (why == WHY_RESET && from == STATE_TIME_WAIT)
        return TRANSITION_SHORTENED;
    if (why == WHY_TIMED_OUT && from == STATE_FIN_WAIT2)
        return TRANSITION_SHORTENED;
    if (why == WHY_DESTROYED)
        return TRANSITION_OUTSIDE;
    if (why == WHY_UNACKNOWLEDGED)
        return from == STATE_LAST_ACK ? TRANSITION_ABORT : TRANSITION_OUTSIDE;
    if (why == WHY_RESET)
        return state_set_has(live, from) ? TRANSITION_RESET : TRANSITION_OUTSIDE;
    if (why == WHY_TIMED_OUT)
        return state_set_has(live, from) ? TRANSITION_UNANSWERED : TRANSITION_OUTSIDE;
    return state_set_has(aborted, from)     ? TRANSITION_ABORT
           : state_set_has(shortened, from) ? TRANSITION_SHORTENED
                                            : TRANSITION_OUTSIDE;
}

/* All 12 x 12 x 2 x 5. */
static void every_move_is_an_arrow_or_another_known_end_or_outside(void **state)
{
    (void)state;
    int drawn = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int why = 0; why < WHY_COUNT; why++) {
                    bool is_arrow = why == WHY_ORDERLY && is_drawn((enum tcp_state)from, (enum tcp_state)to);
                    enum transition_kind expected =
                        is_arrow ? TRANSITION_DIAGRAM
                        : to == STATE_GONE
                            ? end_of((enum side)side, (enum tcp_state)from, (enum transition_why)why)
                            : TRANSITION_OUTSIDE;
                    enum transition_kind kind =
                        transition_kind((enum side)side, (enum tcp_state)from, (enum tcp_state)to,
                                        (enum transition_why)why, true);
                    if (kind != expected)
                        print_error("%s %s to %s, %s: %s, expected %s\n", side_name((enum side)side),
                                    tcp_state_name((enum tcp_state)from), tcp_state_name((enum tcp_state)to),
                                    transition_why_name((enum transition_why)why), transition_kind_name(kind),
                                    transition_kind_name(expected));
                    assert_int_equal(kind, expected);
                    drawn += kind == TRANSITION_DIAGRAM;
                    const char *event = transition_event((enum side)side, (enum tcp_state)from,
                                                         (enum tcp_state)to, (enum transition_why)why);
                    assert_int_equal(event[0] != '\0', kind != TRANSITION_OUTSIDE);
                }
    assert_int_equal(drawn, 2 * COUNT_OF(figure) + 1); /* and note 1's RST, on the server's side */
}

static void what_no_tcp_does_is_outside(void **state)
{
    (void)state;
    static const enum tcp_state moves[][2] = {
        {STATE_ESTABLISHED, STATE_LAST_ACK}, {STATE_CLOSE_WAIT, STATE_ESTABLISHED},
        {STATE_CLOSE_WAIT, STATE_TIME_WAIT}, {STATE_FIN_WAIT2, STATE_CLOSING},
        {STATE_GONE, STATE_ESTABLISHED},     {STATE_TIME_WAIT, STATE_ESTABLISHED}};
    for (size_t i = 0; i < COUNT_OF(moves); i++)
        assert_int_equal(transition_kind(SIDE_CLIENT, moves[i][0], moves[i][1], WHY_ORDERLY, true),
                         TRANSITION_OUTSIDE);
}

/* Where small sockets are not counted, the kernel's handing over to one is no end. */
static void a_small_socket_that_is_not_seen_is_no_shortened_life(void **state)
{
    (void)state;
    assert_int_equal(transition_kind(SIDE_SERVER, STATE_FIN_WAIT2, STATE_GONE, WHY_ORDERLY, false),
                     TRANSITION_UNSEEN);
    assert_int_equal(transition_kind(SIDE_SERVER, STATE_CLOSING, STATE_GONE, WHY_ORDERLY, false),
                     TRANSITION_UNSEEN);
    assert_int_equal(transition_kind(SIDE_SERVER, STATE_FIN_WAIT2, STATE_GONE, WHY_RESET, false),
                     TRANSITION_RESET);
}

static void sums_are_over_sides_states_and_reasons(void **state)
{
    (void)state;
    struct transition_counts counts = {.sampled_one_in = 1};
    counts.side[SIDE_SERVER].moved[STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY] = 5;
    counts.side[SIDE_SERVER].moved[STATE_ESTABLISHED][STATE_GONE][WHY_RESET] = 3;
    counts.side[SIDE_SERVER].moved[STATE_ESTABLISHED][STATE_GONE][WHY_ORDERLY] = 2;
    counts.side[SIDE_CLIENT].moved[STATE_ESTABLISHED][STATE_LAST_ACK][WHY_ORDERLY] = 1;
    assert_int_equal(transitions_in_all(&counts), 11);
    assert_int_equal(transitions_between(&counts.side[SIDE_SERVER], STATE_ESTABLISHED, STATE_GONE), 5);
    assert_int_equal(transitions_of_kind(&counts, TRANSITION_DIAGRAM, true), 5);
    assert_int_equal(transitions_of_kind(&counts, TRANSITION_RESET, true), 3);
    assert_int_equal(transitions_of_kind(&counts, TRANSITION_ABORT, true), 2);
    assert_int_equal(transitions_of_kind(&counts, TRANSITION_OUTSIDE, true), 1);
}

static void what_came_since_is_the_difference(void **state)
{
    (void)state;
    struct transition_counts before = {.unheard = 2, .retransmitted = 1}, now;
    struct dwell *old = &before.side[SIDE_CLIENT].dwell[STATE_CLOSE_WAIT];
    before.side[SIDE_CLIENT].now[STATE_TIME_WAIT] = 7;
    old->in[20] = 3;
    old->longest_ns = 900000000;
    now = before;
    now.unheard = 5;
    now.side[SIDE_CLIENT].now[STATE_TIME_WAIT] = 10;
    now.side[SIDE_CLIENT].dwell[STATE_CLOSE_WAIT].in[2] = 4;
    struct transition_counts since = transitions_since(&now, &before);
    assert_int_equal(since.unheard, 3);
    assert_int_equal(since.retransmitted, 0);
    assert_int_equal(since.side[SIDE_CLIENT].now[STATE_TIME_WAIT], 3);
    assert_int_equal(dwell_sampled(&since.side[SIDE_CLIENT].dwell[STATE_CLOSE_WAIT]), 4);
    /* An earlier socket was the longest: of these no more is known than their bucket. */
    assert_int_equal(since.side[SIDE_CLIENT].dwell[STATE_CLOSE_WAIT].longest_ns, 4000);
}

/* ---- dwell times ---- */

static void quantiles_are_within_their_bucket(void **state)
{
    (void)state;
    struct dwell dwell = {.longest_ns = 40000000000};
    dwell.in[0] = 90;  /* 0.5 to 1 us */
    dwell.in[26] = 10; /* 33.5 to 67 s */
    assert_true(dwell_quantile_s(&dwell, 0.5) > 0.5e-6 && dwell_quantile_s(&dwell, 0.5) <= 1e-6);
    assert_true(dwell_quantile_s(&dwell, 0.99) > 33 && dwell_quantile_s(&dwell, 0.99) <= 40);
    assert_true(dwell_longest_s(&dwell) == 40);
}

static void where_none_has_left_there_is_no_time(void **state)
{
    (void)state;
    struct dwell dwell = {.longest_ns = 0};
    assert_true(dwell_quantile_s(&dwell, 0.5) < 0);
    assert_true(dwell_longest_s(&dwell) < 0);
}

static void times_are_told_in_their_unit(void **state)
{
    (void)state;
    assert_string_equal(dwell_text_of(57e-6).text, "57 us");
    assert_string_equal(dwell_text_of(0.003).text, "3.0 ms");
    assert_string_equal(dwell_text_of(40).text, "40 s");
    assert_string_equal(dwell_text_of(600).text, "10 min");
    assert_string_equal(dwell_text_of(36000).text, "10 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_is_an_arrow_or_another_known_end_or_outside),
        cmocka_unit_test(what_no_tcp_does_is_outside),
        cmocka_unit_test(a_small_socket_that_is_not_seen_is_no_shortened_life),
        cmocka_unit_test(sums_are_over_sides_states_and_reasons),
        cmocka_unit_test(what_came_since_is_the_difference),
        cmocka_unit_test(quantiles_are_within_their_bucket),
        cmocka_unit_test(where_none_has_left_there_is_no_time),
        cmocka_unit_test(times_are_told_in_their_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
