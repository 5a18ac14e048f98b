#include "../unit.h"

#include "view/audit_view.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct bench {
    struct audit_settings settings;
    struct audit_connection connection;
    struct audit_result result;
    struct audit_report report;
};

static struct bench *bench_of(enum audit_order order)
{
    static struct bench bench;
    bench = (struct bench){
        .settings = {.target = "127.0.0.1:8080", .order = order, .repeat = 1, .grace_ms = 2000},
        .result = {.rounds = 1, .count = 1, .ghost_sight = GHOSTS_SEEN}};
    bench.result.connections = &bench.connection;
    bench.report = (struct audit_report){.settings = &bench.settings,
                                         .result = &bench.result,
                                         .growth_causes = "",
                                         .reset_causes = "a-cause",
                                         .loss_causes = "another-cause"};
    for (int i = 0; i < GROUP_COUNT; i++)
        bench.report.causes[i] = "some-bug";
    return &bench;
}

static struct bench *holding(enum audit_order order, enum audit_group group)
{
    struct bench *bench = bench_of(order);
    bench->result.by_class[CLASS_HELD] = bench->result.by_group[group] = bench->result.held_after[0] = 1;
    bench->connection =
        (struct audit_connection){.class = CLASS_HELD, .group = group, .owner = 812, .command = "nginx"};
    bench->report.outcome = AUDIT_LEAKS;
    return bench;
}

static void a_leak_is_said_with_its_owner_and_the_bugs_that_look_like_it(void **state)
{
    (void)state;
    struct audit_verdict verdict = audit_verdict_of(&holding(AUDIT_HALF_CLOSE, GROUP_EOF_READ)->report);
    assert_contains(
        verdict.text,
        "The server leaks.\nHolds 1 of 1 connection 2s after the client's FIN; everything is read");
    assert_contains(verdict.text, "owner nginx pid 812");
    assert_contains(verdict.text, "Bugs that look like this: some-bug");
}

static void idle_clients_are_kept_and_no_bug_is_named(void **state)
{
    (void)state;
    struct audit_verdict verdict = audit_verdict_of(&holding(AUDIT_IDLE, GROUP_OPEN)->report);
    assert_contains(verdict.text, "The server keeps idle clients.");
    assert_lacks(verdict.text, "Bugs that look like this");
}

static void from_afar_nothing_is_called_a_leak(void **state)
{
    (void)state;
    struct audit_verdict verdict = audit_verdict_of(&holding(AUDIT_HALF_CLOSE, GROUP_FROM_AFAR)->report);
    assert_contains(verdict.text, "The server holds connections, or is still busy.");
    assert_lacks(verdict.text, "leaks");
}

static void a_slow_closer_is_said_and_no_bug_is_named(void **state)
{
    (void)state;
    struct bench *bench = holding(AUDIT_HALF_CLOSE, GROUP_EOF_READ);
    bench->result.rounds = 3;
    bench->report.outcome = AUDIT_CLOSES;
    struct audit_verdict verdict = audit_verdict_of(&bench->report);
    assert_contains(verdict.text, "The server closes, but slowly.");
    assert_contains(verdict.text, "A slow closer, not a leak: all 1 held after round 1 were closed later.");
    assert_lacks(verdict.text, "Bugs that look like this");
}

static void resets_after_a_reply_name_a_bug_and_refusals_do_not(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->result.by_class[CLASS_RESET] = 5;
    assert_lacks(audit_verdict_of(&bench->report).text, "a-cause");
    assert_contains(audit_verdict_of(&bench->report).text, "Resets 5 connections without a reply");
    bench->result.reset_after_reply = 2;
    assert_contains(audit_verdict_of(&bench->report).text, "Resets 2 connections after its reply");
    assert_contains(audit_verdict_of(&bench->report).text, "a-cause");
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->report.outcome = AUDIT_NO_VERDICT;
    bench->result.by_class[CLASS_REFUSED] = 1;
    assert_string_equal(audit_verdict_of(&bench->report).text,
                        "Nobody listens on 127.0.0.1:8080: connect() is refused.\n");
}

static void what_may_not_be_looked_into_is_said(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->result.ghost_sight = GHOSTS_NOT_OURS;
    assert_contains(audit_verdict_of(&bench->report).text, "The server holds nothing.");
    assert_contains(audit_verdict_of(&bench->report).text, "may not inspect");
    bench->result.ghost_sight = GHOSTS_FROM_AFAR;
    assert_contains(audit_verdict_of(&bench->report).text, "cannot be seen from here");
}

static void what_a_server_keeps_has_a_headline_of_its_own_and_no_bug(void **state)
{
    (void)state;
    struct audit_verdict verdict = audit_verdict_of(&holding(AUDIT_STALL, GROUP_STALLED)->report);
    assert_contains(verdict.text, "The server keeps clients that do not read.");
    assert_contains(verdict.text, "2s after the reply filled the buffers; its ends have data to send");
    assert_lacks(verdict.text, "Bugs that look like this");
    verdict = audit_verdict_of(&holding(AUDIT_VANISH, GROUP_OPEN)->report);
    assert_contains(verdict.text, "The server keeps clients that have vanished.");
    verdict = audit_verdict_of(&holding(AUDIT_VANISH, GROUP_GHOST)->report); /* it has noticed, and leaks */
    assert_contains(verdict.text, "The server leaks.");
}

static void what_shows_on_the_machine_of_the_server_only_is_said_from_afar(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    bench->report.outcome = AUDIT_NO_VERDICT;
    bench->result.by_class[CLASS_UNKNOWN] = 1;
    assert_contains(audit_verdict_of(&bench->report).text, "is visible on its own machine only");
    bench->result.server_is_here = true;
    assert_contains(audit_verdict_of(&bench->report).text, "The reply fits into the buffers, or none came");
}

static void an_idle_timeout_is_told_whether_one_was_expected_or_not(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_IDLE);
    bench->result.idle_us = 2000000;
    assert_contains(audit_verdict_of(&bench->report).text,
                    "It closes idle clients 2.00 s after the last byte (the median).");
    bench->settings.expect_idle_ms = 3000;
    assert_contains(audit_verdict_of(&bench->report).text,
                    "It closes idle clients after 2.00 s (the median); expected was 3s.");
    bench->settings.order = AUDIT_HALF_CLOSE;
    bench->settings.expect_idle_ms = 0;
    assert_lacks(audit_verdict_of(&bench->report).text, "idle clients");
}

static void a_race_with_the_idle_timeout_is_told_and_blames_nobody(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_LATE_REQUEST);
    bench->result.audited = bench->result.later.sent = 10;
    bench->result.later.lost = 4;
    bench->result.by_class[CLASS_RESET] = bench->result.reset_after_reply = 4;
    bench->result.idle_us = 5000000;
    struct audit_verdict verdict = audit_verdict_of(&bench->report);
    assert_contains(verdict.text,
                    "The server holds nothing.\n4 of 10 requests sent as its idle timeout (5.00 s) "
                    "ended got no reply");
    assert_lacks(verdict.text, "a-cause");
    bench->result.later.lost = 0;
    assert_contains(audit_verdict_of(&bench->report).text, "All 10 requests");
}

static void an_interrupted_audit_says_nothing_of_the_server(void **state)
{
    (void)state;
    struct bench *bench = holding(AUDIT_HALF_CLOSE, GROUP_EOF_READ);
    bench->report.outcome = AUDIT_INTERRUPTED;
    bench->result.elapsed_s = 1.25;
    assert_string_equal(audit_verdict_of(&bench->report).text, "Interrupted after 1.2 s: no verdict.\n");
}

static void how_the_server_ended_is_said(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->report.outcome = AUDIT_ENDED;
    bench->result.ending =
        (struct audit_ending){.pid = 812, .command = "nginx", .is_status_known = true, .status = 11};
    assert_contains(audit_verdict_of(&bench->report).text,
                    "The server ended during the audit: nginx pid 812 was killed by signal 11 (");
    bench->result.ending.status = 3 << 8;
    assert_contains(audit_verdict_of(&bench->report).text, "nginx pid 812 exited with status 3.");
    bench->result.ending.is_status_known = false;
    assert_contains(audit_verdict_of(&bench->report).text, "nginx pid 812 is gone.");
}

static void too_few_are_said_with_the_reasons_and_what_to_change(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->report.outcome = AUDIT_NO_VERDICT;
    bench->result.count = 100;
    bench->result.asked = 100;
    bench->result.audited = 2;
    bench->result.by_class[CLASS_REFUSED] = 38;
    bench->result.by_class[CLASS_TIMED_OUT] = 60;
    bench->result.by_class[CLASS_CLOSED] = 2;
    assert_string_equal(audit_verdict_of(&bench->report).text,
                        "Too few for a verdict: 2 of 100 connections succeeded, 38 refused, 60 not "
                        "accepted: open fewer a second with --rate, or give the server a larger backlog.\n");
}

static void what_failed_here_is_not_laid_on_the_server(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->report.outcome = AUDIT_NO_VERDICT;
    bench->result.failure = "the event loop failed";
    bench->result.failure_error = EINVAL;
    assert_string_equal(audit_verdict_of(&bench->report).text,
                        "No verdict: the event loop failed: Invalid argument.\n");
}

static void a_leak_over_rounds_is_said_by_its_time(void **state)
{
    (void)state;
    struct bench *bench = holding(AUDIT_HALF_CLOSE, GROUP_EOF_READ);
    bench->result.rounds = 3;
    bench->result.held_to_the_end[0] = 1;
    bench->result.watched_ms[0] = 6240;
    struct audit_verdict verdict = audit_verdict_of(&bench->report);
    assert_contains(verdict.text,
                    "Of 1 held after round 1, 1 is still held at the end: not closed within 6.2 s.");
    assert_lacks(verdict.text, "no slow closer");
}

static void the_owner_of_ghosts_is_the_process_that_has_them(void **state)
{
    (void)state;
    struct bench *bench = holding(AUDIT_ABORT, GROUP_GHOST);
    bench->connection.group = GROUP_NONE; /* nobody knows which they are */
    bench->result.listener = 1;
    bench->result.ghost_owner = getpid();
    char pid[32];
    snprintf(pid, sizeof pid, "pid %d.", (int)getpid());
    assert_contains(audit_verdict_of(&bench->report).text, pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_is_said_with_its_owner_and_the_bugs_that_look_like_it),
        cmocka_unit_test(idle_clients_are_kept_and_no_bug_is_named),
        cmocka_unit_test(from_afar_nothing_is_called_a_leak),
        cmocka_unit_test(a_slow_closer_is_said_and_no_bug_is_named),
        cmocka_unit_test(resets_after_a_reply_name_a_bug_and_refusals_do_not),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(what_may_not_be_looked_into_is_said),
        cmocka_unit_test(what_a_server_keeps_has_a_headline_of_its_own_and_no_bug),
        cmocka_unit_test(what_shows_on_the_machine_of_the_server_only_is_said_from_afar),
        cmocka_unit_test(an_idle_timeout_is_told_whether_one_was_expected_or_not),
        cmocka_unit_test(a_race_with_the_idle_timeout_is_told_and_blames_nobody),
        cmocka_unit_test(an_interrupted_audit_says_nothing_of_the_server),
        cmocka_unit_test(how_the_server_ended_is_said),
        cmocka_unit_test(too_few_are_said_with_the_reasons_and_what_to_change),
        cmocka_unit_test(what_failed_here_is_not_laid_on_the_server),
        cmocka_unit_test(a_leak_over_rounds_is_said_by_its_time),
        cmocka_unit_test(the_owner_of_ghosts_is_the_process_that_has_them),
    };
    return cmocka_run_group_tests_name("audit_verdict", tests, NULL, NULL);
}
