#include "../unit.h"

#include "analysis/verdict.h"

#include <errno.h>
#include <stdlib.h>

/* A run of server-first that went as expected; each test changes what it is about. */
struct run {
    struct verdict_input input;
    struct experiment experiment;
    struct histogram sides[SIDE_COUNT];
    struct kernel_counters moved;
    struct lingering lingering;
    struct flow_settings asked;
    struct timeline timeline;
    struct flow_report flow;
};

static struct flow_report *put_flow(struct run *run);

static int start_run(void **state)
{
    struct run *run = calloc(1, sizeof *run);
    run->experiment = experiment_of_order(close_order_find("server-first"));
    run->input = (struct verdict_input){
        .experiment = &run->experiment,
        .outcome = OUTCOME_AS_EXPECTED,
        .difference = "",
        .fault = "",
        .step = "client-close",
        .opened = 5000,
        .sides = run->sides,
        .fin_timeout_ms = 60000,
        .moved = &run->moved,
        .has_own_namespace = true,
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
    assert_says(run, run->experiment.meaning);
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
    assert_says(run, "5,000 TIME_WAIT stay for 60 s on the server");
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
    assert_says(run, "TCPTimeWaitOverflow rose by 1,234: ");
    assert_says(run, kernel_counter_meaning(COUNTER_TIME_WAIT_OVERFLOW));
}

/* They may be those of any program on the machine. */
static void a_run_that_is_fine_names_no_counter_of_others(void **state)
{
    struct run *run = *state;
    run->input.has_own_namespace = false;
    for (int i = 0; i < COUNTER_COUNT; i++)
        run->moved.value[i] = 7;
    assert_does_not_say(run, "ounter");
    put_flow(run);
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 5000;
    assert_does_not_say(run, "ounter");
    timeline_note(&run->timeline, STAGE_SYN_DROPPED, 5, 3);
    assert_says(run, "Kernel counter ListenOverflows rose by 7: ");
    assert_says(run, "including those of other programs");
    run->input.has_own_namespace = true;
    assert_does_not_say(run, "softnet");
    assert_does_not_say(run, "including those of other programs");
}

static void a_run_that_differs_says_whose_the_counters_are(void **state)
{
    struct run *run = *state;
    run->input.has_own_namespace = false;
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "something";
    assert_does_not_say(run, "other programs");
    run->moved.value[COUNTER_SOFTNET_DROPPED] = 1;
    assert_says(run, "softnet_dropped rose by 1: ");
    assert_says(
        run,
        "The counters cover all connections in this network namespace, including those of other programs.");
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
    assert_says(run, "TCPAbortOnData rose by 5,000: ");
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
    assert_says(run, "Kernel timers expired");
    assert_says(run, "after 2s (net.ipv4.tcp_fin_timeout)");
}

static void a_late_close_is_told(void **state)
{
    struct run *run = *state;
    run->input.late_close = true;
    assert_says(run, "answered by an RST");
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

/* ---- whose the lingering sockets are ---- */

static void put_class(struct run *run, enum tcp_state state, int64_t count)
{
    run->input.lingering = &run->lingering;
    run->lingering.each[run->lingering.count++] = (struct lingering_class){
        .side = SIDE_SERVER,
        .state = state,
        .owned = true,
        .listed = true,
        .pid = 4711,
        .processes = 1,
        .command = "tcpstorm",
        .count = count,
        .oldest_ms = 1000,
    };
    run->lingering.total += count;
}

static void classes_are_told_one_by_one(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 17;
    put_class(run, STATE_CLOSE_WAIT, 17);
    put_class(run, STATE_ESTABLISHED, 3);
    assert_says(run, "\n17 CLOSE_WAIT on the server: held by tcpstorm pid 4711, ");
    assert_says(run, "\n3 ESTABLISHED on the server: held by tcpstorm pid 4711; ");
    assert_does_not_say(run, "FIN has arrived");
    assert_does_not_say(run, "too small to list");
}

static void strangers_on_the_ports_are_named(void **state)
{
    struct run *run = *state;
    put_class(run, STATE_ESTABLISHED, 3);
    assert_does_not_say(run, "Strangers");
    run->lingering.each[0].listed = false;
    snprintf(run->lingering.each[0].command, sizeof run->lingering.each[0].command, "nc");
    assert_says(
        run,
        "\nAnother program uses the ports of this run: nc pid 4711 has connections there; the counts above "
        "include them.");
    run->lingering.each[0].pid = 0; /* whose they are is not known */
    assert_does_not_say(run, "Strangers");
}

/* A process that inherited them is what the cause is about. */
static void heirs_are_no_strangers(void **state)
{
    struct run *run = *state;
    const struct fault_case fault_case = {
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .owner = OWNER_OTHER}};
    put_class(run, STATE_CLOSE_WAIT, 3);
    run->lingering.each[0].listed = false;
    put_flow(run);
    run->experiment.cause = &fault_case;
    assert_does_not_say(run, "Strangers");
}

static void who_owes_is_told_in_a_sentence(void **state)
{
    struct run *run = *state;
    assert_does_not_say(run, "Nobody owes");
    run->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = run->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 5000;
    assert_says(run, "\nNeither side has closed: 5,000 connections are open.");
}

static void classes_beyond_the_list_are_told_together(void **state)
{
    struct run *run = *state;
    put_class(run, STATE_CLOSE_WAIT, 17);
    run->lingering.total += 1234;
    assert_says(run, "1,234 more, in groups too small to list.");
}

static void where_nobody_was_looked_up_the_counts_speak(void **state)
{
    struct run *run = *state;
    run->input.lingering = &run->lingering;
    run->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 17;
    run->sides[SIDE_CLIENT].of[STATE_FIN_WAIT2] = 17;
    assert_says(run, "The server owes 17 close()");
    assert_says(run, "17 CLOSE_WAIT on the server: the client's FIN has arrived");
    assert_says(run, "17 FIN_WAIT2 on the client have no descriptor any more");
}

static void ghosts_are_told_with_why_a_count_misses_them(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].ghosts = 1020;
    assert_says(run, "1,020 ghosts on the server: descriptors still open on connections that have ended (in "
                     "no table of the kernel), so a count of CLOSE_WAIT misses them.");
    assert_says(run, "\nThe server owes 1,020 close() calls.\n");
    assert_does_not_say(run, "ghosts on the client");
}

/* The kernel keeps a TIME_WAIT by itself: who has its descriptor has the descriptor of something in a table.
 */
static void ghosts_in_time_wait_are_not_said_to_be_in_no_table(void **state)
{
    struct run *run = *state;
    struct histogram *client = &run->sides[SIDE_CLIENT];
    client->ghosts = client->of[STATE_TIME_WAIT] = 5000;
    assert_says(run, "ended (in TIME_WAIT), so");
    client->of[STATE_TIME_WAIT] = 2000;
    assert_says(run, "ended (2,000 in TIME_WAIT, 3,000 in no table of the kernel), so");
    client->ghosts = 1000;
    assert_says(run, "ended (in TIME_WAIT or in no table of the kernel), so");
    run->input.opened = 1999; /* a look that overtook what the workers say */
    client->ghosts = 2000;
    assert_says(run, "ended (in TIME_WAIT), so");
}

static void a_leak_that_was_asked_for_all_at_once_is_told(void **state)
{
    struct run *run = *state;
    run->input.leaked = 20;
    assert_says(run, "leak: 20 of 5,000 sockets, as asked for.");
    run->input.outcome = OUTCOME_DIFFERS;
    run->input.difference = "server side: 0 CLOSE_WAIT where exactly 20 should have leaked";
    assert_does_not_say(run, "as asked for");
}

static void descriptors_of_those_never_accepted_are_nobodys(void **state)
{
    struct run *run = *state;
    run->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 73;
    run->sides[SIDE_SERVER].unowned = 17;
    run->input.fds[SIDE_SERVER] = 56;
    run->input.fds[SIDE_CLIENT] = 20;
    assert_says(run, "20 descriptors were still open at the end (server 0, client 20)");
}

/* ---- connections that came one by one ---- */

/* 30,000 of them came in time, and what the server holds stays level. */
static struct flow_report *put_flow(struct run *run)
{
    run->asked = (struct flow_settings){.rate = 500, .duration_ms = 60000, .life_ms = 200};
    run->flow = (struct flow_report){
        .asked = &run->asked,
        .sums[SIDE_SERVER] = {.begun = 30000},
        .sums[SIDE_CLIENT] = {.begun = 30000, .connected = 30000},
        .achieved_rate = 500.04,
        .trend[SIDE_SERVER] = {TREND_PLATEAU, 0.01, -0.2, 0.2, 590, 59, 100, 101},
        .trend[SIDE_CLIENT] = {TREND_PLATEAU, 0.01, -0.2, 0.2, 590, 59, 100, 101},
        .nofile = 20000,
        .at_fault = SIDE_COUNT,
        .timeline = &run->timeline,
    };
    run->input.flow = &run->flow;
    return &run->flow;
}

static void put_leak(struct run *run, enum side side, int64_t held)
{
    struct flow_report *flow = put_flow(run);
    flow->held[side] = held;
    flow->trend[side] = (struct trend){TREND_LEAK, 50, 49.6, 50.4, 590, 59, 0, held};
}

static void all_at_once_has_no_rate_and_no_growth(void **state)
{
    assert_does_not_say(*state, "/s");
    assert_does_not_say(*state, "holds");
}

static void a_rate_that_was_kept_is_told(void **state)
{
    struct run *run = *state;
    put_flow(run);
    assert_says(run, "30,000 clients came, 500.0/s of the 500/s asked for, none late.");
}

static void one_client_has_no_rate(void **state)
{
    struct run *run = *state;
    put_flow(run)->sums[SIDE_CLIENT].begun = 1;
    assert_says(run, "1 client came, none late.");
    assert_does_not_say(run, "asked for");
}

static void late_arrivals_are_told_with_the_latest(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->sums[SIDE_CLIENT].late = 1234;
    flow->sums[SIDE_CLIENT].worst_us = 143499;
    assert_says(run, "asked for, 1,234 late, the latest by 143 ms.");
}

static void those_whose_connect_failed_came_too(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->sums[SIDE_CLIENT].begun = 29000;
    flow->sums[SIDE_CLIENT].errors = flow->sums[SIDE_CLIENT].timeouts = 1000;
    run->asked.connect_timeout_ms = 5000;
    assert_says(run, "30,000 clients came, ");
    assert_says(run, "; 1,000 gave up because connect() had no answer for 5s.");
}

static void those_who_asked_on_a_connection_that_was_there_came_too(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->sums[SIDE_CLIENT].begun = 10;
    flow->sums[SIDE_CLIENT].reused = 90;
    assert_says(run, "100 clients came, ");
    assert_says(run, "90 of them used an open connection again.");
}

static void a_client_that_ran_out_of_ports_is_told_who_has_them(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->sums[SIDE_CLIENT].errors = 7;
    flow->sums[SIDE_CLIENT].error = EADDRNOTAVAIL;
    run->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = 100;
    assert_says(run, "connect() failed 7 times with EADDRNOTAVAIL: the client had no port left: 100 are "
                     "in TIME_WAIT");
}

static void a_plateau_is_no_leak(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->held[SIDE_SERVER] = 100;
    assert_says(run, "\nplateau: what the server holds stays level (0.01/s, 95% confidence -0.20 to 0.20).");
    assert_does_not_say(run, "leak:");
    assert_does_not_say(run, "the client holds");
}

static void a_leak_says_how_many_how_fast_and_until_when(void **state)
{
    struct run *run = *state;
    put_leak(run, SIDE_SERVER, 1500);
    run->flow.nofile = 1900;
    assert_says(run,
                "\nleak: 1,500 of 30,000 connections, +50.0/s, descriptors used up in 8s at that rate. ");
    assert_says(run, "What the server holds grows by 50.0/s (95% confidence 49.6 to 50.4, ");
}

static void descriptors_that_are_gone_are_told_with_their_date(void **state)
{
    struct run *run = *state;
    put_leak(run, SIDE_SERVER, 1024);
    run->flow.nofile = 1024;
    timeline_note(&run->timeline, STAGE_SERVER_EMFILE, 5.4, 1024);
    assert_says(run, "leak: 1,024 of 30,000 connections, +50.0/s, descriptors used up at 5.4 s. ");
    assert_does_not_say(run, "used up in");
}

/* --server-nofile is the server's. */
static void a_leak_of_the_client_is_told_without_the_servers_descriptors(void **state)
{
    struct run *run = *state;
    put_leak(run, SIDE_CLIENT, 1500);
    assert_says(run, "leak: 1,500 of 30,000 connections, +50.0/s. What the client holds grows by 50.0/s");
    assert_says(run, "plateau: what the server holds stays level");
}

static void only_the_side_at_fault_is_told_of(void **state)
{
    struct run *run = *state;
    put_leak(run, SIDE_CLIENT, 1500);
    run->flow.at_fault = SIDE_CLIENT;
    assert_says(run, "leak: 1,500 of 30,000 connections, +50.0/s. What the client holds grows by 50.0/s");
    assert_does_not_say(run, "the server holds");
    run->flow.at_fault = SIDE_SERVER;
    assert_says(run, "plateau: what the server holds stays level");
    assert_does_not_say(run, "the client holds");
}

static void a_growth_of_which_nothing_is_left_is_no_leak(void **state)
{
    struct run *run = *state;
    put_leak(run, SIDE_SERVER, 0);
    assert_says(run, "\nleak: what the server holds grows by 50.0/s");
    assert_does_not_say(run, "of 30,000 connections");
}

static struct fault_case held_by(enum owner_class owner)
{
    return (struct fault_case){
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .owner = owner}};
}

/* Another process's sockets, or no process's, take none of the server's descriptors. */
static void what_the_server_does_not_hold_takes_none_of_its_descriptors(void **state)
{
    struct run *run = *state;
    static const enum owner_class owners[] = {OWNER_OTHER, OWNER_NONE};
    for (size_t i = 0; i < COUNT_OF(owners); i++) {
        struct fault_case fault_case = held_by(owners[i]);
        put_leak(run, SIDE_SERVER, 1500);
        run->flow.nofile = 1900;
        run->experiment.cause = &fault_case;
        assert_says(run, "leak: 1,500 of 30,000 connections, +50.0/s. ");
    }
}

static void a_leak_of_two_descriptors_each_takes_half_as_long(void **state)
{
    struct run *run = *state;
    struct fault_case fault_case = held_by(OWNER_AT_FAULT);
    fault_case.descriptors_each = 2;
    put_leak(run, SIDE_SERVER, 1500);
    run->flow.nofile = 3400;
    run->experiment.cause = &fault_case;
    assert_says(run, "descriptors used up in 4s at that rate.");
}

static void too_few_looks_make_a_sentence_all_the_same(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    flow->trend[SIDE_SERVER] = (struct trend){.kind = TREND_UNKNOWN};
    assert_says(run, "Too few looks to tell");
    assert_does_not_say(run, "holds too few");
}

static void the_timeline_is_told_in_its_order(void **state)
{
    struct run *run = *state;
    put_flow(run);
    timeline_note(&run->timeline, STAGE_CONNECT_SLOW, 10.3, 1012);
    timeline_note(&run->timeline, STAGE_SERVER_EMFILE, 5.4, 1024);
    timeline_note(&run->timeline, STAGE_SYN_DROPPED, 9.2, 3);
    struct verdict verdict = verdict_of(&run->input);
    const char *first = strstr(verdict.text, "\n- 5.4 s: first EMFILE");
    const char *second = strstr(verdict.text, "\n- 9.2 s: first SYN dropped");
    const char *third = strstr(verdict.text, "\n- 10.3 s: connect() takes 1 s");
    assert_true(first != NULL && second != NULL && third != NULL);
    assert_true(first < second && second < third);
}

static void the_slowest_reply_is_told_where_it_was_measured(void **state)
{
    struct run *run = *state;
    struct flow_report *flow = put_flow(run);
    assert_does_not_say(run, "slowest");
    flow->sums[SIDE_CLIENT].slowest_us = 1994321;
    assert_says(run, "The slowest reply took 1.994 s.");
}

static void what_the_client_has_given_up_and_not_closed_is_told(void **state)
{
    struct run *run = *state;
    put_flow(run);
    struct histogram *client = &run->sides[SIDE_CLIENT];
    *client = (struct histogram){.of = {[STATE_SYN_SENT] = 40}, .owned = 40, .abandoned = 100, .ghosts = 60};
    assert_says(run, "The client owes 100 close() calls.");
    assert_says(run, "The client has given up 100 connect() calls and closed none of their descriptors. "
                     "For 40 of them the kernel keeps sending the SYN (net.ipv4.tcp_syn_retries).");
    *client = (struct histogram){.abandoned = 100, .ghosts = 100};
    assert_says(run, "The client has given up 100 connect() calls and closed none of their descriptors.");
    assert_does_not_say(run, "keeps sending");
}

static void replies_that_were_lost_are_counted(void **state)
{
    struct run *run = *state;
    put_flow(run)->sums[SIDE_CLIENT].lost = 1234;
    assert_says(run, "1,234 replies were lost");
}

static void a_signature_is_told_whether_it_was_seen(void **state)
{
    struct run *run = *state;
    const struct fault_case fault_case = {
        .signature = {
            .at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_READ, .owner = OWNER_AT_FAULT}};
    struct flow_report *flow = put_flow(run);
    assert_does_not_say(run, "the bug");
    run->experiment.cause = &fault_case;
    assert_says(
        run, "the bug does not show. Its signature would be: server CLOSE_WAIT, EOF read, held by the server "
             "itself.");
    flow->shows_signature = true;
    assert_says(run, "the bug shows: server CLOSE_WAIT, EOF read, held by the server itself.");
}

/* Whether a new connection or an RST (RFC 1337) ended them is told by the counters. */
static void time_wait_of_a_flow_that_is_gone_is_told(void **state)
{
    struct run *run = *state;
    put_flow(run);
    run->experiment = experiment_of_order(close_order_find("client-first"));
    run->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = 4949;
    run->moved.value[COUNTER_TIME_WAIT_REUSED] = 51;
    assert_says(run,
                "51 TIME_WAIT on the client ended before the run did: 51 gave their port to a new connection "
                "(net.ipv4.tcp_tw_reuse; kernel counter TWRecycled).");
    assert_does_not_say(run, "RST");
    assert_does_not_say(run, "60 s.\n51");
    run->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = 5000;
    assert_does_not_say(run, "ended before the run did");
}

static void only_reasons_that_were_counted_are_offered(void **state)
{
    struct run *run = *state;
    put_flow(run);
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 4992;
    run->moved.value[COUNTER_TIME_WAIT_REUSED] = 8; /* of clients, whose TIME_WAIT this is not */
    assert_says(
        run,
        "8 TIME_WAIT on the server ended before the run did: why they did is not known, because no kernel "
        "counter shows it.");
    assert_does_not_say(run, "TWRecycled");
    run->moved.value[COUNTER_OUT_RSTS] = 3;
    assert_says(
        run,
        ": 3 may have been ended by a late RST (RFC 1337; kernel counter OutRsts), why 5 did is not known");
    run->input.rst_spares_time_wait = true;
    assert_does_not_say(run, "RFC 1337");
    run->moved.value[COUNTER_TIME_WAIT_OVERFLOW] = 100;
    assert_says(run, ": 8 found no room (net.ipv4.tcp_max_tw_buckets; kernel counter TCPTimeWaitOverflow).");
}

/* These had a FIN_WAIT2, and never a TIME_WAIT. */
static void the_other_ends_of_a_leak_had_no_time_wait(void **state)
{
    struct run *run = *state;
    put_flow(run);
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 4980;
    run->moved.value[COUNTER_OUT_RSTS] = 20;
    run->input.leaked = 20;
    assert_does_not_say(run, "ended before the run did");
    run->input.leaked = 15;
    assert_says(run, "5 TIME_WAIT on the server ended before the run did");
}

static void put_keepalive(struct run *run, int64_t ghosts)
{
    run->input.keepalive_s[SIDE_CLIENT] = 1;
    run->sides[SIDE_CLIENT].ghosts = ghosts;
    run->moved.value[COUNTER_KEEPALIVE] = 40;
    run->moved.value[COUNTER_ESTAB_RESETS] = 20;
}

static void keepalive_is_said_to_close_nothing(void **state)
{
    struct run *run = *state;
    put_keepalive(run, 20);
    assert_does_not_say(run, "Keep-alive of"); /* they may have another reason */
    run->input.by_keepalive[SIDE_CLIENT] = true;
    assert_says(run, "As expected, for a run with keep-alive.");
    assert_does_not_say(run, run->experiment.meaning);
    assert_says(
        run,
        "Keep-alive on the client has closed nothing: the last probes (kernel counter TCPKeepAlive rose by "
        "40) were answered by an RST, because the other end was gone, and the kernel removed 20 of its "
        "sockets "
        "from all tables. The descriptors are still open, and the client still owes the close().");
    run->moved.value[COUNTER_ABORT_ON_TIMEOUT] = 20;
    assert_says(run, "were not answered, and the kernel removed 20");
}

/* Others may have reset connections in a flow. */
static void ghosts_of_a_flow_with_keepalive_are_likely_its_doing(void **state)
{
    struct run *run = *state;
    put_flow(run);
    put_keepalive(run, 20);
    assert_says(run, "Keep-alive on the client has closed nothing: it is likely that the last probes");
    run->moved.value[COUNTER_KEEPALIVE] = 0;
    assert_does_not_say(run, "Keep-alive of");
}

static void a_bug_that_keepalive_hides_is_told_so(void **state)
{
    struct run *run = *state;
    const struct fault_case fault_case = {.signature = {.at_fault = SIDE_CLIENT, .state = STATE_CLOSE_WAIT}};
    struct flow_report *flow = put_flow(run);
    run->experiment.cause = &fault_case;
    put_keepalive(run, 0);
    run->input.outcome = OUTCOME_DIFFERS;
    assert_says(run,
                "Keep-alive on the client may be why the bug does not show: it has ended connections (kernel "
                "counter TCPKeepAlive rose by 40, EstabResets by 20)");
    run->input.outcome = OUTCOME_AS_EXPECTED;
    flow->shows_signature = flow->is_shown_by_ghosts = true;
    assert_says(
        run, "As expected, the bug shows, but keep-alive has ended its sockets and left the descriptors: ");
    assert_does_not_say(run, "may be why");
}

/* Nothing says how many there should be: what was counted as taken is told. */
static void the_fix_of_a_cause_tells_what_became_of_its_time_wait(void **state)
{
    struct run *run = *state;
    const struct fault_case fault_case = {.signature = {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT}};
    put_flow(run);
    run->experiment.cause = &fault_case;
    run->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = 4000;
    assert_does_not_say(run, "ended before");
    run->moved.value[COUNTER_TIME_WAIT_REUSED] = 25;
    run->moved.value[COUNTER_OUT_RSTS] = 500;
    assert_says(
        run, "\n25 TIME_WAIT on the client ended before the run did: 25 gave their port to a new connection");
    assert_does_not_say(run, "late RST");
}

static void a_minute_that_is_over_is_a_reason_of_its_own(void **state)
{
    struct run *run = *state;
    put_flow(run);
    run->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 1000;
    run->input.lasted_ms = 59999;
    assert_says(run, "is not known");
    run->input.lasted_ms = 65000;
    assert_says(run, "4,000 TIME_WAIT on the server ended before the run did: 4,000 had lasted their 60 s.");
}

static void what_broke_has_a_heading(void **state)
{
    struct run *run = *state;
    put_flow(run);
    assert_does_not_say(run, "What broke");
    timeline_note(&run->timeline, STAGE_SYN_DROPPED, 9.2, 3);
    assert_says(run, "\nWhat broke, and when it was first seen:\n- 9.2 s: ");
}

static void a_flow_that_failed_is_told_all_the_same(void **state)
{
    struct run *run = *state;
    put_flow(run);
    run->input.outcome = OUTCOME_FAULT;
    run->input.fault = "accept(): Too many open files";
    run->input.sides = NULL;
    assert_says(run, "30,000 clients came, ");
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
    for (int i = 0; i < LINGERING_MAX; i++)
        put_class(run, STATE_CLOSE_WAIT, INT32_MAX);
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
        test_of_run(a_run_that_is_fine_names_no_counter_of_others),
        test_of_run(a_run_that_differs_says_whose_the_counters_are),
        test_of_run(a_reset_that_the_order_asked_for_is_no_news),
        test_of_run(a_reset_is_news_when_the_run_differs),
        test_of_run(a_counter_that_did_not_move_is_not_named),
        test_of_run(clocks_that_ran_out_are_told),
        test_of_run(a_late_close_is_told),
        test_of_run(a_run_within_the_clocks_says_nothing_of_them),
        test_of_run(an_assassinated_time_wait_is_told),
        test_of_run(classes_are_told_one_by_one),
        test_of_run(strangers_on_the_ports_are_named),
        test_of_run(heirs_are_no_strangers),
        test_of_run(who_owes_is_told_in_a_sentence),
        test_of_run(classes_beyond_the_list_are_told_together),
        test_of_run(where_nobody_was_looked_up_the_counts_speak),
        test_of_run(ghosts_are_told_with_why_a_count_misses_them),
        test_of_run(ghosts_in_time_wait_are_not_said_to_be_in_no_table),
        test_of_run(a_leak_that_was_asked_for_all_at_once_is_told),
        test_of_run(descriptors_of_those_never_accepted_are_nobodys),
        test_of_run(all_at_once_has_no_rate_and_no_growth),
        test_of_run(a_rate_that_was_kept_is_told),
        test_of_run(one_client_has_no_rate),
        test_of_run(late_arrivals_are_told_with_the_latest),
        test_of_run(those_whose_connect_failed_came_too),
        test_of_run(those_who_asked_on_a_connection_that_was_there_came_too),
        test_of_run(a_client_that_ran_out_of_ports_is_told_who_has_them),
        test_of_run(a_plateau_is_no_leak),
        test_of_run(a_leak_says_how_many_how_fast_and_until_when),
        test_of_run(descriptors_that_are_gone_are_told_with_their_date),
        test_of_run(a_leak_of_the_client_is_told_without_the_servers_descriptors),
        test_of_run(only_the_side_at_fault_is_told_of),
        test_of_run(a_growth_of_which_nothing_is_left_is_no_leak),
        test_of_run(what_the_server_does_not_hold_takes_none_of_its_descriptors),
        test_of_run(a_leak_of_two_descriptors_each_takes_half_as_long),
        test_of_run(too_few_looks_make_a_sentence_all_the_same),
        test_of_run(the_timeline_is_told_in_its_order),
        test_of_run(the_slowest_reply_is_told_where_it_was_measured),
        test_of_run(what_the_client_has_given_up_and_not_closed_is_told),
        test_of_run(replies_that_were_lost_are_counted),
        test_of_run(a_signature_is_told_whether_it_was_seen),
        test_of_run(time_wait_of_a_flow_that_is_gone_is_told),
        test_of_run(only_reasons_that_were_counted_are_offered),
        test_of_run(the_other_ends_of_a_leak_had_no_time_wait),
        test_of_run(keepalive_is_said_to_close_nothing),
        test_of_run(ghosts_of_a_flow_with_keepalive_are_likely_its_doing),
        test_of_run(a_bug_that_keepalive_hides_is_told_so),
        test_of_run(the_fix_of_a_cause_tells_what_became_of_its_time_wait),
        test_of_run(a_minute_that_is_over_is_a_reason_of_its_own),
        test_of_run(what_broke_has_a_heading),
        test_of_run(a_flow_that_failed_is_told_all_the_same),
        test_of_run(sentences_are_one_a_line),
        test_of_run(a_verdict_of_everything_at_once_is_cut_not_overrun),
        test_of_run(all_troubles_at_once_fit),
        cmocka_unit_test(every_outcome_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
