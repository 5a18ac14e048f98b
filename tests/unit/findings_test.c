#include "unit.h"

#include "audit/findings.h"

#include <sys/socket.h>

/* An audit of one connection a round: what the client saw, and what the tables show. */
struct bench {
    struct audit_settings settings;
    struct probe probes[4];
    struct audit_sight sights[4];
    struct audit_connection connections[4];
    struct audit_look look;
    struct audit_result result;
};

static struct bench *bench_of(enum audit_order order)
{
    static struct bench bench;
    bench = (struct bench){.settings = {.conns = 1, .repeat = 1, .order = order, .grace_ms = 1000}};
    bench.look.sights = bench.sights;
    bench.look.listener_count = 1;
    bench.look.listeners[0] = 1; /* no process has this inode */
    bench.result.connections = bench.connections;
    for (int i = 0; i < 4; i++)
        bench.probes[i] = (struct probe){.settings = &bench.settings,
                                         .fd = -1,
                                         .phase = PROBE_ACTED,
                                         .round = i,
                                         .port = 40000,
                                         .acted_us = 1};
    return &bench;
}

static void see(struct bench *bench, int i, enum tcp_state own, enum tcp_state server, uint32_t unread,
                uint64_t inode)
{
    bench->sights[i] = (struct audit_sight){.own_seen = own != STATE_GONE,
                                            .own_state = own,
                                            .server_seen = server != STATE_GONE,
                                            .server_state = server,
                                            .unread = unread,
                                            .inode = inode};
}

static const struct audit_connection *found(struct bench *bench)
{
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look);
    bench->result.rounds = 1;
    findings_conclude(&bench->result, &bench->look);
    return &bench->connections[0];
}

static void an_end_that_the_client_saw_is_its_class(void **state)
{
    (void)state;
    static const struct {
        enum probe_end end;
        enum audit_class class;
    } cases[] = {{END_FIN, CLASS_CLOSED},
                 {END_RESET, CLASS_RESET},
                 {END_REFUSED, CLASS_REFUSED},
                 {END_TIMED_OUT, CLASS_TIMED_OUT},
                 {END_FAILED, CLASS_FAILED}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
        bench->probes[0].end = cases[i].end;
        bench->probes[0].ended_us = 501;
        const struct audit_connection *connection = found(bench);
        assert_int_equal(connection->class, cases[i].class);
        assert_int_equal(connection->group, GROUP_NONE);
        assert_int_equal(connection->close_us, cases[i].end == END_FIN ? 500 : -1);
        assert_false(audit_leaks(&bench->result, &bench->settings));
        assert_int_equal(audit_is_void(&bench->result), i >= 2);
    }
}

static void what_is_held_is_grouped_by_its_end(void **state)
{
    (void)state;
    static const struct {
        enum tcp_state own, server;
        uint32_t unread;
        uint64_t inode;
        enum audit_class class;
        enum audit_group group;
    } cases[] = {
        {STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 1, 7, CLASS_HELD, GROUP_EOF_UNREAD},
        {STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7, CLASS_HELD, GROUP_EOF_READ},
        {STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 1, 0, CLASS_NEVER_ACCEPTED, GROUP_NO_OWNER},
        {STATE_ESTABLISHED, STATE_ESTABLISHED, 0, 7, CLASS_HELD, GROUP_OPEN},
        {STATE_FIN_WAIT1, STATE_ESTABLISHED, 9, 7, CLASS_HELD, GROUP_OPEN},
        {STATE_FIN_WAIT1, STATE_GONE, 0, 0, CLASS_TIMED_OUT, GROUP_NONE},
        {STATE_FIN_WAIT1, STATE_SYN_RECV, 0, 0, CLASS_TIMED_OUT, GROUP_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
        see(bench, 0, cases[i].own, cases[i].server, cases[i].unread, cases[i].inode);
        const struct audit_connection *connection = found(bench);
        assert_int_equal(connection->class, cases[i].class);
        assert_int_equal(connection->group, cases[i].group);
        assert_int_equal(audit_leaks(&bench->result, &bench->settings), cases[i].group != GROUP_NONE);
    }
}

static void from_afar_nobody_knows_more(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->look.listener_count = 0;
    see(bench, 0, STATE_FIN_WAIT2, STATE_GONE, 0, 0);
    assert_int_equal(found(bench)->group, GROUP_FROM_AFAR);
    assert_false(bench->result.server_is_here);
}

static void who_sends_in_the_latter_half_is_at_work(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->probes[0].heard_us = 1 + 600000;
    assert_int_equal(found(bench)->class, CLASS_STILL_RESPONDING);
    bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->probes[0].heard_us = 1 + 400000;
    assert_int_equal(found(bench)->class, CLASS_HELD);
    bench = bench_of(AUDIT_IDLE);
    see(bench, 0, STATE_ESTABLISHED, STATE_ESTABLISHED, 0, 7);
    bench->probes[0].heard_us = 1 + 600000;
    assert_int_equal(found(bench)->class, CLASS_HELD);
}

/* Four rounds; `held` of them at the end of each, `to_the_end` when all was over. */
static struct bench *rounds(const bool *held, const bool *to_the_end)
{
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->settings.repeat = 4;
    for (int round = 0; round < 4; round++) {
        bench->probes[round].port = (uint16_t)(40000 + round);
        for (int i = 0; i <= round; i++)
            see(bench, i, STATE_FIN_WAIT2, STATE_GONE, 0, 0);
        for (int i = 0; i < round; i++)
            if (round < 3 ? held[i] : to_the_end[i])
                see(bench, i, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
        if (held[round])
            see(bench, round, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
        else
            bench->probes[round].end = END_FIN;
        findings_take(&bench->result, &bench->settings, bench->probes, round, round + 1, &bench->look);
        bench->result.rounds = round + 1;
    }
    findings_conclude(&bench->result, &bench->look);
    return bench;
}

static void rounds_tell_a_slow_closer_from_a_leak(void **state)
{
    (void)state;
    static const bool all[4] = {true, true, true, true}, last_two[4] = {false, false, true, true},
                      none[4] = {false}, last[4] = {false, false, false, true};
    struct bench *bench = rounds(all, all);
    assert_true(audit_leaks(&bench->result, &bench->settings));
    assert_int_equal(bench->result.held_to_the_end[0], 1);
    bench = rounds(all, last_two); /* it takes more than one round */
    assert_false(audit_leaks(&bench->result, &bench->settings));
    assert_int_equal(audit_first_held(&bench->result), 0);
    bench = rounds(last_two, last_two); /* it leaks since the third */
    assert_true(audit_leaks(&bench->result, &bench->settings));
    bench = rounds(none, none);
    assert_false(audit_leaks(&bench->result, &bench->settings));
    assert_int_equal(audit_first_held(&bench->result), -1);
    bench = rounds(last, last); /* nothing tells */
    assert_true(audit_leaks(&bench->result, &bench->settings));
}

static void ghosts_are_taken_from_those_that_closed(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->result.ghosts = bench->result.ghosts_after[0] = 3;
    found(bench);
    assert_int_equal(bench->result.by_class[CLASS_CLOSED], 0);
    assert_int_equal(bench->result.by_class[CLASS_HELD], 1); /* no more than there were */
    assert_int_equal(bench->result.by_group[GROUP_GHOST], 1);
    assert_true(audit_leaks(&bench->result, &bench->settings));
    bench = bench_of(AUDIT_HALF_CLOSE);
    bench->probes[0].end = END_RESET;
    bench->result.ghosts = bench->result.ghosts_after[0] = 1;
    found(bench);
    assert_int_equal(bench->result.by_class[CLASS_RESET], 0);
    assert_int_equal(bench->result.by_group[GROUP_GHOST], 1);
}

static void every_class_and_group_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < CLASS_COUNT; i++)
        assert_non_null(audit_class_name((enum audit_class)i));
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_non_null(audit_group_name((enum audit_group)i));
    assert_string_equal(audit_class_name(CLASS_NEVER_ACCEPTED), "never_accepted");
    assert_string_equal(audit_group_name(GROUP_EOF_UNREAD), "eof_unread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_the_client_saw_is_its_class),
        cmocka_unit_test(what_is_held_is_grouped_by_its_end),
        cmocka_unit_test(from_afar_nobody_knows_more),
        cmocka_unit_test(who_sends_in_the_latter_half_is_at_work),
        cmocka_unit_test(rounds_tell_a_slow_closer_from_a_leak),
        cmocka_unit_test(ghosts_are_taken_from_those_that_closed),
        cmocka_unit_test(every_class_and_group_has_a_name),
    };
    return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
