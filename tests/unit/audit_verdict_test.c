#include "unit.h"

#include "view/audit_view.h"

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
        .result = {.rounds = 1, .count = 1, .ghosts_known = true}};
    bench.result.connections = &bench.connection;
    bench.report = (struct audit_report){
        .settings = &bench.settings, .result = &bench.result, .reset_causes = "a-cause"};
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
    bench->report.leaks = true;
    return bench;
}

static void a_leak_is_said_with_its_owner_and_the_bugs_that_look_like_it(void **state)
{
    (void)state;
    struct audit_verdict verdict = audit_verdict_of(&holding(AUDIT_HALF_CLOSE, GROUP_EOF_READ)->report);
    assert_contains(
        verdict.text,
        "The server leaks.\nHolds 1 of 1 connections 2s after the client's FIN; everything is read");
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
    bench->report.leaks = false;
    struct audit_verdict verdict = audit_verdict_of(&bench->report);
    assert_contains(verdict.text, "The server closes, slowly.");
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
    bench->report.is_void = true;
    bench->result.by_class[CLASS_REFUSED] = 1;
    assert_string_equal(audit_verdict_of(&bench->report).text,
                        "Nobody listens on 127.0.0.1:8080: connect() is refused.\n");
}

static void ghosts_that_may_not_be_counted_are_said_to_be_unknown(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->result.ghosts_known = false;
    assert_contains(audit_verdict_of(&bench->report).text, "may not be looked into");
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
        cmocka_unit_test(ghosts_that_may_not_be_counted_are_said_to_be_unknown),
    };
    return cmocka_run_group_tests_name("audit_verdict", tests, NULL, NULL);
}
