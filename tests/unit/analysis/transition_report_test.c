#include "../unit.h"

#include "analysis/transition_report.h"

static struct transition_counts counts;

static struct transition_report report_of(enum events_level level)
{
    return (struct transition_report){.level = level,
                                      .lack = "small sockets are not seen",
                                      .counts = &counts,
                                      .conns = 1000,
                                      .agreed = 3,
                                      .compared = 3};
}

static int fresh(void **state)
{
    (void)state;
    memset(&counts, 0, sizeof counts);
    counts.sampled_one_in = 16;
    counts.side[SIDE_SERVER].moved[STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY] = 1000;
    counts.side[SIDE_SERVER].moved[STATE_CLOSE_WAIT][STATE_LAST_ACK][WHY_ORDERLY] = 1000;
    return 0;
}

static void arrows_of_the_diagram_are_said_to_be_all(void **state)
{
    (void)state;
    struct dwell *dwell = &counts.side[SIDE_SERVER].dwell[STATE_CLOSE_WAIT];
    dwell->in[12] = 60; /* 2 to 4 ms */
    dwell->in[26] = 2;
    dwell->longest_ns = 40000000000;
    struct transition_report report = report_of(EVENTS_ALL);
    assert_string_equal(
        transition_sentences(&report).text,
        "1,000 connections made 2,000 transitions, every one an arrow of RFC 9293's diagram, 0 "
        "outside. CLOSE_WAIT on the server: p50 3.1 ms, p99 40 s.\n"
        "The event counts and the kernel's tables agree at 3 of 3 settled steps.");
}

static void what_is_no_arrow_is_named_with_its_number(void **state)
{
    (void)state;
    counts.side[SIDE_CLIENT].moved[STATE_ESTABLISHED][STATE_GONE][WHY_RESET] = 7;
    counts.side[SIDE_CLIENT].moved[STATE_ESTABLISHED][STATE_GONE][WHY_ORDERLY] = 6;
    counts.side[SIDE_CLIENT].moved[STATE_SYN_SENT][STATE_GONE][WHY_TIMED_OUT] = 5;
    counts.side[SIDE_CLIENT].moved[STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY] = 4;
    counts.side[SIDE_CLIENT].moved[STATE_LAST_ACK][STATE_LISTEN][WHY_ORDERLY] = 3;
    counts.retransmitted = 1;
    counts.resets_sent = 6;
    counts.resets_received = 7;
    struct transition_report report = report_of(EVENTS_ALL);
    const struct transition_text text = transition_summary(&report);
    assert_contains(text.text, "2,025 transitions, 2,000 of them arrows of RFC 9293's diagram");
    assert_contains(text.text, "7 ended by an RST");
    assert_contains(text.text, "6 given up by their own side (ABORT)");
    assert_contains(text.text, "5 given up because nobody answered");
    assert_contains(text.text, "4 with TIME_WAIT left out or cut short");
    assert_contains(text.text, "3 outside: 3 from LAST_ACK to LISTEN on the client.");
    assert_contains(text.text, "1 segment was sent again.");
    assert_contains(text.text, "RST: 6 sent, 7 received.");
}

static void what_is_not_counted_and_what_was_missed_is_said(void **state)
{
    (void)state;
    counts.unheard = 64;
    counts.holes = 2;
    counts.side[SIDE_SERVER].moved[STATE_FIN_WAIT2][STATE_GONE][WHY_ORDERLY] = 4;
    struct transition_report report = report_of(EVENTS_STATES);
    report.agreed = 2;
    const struct transition_text text = transition_sentences(&report);
    assert_contains(text.text, "4 handed over to minisockets");
    assert_contains(text.text, "agree at only 2 of 3 settled steps");
    assert_contains(text.text, "The counts are incomplete: small sockets are not seen.");
    assert_contains(text.text, "reports 64 missed events: the counts are lower bounds");
    assert_contains(text.text, "2 of the sockets followed left a state other than");
    assert_true(transitions_were_missed(&counts));
}

static void where_nothing_could_be_compared_no_agreement_is_claimed(void **state)
{
    (void)state;
    struct transition_report report = report_of(EVENTS_ALL);
    report.agreed = report.compared = 0;
    const struct transition_text text = transition_sentences(&report);
    assert_contains(text.text, "No settled step was quiet enough");
    assert_lacks(text.text, "agree");
}

static void too_few_in_time_wait_differ(void **state)
{
    (void)state;
    static struct order_transitions expected;
    struct difference difference;
    memset(&expected, 0, sizeof expected);
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                expected.of[side][from][to][WHY_ORDERLY].most = 2000;
    expected.to_time_wait = (struct transition_range){1000, 2000};
    struct transition_report report = report_of(EVENTS_ALL);
    assert_false(transitions_are_as_expected(&report, &expected, &difference));
    assert_string_equal(difference.text,
                        "0 entered TIME_WAIT on both sides together where the order expects 1,000 to 2,000");
    counts.side[SIDE_CLIENT].moved[STATE_FIN_WAIT2][STATE_TIME_WAIT][WHY_ORDERLY] = 1000;
    assert_true(transitions_are_as_expected(&report, &expected, &difference));
}

/* At a level that sees no small sockets those are as the last look had them. */
static void a_gauge_is_of_the_states_that_are_seen(void **state)
{
    (void)state;
    const struct histogram looked[SIDE_COUNT] = {
        {.of = {[STATE_ESTABLISHED] = 1000}},
        {.of = {[STATE_CLOSE_WAIT] = 900, [STATE_FIN_WAIT2] = 7, [STATE_TIME_WAIT] = 5},
         .unread = 800,
         .unowned = 3,
         .owned = 907,
         .half_closed = 7},
    };
    struct histogram sides[SIDE_COUNT];
    counts.side[SIDE_SERVER].now[STATE_CLOSE_WAIT] = 400;
    counts.side[SIDE_SERVER].now[STATE_ESTABLISHED] = 600;
    counts.side[SIDE_CLIENT].now[STATE_CLOSE_WAIT] = 500;
    counts.side[SIDE_CLIENT].now[STATE_FIN_WAIT2] = 2;
    transitions_gauge(&counts, EVENTS_STATES, looked, sides);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_CLOSE_WAIT], 400);
    assert_int_equal(sides[SIDE_SERVER].of[STATE_ESTABLISHED], 600);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_FIN_WAIT2], 7);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_TIME_WAIT], 5);
    assert_int_equal(sides[SIDE_CLIENT].unread, 500);
    assert_int_equal(sides[SIDE_CLIENT].unowned, 3);
    transitions_gauge(&counts, EVENTS_ALL, looked, sides);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_FIN_WAIT2], 2);
    assert_int_equal(sides[SIDE_CLIENT].of[STATE_TIME_WAIT], 0);
    assert_int_equal(sides[SIDE_CLIENT].half_closed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(arrows_of_the_diagram_are_said_to_be_all, fresh),
        cmocka_unit_test_setup(what_is_no_arrow_is_named_with_its_number, fresh),
        cmocka_unit_test_setup(what_is_not_counted_and_what_was_missed_is_said, fresh),
        cmocka_unit_test_setup(where_nothing_could_be_compared_no_agreement_is_claimed, fresh),
        cmocka_unit_test_setup(too_few_in_time_wait_differ, fresh),
        cmocka_unit_test_setup(a_gauge_is_of_the_states_that_are_seen, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
