#include "../unit.h"

#include "audit/tables_tell.h"

/* One probe of a silent order, without a connection: what looks at the tables make of it. */
struct bench {
    struct audit_settings settings;
    struct probe_crowd crowd;
    struct probe probe;
};

enum { CONNECTED_US = 1, ACTED_US = 1000, LOOK_US = 50000 };

static void nothing_changes(void *context, enum probe_phase from)
{
    (void)context;
    (void)from;
}

static struct bench *bench_of(enum audit_order order)
{
    static struct bench bench;
    bench = (struct bench){.settings = {.order = order, .grace_ms = 1000, .fin_timeout_ms = 60000}};
    bench.crowd = (struct probe_crowd){.settings = &bench.settings, .on_change = nothing_changes};
    bench.probe = (struct probe){.crowd = &bench.crowd,
                                 .fd = -1,
                                 .phase = PROBE_ACTED,
                                 .connected_us = CONNECTED_US,
                                 .acted_us = ACTED_US,
                                 .is_deaf = order == AUDIT_VANISH};
    return &bench;
}

static struct audit_sight sight_of(enum tcp_state server, uint64_t inode, uint32_t unsent, bool needs_window)
{
    return (struct audit_sight){.own_seen = true,
                                .own_state = STATE_ESTABLISHED,
                                .server_seen = server != STATE_GONE,
                                .server_state = server,
                                .inode = inode,
                                .unsent = unsent,
                                .needs_window = needs_window};
}

static const struct probe *after_look(struct bench *bench, int64_t at_us, struct audit_sight sight)
{
    tables_tell(&bench->probe, &sight, at_us - 1, at_us);
    return &bench->probe;
}

static void what_no_process_has_is_let_go_unless_it_waits_to_be_accepted(void **state)
{
    (void)state;
    static const struct {
        enum tcp_state server;
        uint64_t inode;
        bool is_let_go;
    } cases[] = {{STATE_GONE, 0, true},        {STATE_FIN_WAIT1, 0, true},  {STATE_FIN_WAIT2, 0, true},
                 {STATE_LAST_ACK, 0, true},    {STATE_TIME_WAIT, 0, true},  {STATE_ESTABLISHED, 0, false},
                 {STATE_CLOSE_WAIT, 0, false}, {STATE_SYN_RECV, 0, false},  {STATE_ESTABLISHED, 7, false},
                 {STATE_FIN_WAIT1, 7, false},  {STATE_FIN_WAIT2, 7, false}, {STATE_CLOSE_WAIT, 7, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct audit_sight sight = sight_of(cases[i].server, cases[i].inode, 0, false);
        assert_int_equal(sight_is_let_go(&sight), cases[i].is_let_go);
    }
}

static void an_end_that_was_never_met_has_not_been_closed(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_VANISH);
    assert_int_equal(after_look(bench, LOOK_US, sight_of(STATE_SYN_RECV, 0, 0, false))->end, END_NONE);
    assert_int_equal(after_look(bench, 2 * LOOK_US, sight_of(STATE_GONE, 0, 0, false))->end, END_NONE);
}

static void a_vanished_client_is_let_go_when_its_peer_has_gone(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_VANISH);
    assert_int_equal(after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 0, false))->end, END_NONE);
    assert_int_equal(after_look(bench, 2 * LOOK_US, sight_of(STATE_FIN_WAIT1, 0, 1, false))->end, END_FIN);
    assert_int_equal(bench->probe.ended_us, 2 * LOOK_US);
}

static void who_has_nothing_to_send_has_not_stalled(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    for (int i = 1; i < 20; i++)
        assert_false(after_look(bench, i * LOOK_US, sight_of(STATE_ESTABLISHED, 7, 500, false))->was_full);
    assert_int_equal(after_look(bench, 20 * LOOK_US, sight_of(STATE_GONE, 0, 0, false))->end, END_NONE);
}

static void a_closed_window_is_a_stall_at_once_and_what_does_not_come_in_is_one_later(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    assert_true(after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 500, true))->was_full);
    bench = bench_of(AUDIT_STALL);
    assert_false(after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, false))->was_full);
    assert_false(after_look(bench, 3 * LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, false))->was_full);
    assert_true(after_look(bench, 6 * LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, false))->was_full);
    bench = bench_of(AUDIT_STALL); /* in between it came in */
    after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, false));
    after_look(bench, 3 * LOOK_US, sight_of(STATE_ESTABLISHED, 7, 0, false));
    assert_false(after_look(bench, 6 * LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, false))->was_full);
}

static void who_lets_go_of_a_stalled_client_closes_it_or_resets_it(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, true));
    assert_int_equal(after_look(bench, 2 * LOOK_US, sight_of(STATE_FIN_WAIT1, 0, 20001, true))->end, END_FIN);
    assert_true(bench->probe.left_orphan);
    bench = bench_of(AUDIT_STALL);
    after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, true));
    struct audit_sight nothing = {.own_seen = false};
    assert_int_equal(after_look(bench, 2 * LOOK_US, nothing)->end, END_RESET);
    assert_false(bench->probe.left_orphan);
}

static void a_reset_in_the_middle_of_a_look_is_told_by_the_next_one(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    struct audit_sight nothing = {.own_seen = false};
    after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, true));
    assert_int_equal(after_look(bench, 2 * LOOK_US, sight_of(STATE_GONE, 0, 0, false))->end, END_NONE);
    assert_int_equal(after_look(bench, 3 * LOOK_US, nothing)->end, END_RESET);
    assert_int_equal(bench->probe.ended_us, 2 * LOOK_US);
    bench = bench_of(AUDIT_STALL);
    after_look(bench, LOOK_US, sight_of(STATE_ESTABLISHED, 7, 20000, true));
    after_look(bench, 2 * LOOK_US, sight_of(STATE_GONE, 0, 0, false));
    assert_int_equal(after_look(bench, 3 * LOOK_US, sight_of(STATE_GONE, 0, 0, false))->end, END_FIN);
}

/* It had closed before its data were known to have no room: the time is that of the close. */
static void a_close_that_came_before_the_stall_was_known_counts_from_the_stall(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_STALL);
    after_look(bench, LOOK_US, sight_of(STATE_FIN_WAIT1, 0, 20001, false));
    assert_int_equal(after_look(bench, 7 * LOOK_US, sight_of(STATE_FIN_WAIT1, 0, 20001, false))->end,
                     END_FIN);
    assert_int_equal(bench->probe.ended_us, LOOK_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_process_has_is_let_go_unless_it_waits_to_be_accepted),
        cmocka_unit_test(an_end_that_was_never_met_has_not_been_closed),
        cmocka_unit_test(a_vanished_client_is_let_go_when_its_peer_has_gone),
        cmocka_unit_test(who_has_nothing_to_send_has_not_stalled),
        cmocka_unit_test(a_closed_window_is_a_stall_at_once_and_what_does_not_come_in_is_one_later),
        cmocka_unit_test(who_lets_go_of_a_stalled_client_closes_it_or_resets_it),
        cmocka_unit_test(a_reset_in_the_middle_of_a_look_is_told_by_the_next_one),
        cmocka_unit_test(a_close_that_came_before_the_stall_was_known_counts_from_the_stall),
    };
    return cmocka_run_group_tests_name("tables_tell", tests, NULL, NULL);
}
