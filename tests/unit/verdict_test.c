#include "unit.h"

#include "storm/verdict.h"

#include <stdlib.h>

/* A run of server-first that went as expected; each test changes what it is about. */
struct run {
    struct verdict_input input;
    struct histogram sides[SIDE_COUNT];
    struct kernel_counters moved;
};

static int start_run(void **state)
{
    struct run *run = calloc(1, sizeof *run);
    run->input = (struct verdict_input){
        .order = close_order_find("server-first"),
        .outcome = OUTCOME_AS_EXPECTED,
        .difference = "",
        .fault = "",
        .step = "client-close",
        .opened = 5000,
        .sides = run->sides,
        .fin_timeout_ms = 60000,
        .moved = &run->moved,
    };
    *state = run;
    return 0;
}

static int end_run(void **state)
{
    free(*state);
    return 0;
}

static void assert_says(const struct run *run, const char *part)
{
    struct verdict verdict = verdict_of(&run->input);
    assert_contains(verdict.text, part);
}

static void assert_does_not_say(const struct run *run, const char *part)
{
    struct verdict verdict = verdict_of(&run->input);
    assert_lacks(verdict.text, part);
}

static void as_expected_says_what_the_order_means(void **state)
{
    struct run *run = *state;
    assert_says(run, "As expected");
    assert_says(run, run->input.order->meaning);
}

static void a_difference_is_told_with_its_step(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "server side: 3 CLOSING where TIME_WAIT was expected";
    assert_says(run, "client-close: server side: 3 CLOSING where TIME_WAIT was expected");
    assert_does_not_say(run, "As expected");
}

static void a_fault_is_told_with_its_step(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_FAULT;
    run->input.fault = "a worker was killed";
    run->input.sides = NULL;
    assert_says(run, "client-close: a worker was killed");
    assert_does_not_say(run, "As expected");
}

static void an_interruption_is_told_with_its_step(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_INTERRUPTED;
    assert_says(run, "Interrupted at client-close");
    assert_does_not_say(run, "As expected");
}

static void close_wait_on_the_server_says_what_the_server_owes(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 5000;
    assert_says(run, "The server owes 5,000 close()");
    assert_does_not_say(run, "The client owes");
}

static void close_wait_on_the_client_says_what_the_client_owes(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT] = 17;
    assert_says(run, "The client owes 17 close()");
    assert_does_not_say(run, "The server owes");
}

static void nobody_owes_a_close_without_close_wait(void **state)
{
    assert_does_not_say(*state, "owes");
}

static void time_wait_says_where_it_stays_and_how_long(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 5000;
    assert_says(run, "5,000 TIME_WAIT stay on the server");
    assert_says(run, "60 s");
}

static void time_wait_on_both_sides_is_told_for_each(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 4000;
    run->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = 1001;
    assert_says(run, "4,000 on the server");
    assert_says(run, "1,001 on the client");
}

static void an_orphaned_fin_wait2_says_when_it_ends(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_CLIENT].of[STATE_FIN_WAIT2] = 12;
    run->input.fin_timeout_ms = 90000;
    assert_says(run, "12 FIN_WAIT2 on the client");
    assert_says(run, "1m30s (net.ipv4.tcp_fin_timeout)");
}

static void a_fin_wait2_with_its_descriptor_is_no_orphan(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_CLIENT].of[STATE_FIN_WAIT2] = 12;
    run->input.fds[SIDE_CLIENT] = 12;
    assert_does_not_say(run, "tcp_fin_timeout");
}

static void leaked_descriptors_are_counted_per_side(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = run->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 5000;
    run->input.fds[SIDE_SERVER] = run->input.fds[SIDE_CLIENT] = 5000;
    assert_says(run, "10,000 descriptors were still open at the end (server 5,000, client 5,000)");
}

static void no_descriptors_no_word_of_them(void **state)
{
    assert_does_not_say(*state, "descriptors");
}

static void a_counter_that_means_trouble_is_named_with_its_meaning(void **state)
{
    struct run *run = *state;
    run->moved.value[COUNTER_TIME_WAIT_OVERFLOW] = 1234;
    assert_says(run, "TCPTimeWaitOverflow moved by 1,234: ");
    assert_says(run, kernel_counter_meaning(COUNTER_TIME_WAIT_OVERFLOW));
}

static void a_reset_that_the_order_asked_for_is_no_news(void **state)
{
    struct run *run = *state;
    run->moved.value[COUNTER_ABORT_ON_DATA] = 5000;
    assert_does_not_say(run, "TCPAbortOnData");
}

static void a_reset_is_news_when_the_run_differs(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "server side: 5,000 gone where TIME_WAIT was expected";
    run->moved.value[COUNTER_ABORT_ON_DATA] = 5000;
    assert_says(run, "TCPAbortOnData moved by 5,000: ");
}

static void a_counter_that_did_not_move_is_not_named(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "something";
    assert_does_not_say(run, "counter");
}

static void clocks_that_ran_out_are_told(void **state)
{
    struct run *run = *state;
    run->input.aged = true;
    run->input.fin_timeout_ms = 2000;
    assert_says(run, "clocks ran out");
    assert_says(run, "after 2s (net.ipv4.tcp_fin_timeout)");
}

static void a_late_close_is_told(void **state)
{
    struct run *run = *state;
    run->input.late_close = true;
    assert_says(run, "answered by RST");
}

static void a_run_within_the_clocks_says_nothing_of_them(void **state)
{
    assert_does_not_say(*state, "clocks");
    assert_does_not_say(*state, "RST");
}

static void an_assassinated_time_wait_is_told(void **state)
{
    struct run *run = *state;
    run->input.assassinated = 3;
    run->moved.value[COUNTER_OUT_RSTS] = 4;
    assert_says(run, "3 TIME_WAIT ended early");
    assert_says(run, "RFC 1337");
}

static void sentences_are_one_a_line(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 5000;
    struct verdict verdict = verdict_of(&run->input);
    assert_true(verdict.text[strlen(verdict.text) - 1] != '\n');
    assert_contains(verdict.text, "\n5,000 TIME_WAIT");
    assert_lacks(verdict.text, "\n\n");
}

static void a_verdict_of_everything_at_once_is_cut_not_overrun(void **state)
{
    struct run *run = *state;
    char difference[3000];
    memset(difference, 'd', sizeof difference - 1);
    difference[sizeof difference - 1] = '\0';
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = difference;
    run->input.aged = run->input.late_close = true;
    for (int i = 0; i < COUNTER_COUNT; i++)
        run->moved.value[i] = INT64_MAX;
    for (int i = 0; i < STATE_COUNT; i++)
        run->sides[SIDE_SERVER].of[i] = run->sides[SIDE_CLIENT].of[i] = INT32_MAX;
    struct verdict verdict = verdict_of(&run->input);
    assert_int_equal(strnlen(verdict.text, sizeof verdict.text), sizeof verdict.text - 1);
}

static void all_troubles_at_once_fit(void **state)
{
    struct run *run = *state;
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "server side: 5,000 gone where TIME_WAIT was expected";
    for (int i = 0; i < COUNTER_COUNT; i++)
        run->moved.value[i] = 123456;
    assert_says(run, kernel_counter_meaning((enum kernel_counter)(COUNTER_COUNT - 1)));
}

static void every_outcome_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(outcome_name(OUTCOME_AS_EXPECTED), "as expected");
    assert_string_equal(outcome_name(OUTCOME_DIFFERS), "differs");
    assert_string_equal(outcome_name(OUTCOME_FAULT), "fault");
    assert_string_equal(outcome_name(OUTCOME_INTERRUPTED), "interrupted");
}

#define test_of_run(name) cmocka_unit_test_setup_teardown(name, start_run, end_run)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of_run(as_expected_says_what_the_order_means),
        test_of_run(a_difference_is_told_with_its_step),
        test_of_run(a_fault_is_told_with_its_step),
        test_of_run(an_interruption_is_told_with_its_step),
        test_of_run(close_wait_on_the_server_says_what_the_server_owes),
        test_of_run(close_wait_on_the_client_says_what_the_client_owes),
        test_of_run(nobody_owes_a_close_without_close_wait),
        test_of_run(time_wait_says_where_it_stays_and_how_long),
        test_of_run(time_wait_on_both_sides_is_told_for_each),
        test_of_run(an_orphaned_fin_wait2_says_when_it_ends),
        test_of_run(a_fin_wait2_with_its_descriptor_is_no_orphan),
        test_of_run(leaked_descriptors_are_counted_per_side),
        test_of_run(no_descriptors_no_word_of_them),
        test_of_run(a_counter_that_means_trouble_is_named_with_its_meaning),
        test_of_run(a_reset_that_the_order_asked_for_is_no_news),
        test_of_run(a_reset_is_news_when_the_run_differs),
        test_of_run(a_counter_that_did_not_move_is_not_named),
        test_of_run(clocks_that_ran_out_are_told),
        test_of_run(a_late_close_is_told),
        test_of_run(a_run_within_the_clocks_says_nothing_of_them),
        test_of_run(an_assassinated_time_wait_is_told),
        test_of_run(sentences_are_one_a_line),
        test_of_run(a_verdict_of_everything_at_once_is_cut_not_overrun),
        test_of_run(all_troubles_at_once_fit),
        cmocka_unit_test(every_outcome_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
