#include "../unit.h"

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

enum { GRACE_US = 1000000, NOW_US = 2 * GRACE_US };

static struct bench *bench_of(enum audit_order order)
{
    static struct bench bench;
    bench = (struct bench){
        .settings = {.conns = 1, .repeat = 1, .order = order, .grace_ms = 1000, .fin_timeout_ms = 60000}};
    bench.look.sights = bench.sights;
    bench.look.listener_count = 1;
    bench.look.listeners[0] = 1; /* no process has this inode */
    bench.result.connections = bench.connections;
    for (int i = 0; i < 4; i++)
        bench.probes[i] = (struct probe){.fd = -1,
                                         .phase = PROBE_WAITED,
                                         .round = i,
                                         .port = 40000,
                                         .acted_us = 1,
                                         .due_us = 1 + GRACE_US};
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

static enum audit_outcome outcome(const struct bench *bench)
{
    return audit_outcome_of(&bench->result, &bench->settings);
}

static const struct audit_connection *found(struct bench *bench)
{
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look, 0, NOW_US);
    bench->result.rounds = 1;
    findings_conclude(&bench->result, &bench->settings);
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
        assert_int_equal(outcome(bench), i >= 2 ? AUDIT_NO_VERDICT : AUDIT_CLOSES);
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
        assert_int_equal(outcome(bench), cases[i].group != GROUP_NONE ? AUDIT_LEAKS : AUDIT_NO_VERDICT);
    }
}

/* One read takes the data and steps over the FIN. */
static void whether_eof_was_read_is_unsure_where_the_fin_came_with_the_data(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->sights[0].fin_with_data = true;
    assert_int_equal(found(bench)->group, GROUP_EOF_UNSURE);
    assert_string_equal(audit_group_name(GROUP_EOF_UNSURE), "eof_unsure");
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
    /* What is unread is unread. */
    bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 1, 7);
    bench->sights[0].fin_with_data = true;
    assert_int_equal(found(bench)->group, GROUP_EOF_UNREAD);
    /* It answered before the client closed, so it had read. */
    bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->sights[0].fin_with_data = true;
    bench->probes[0].bytes = bench->probes[0].bytes_since_ask = 10;
    assert_int_equal(found(bench)->group, GROUP_EOF_READ);
    /* After it says nothing. */
    bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->sights[0].fin_with_data = true;
    bench->probes[0].bytes = bench->probes[0].bytes_since_ask = bench->probes[0].bytes_since_act = 10;
    bench->probes[0].heard_us = 2;
    assert_int_equal(found(bench)->group, GROUP_EOF_UNSURE);
}

/* The others show what the program does with a FIN that comes by itself. */
static void those_that_are_sure_tell_of_the_others(void **state)
{
    (void)state;
    static const struct {
        uint32_t unread[2]; /* of two that are sure */
        enum audit_group group;
    } cases[] = {
        {{0, 0}, GROUP_EOF_READ},
        {{1, 0}, GROUP_EOF_UNSURE},
        {{1, 1}, GROUP_EOF_UNSURE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
        bench->settings.conns = 3;
        for (int k = 0; k < 3; k++) {
            bench->probes[k].round = 0;
            see(bench, k, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, k > 0 ? cases[i].unread[k - 1] : 0,
                7 + (uint64_t)k);
        }
        bench->sights[0].fin_with_data = true;
        findings_take(&bench->result, &bench->settings, bench->probes, 0, 3, &bench->look, 0, NOW_US);
        bench->result.rounds = 1;
        findings_conclude(&bench->result, &bench->settings);
        assert_int_equal(bench->connections[0].group, cases[i].group);
        assert_int_equal(bench->result.by_group[cases[i].group], cases[i].group == GROUP_EOF_READ ? 3 : 1);
    }
}

/* After the RST nothing is left of it: what looks have met before it tells. */
static void a_client_that_the_server_never_heard_of_was_not_closed(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_SEEN;
    assert_int_equal(found(bench)->class, CLASS_CLOSED);
    bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_SEEN;
    bench->probes[0].was_half_open = true;
    assert_int_equal(found(bench)->class, CLASS_TIMED_OUT);
    assert_int_equal(bench->result.half_open, 1);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
    bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_SEEN;
    bench->probes[0].missed_looks = true;
    assert_int_equal(found(bench)->class, CLASS_UNKNOWN);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
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
    bench->probes[0].due_us = NOW_US; /* it has its grace period once more */
    bench->probes[0].heard_us = NOW_US - GRACE_US / 2 + 1;
    assert_int_equal(found(bench)->class, CLASS_STILL_RESPONDING);
    bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->probes[0].heard_us = 1 + 400000;
    assert_int_equal(found(bench)->class, CLASS_HELD);
    bench = bench_of(AUDIT_IDLE);
    see(bench, 0, STATE_ESTABLISHED, STATE_ESTABLISHED, 0, 7);
    bench->probes[0].heard_us = NOW_US - 1;
    assert_int_equal(found(bench)->class, CLASS_HELD);
}

/* Two rounds: the first one's connection sends something late in its grace period, and then no more. */
static void a_late_byte_does_not_acquit_for_ever(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->settings.repeat = 2;
    bench->probes[0].heard_us = bench->probes[0].due_us - 1;
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    see(bench, 1, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 8);
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look, 0,
                  bench->probes[0].due_us);
    assert_int_equal(bench->connections[0].class, CLASS_STILL_RESPONDING);
    bench->probes[1].end = END_FIN;
    findings_take(&bench->result, &bench->settings, bench->probes, 1, 2, &bench->look, 0,
                  bench->probes[0].due_us + 2 * GRACE_US);
    bench->result.rounds = 2;
    findings_conclude(&bench->result, &bench->settings);
    assert_int_equal(bench->connections[0].class, CLASS_HELD);
    assert_int_equal(bench->connections[0].group, GROUP_EOF_READ);
    assert_int_equal(bench->result.held_after[0], 1);
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
}

/* TIME_WAIT is the kernel's, LAST_ACK has been closed: neither is held by a process. */
static void what_the_server_has_closed_since_is_not_held(void **state)
{
    (void)state;
    static const enum tcp_state closed[] = {STATE_TIME_WAIT, STATE_LAST_ACK, STATE_FIN_WAIT2, STATE_GONE};
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        struct bench *bench = bench_of(AUDIT_IDLE);
        bench->settings.repeat = 2;
        see(bench, 0, STATE_ESTABLISHED, STATE_ESTABLISHED, 0, 7);
        findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look, 0, NOW_US);
        assert_int_equal(bench->result.held_after[0], 1);
        see(bench, 0, STATE_GONE, closed[i], 0, 0);
        bench->probes[0].end = END_FIN;
        bench->probes[1].end = END_FIN;
        findings_take(&bench->result, &bench->settings, bench->probes, 1, 2, &bench->look, 0, NOW_US);
        bench->result.rounds = 2;
        findings_conclude(&bench->result, &bench->settings);
        assert_int_equal(bench->result.held_to_the_end[0], 0);
        assert_int_equal(outcome(bench), AUDIT_CLOSES);
    }
}

/* Whose FIN is acknowledged is connected to somebody, seen or not. */
static void an_end_that_is_not_seen_is_not_one_that_nobody_took_in(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_GONE, 0, 0);
    assert_int_equal(found(bench)->class, CLASS_HELD);
    bench = bench_of(AUDIT_IDLE);
    see(bench, 0, STATE_ESTABLISHED, STATE_GONE, 0, 0);
    assert_int_equal(found(bench)->class, CLASS_TIMED_OUT);
}

static void a_reset_that_left_time_wait_was_none(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->probes[0].end = END_RESET;
    see(bench, 0, STATE_TIME_WAIT, STATE_GONE, 0, 0);
    assert_int_equal(found(bench)->class, CLASS_FAILED);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
}

/* From afar, with client-first, the kernel forgets our end in time: that is no close. */
static void an_end_that_the_kernel_forgot_was_not_closed(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_CLIENT_FIRST);
    bench->settings.repeat = 2;
    bench->look.listener_count = 0;
    see(bench, 0, STATE_FIN_WAIT2, STATE_GONE, 0, 0);
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look, 0, NOW_US);
    assert_int_equal(bench->connections[0].class, CLASS_HELD);
    see(bench, 0, STATE_GONE, STATE_GONE, 0, 0);
    bench->probes[1].end = END_FIN;
    findings_take(&bench->result, &bench->settings, bench->probes, 1, 2, &bench->look, 0, 61 * 1000000);
    bench->result.rounds = 2;
    findings_conclude(&bench->result, &bench->settings);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
}

static void what_was_interrupted_is_unknown(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    see(bench, 0, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, 0, 7);
    bench->probes[0].phase = PROBE_ACTED;
    bench->result.interrupted = true;
    assert_int_equal(found(bench)->class, CLASS_UNKNOWN);
    assert_int_equal(bench->result.held_after[0], 0);
    assert_int_equal(outcome(bench), AUDIT_INTERRUPTED);
}

/* The newest are in the queue, whatever was in it before. */
static void after_an_rst_the_accept_queue_tells(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->settings.conns = 4;
    bench->result.ghost_sight = GHOSTS_SEEN;
    bench->look.queued = 5;
    for (int i = 0; i < 4; i++)
        bench->probes[i].round = 0;
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 4, &bench->look, 3, NOW_US);
    bench->result.rounds = 1;
    findings_conclude(&bench->result, &bench->settings);
    assert_int_equal(bench->connections[1].class, CLASS_CLOSED);
    assert_int_equal(bench->connections[2].class, CLASS_NEVER_ACCEPTED);
    assert_int_equal(bench->connections[3].group, GROUP_NO_OWNER);
    assert_int_equal(bench->result.by_group[GROUP_NO_OWNER], 2);
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
}

static void after_an_rst_nothing_is_known_without_the_descriptors(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_NOT_OURS;
    assert_int_equal(found(bench)->class, CLASS_UNKNOWN);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
    bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_SEEN;
    assert_int_equal(found(bench)->class, CLASS_CLOSED);
    assert_int_equal(outcome(bench), AUDIT_CLOSES);
}

static void nine_of_ten_are_enough(void **state)
{
    (void)state;
    struct audit_settings settings = {.conns = 100, .repeat = 1};
    struct audit_result result = {.rounds = 1, .asked = 100, .audited = 90};
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_CLOSES);
    result.audited = 89;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_NO_VERDICT);
    result.held_after[0] = 1; /* what is held is held, however few there were */
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_LEAKS);
    result.fate = FATE_ENDED;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_ENDED);
    result.failure = "something failed";
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_NO_VERDICT);
    result.interrupted = true;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_INTERRUPTED);
}

static void who_is_slowed_down_may_be_late_only(void **state)
{
    (void)state;
    struct audit_settings settings = {.conns = 100, .repeat = 1, .grace_ms = 1000, .is_slowed = true};
    struct audit_result result = {
        .rounds = 1, .asked = 100, .audited = 100, .held_after = {1}, .max_us = 400000};
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_LEAKS);
    result.max_us = 600000;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_NO_VERDICT);
    result.held_after[0] = 0;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_CLOSES);
    settings.is_slowed = false;
    result.held_after[0] = 1;
    assert_int_equal(audit_outcome_of(&result, &settings), AUDIT_LEAKS);
}

/* Nothing was played on one that the server ended before; but with a reply it was a conversation. */
static void what_ended_before_the_act_counts_only_with_a_reply(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_HALF_CLOSE);
    bench->probes[0].end = END_FIN;
    bench->probes[0].before_act = true;
    found(bench);
    assert_int_equal(bench->result.not_played, 1);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
    bench = bench_of(AUDIT_HALF_CLOSE);
    bench->probes[0].end = END_FIN;
    bench->probes[0].before_act = true;
    bench->probes[0].bytes = 19;
    found(bench);
    assert_int_equal(bench->result.not_played, 0);
    assert_int_equal(outcome(bench), AUDIT_CLOSES);
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
        findings_take(&bench->result, &bench->settings, bench->probes, round, round + 1, &bench->look, 0,
                      NOW_US);
        bench->result.rounds = round + 1;
    }
    findings_conclude(&bench->result, &bench->settings);
    return bench;
}

static void rounds_tell_a_slow_closer_from_a_leak(void **state)
{
    (void)state;
    static const bool all[4] = {true, true, true, true}, last_two[4] = {false, false, true, true},
                      none[4] = {false}, last[4] = {false, false, false, true};
    struct bench *bench = rounds(all, all);
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
    assert_int_equal(bench->result.held_to_the_end[0], 1);
    bench = rounds(all, last_two); /* it takes more than one round */
    assert_int_equal(outcome(bench), AUDIT_CLOSES);
    assert_int_equal(audit_first_held(&bench->result), 0);
    bench = rounds(last_two, last_two); /* it leaks since the third */
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
    bench = rounds(none, none);
    assert_int_equal(outcome(bench), AUDIT_CLOSES);
    assert_int_equal(audit_first_held(&bench->result), -1);
    bench = rounds(last, last); /* nothing tells */
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
}

static void ghosts_are_taken_from_those_that_closed(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_ABORT);
    bench->result.ghost_sight = GHOSTS_SEEN;
    bench->result.ghosts = bench->result.ghosts_after[0] = 3;
    found(bench);
    assert_int_equal(bench->result.by_class[CLASS_CLOSED], 0);
    assert_int_equal(bench->result.by_class[CLASS_HELD], 1); /* no more than there were */
    assert_int_equal(bench->result.by_group[GROUP_GHOST], 1);
    assert_int_equal(outcome(bench), AUDIT_LEAKS);
    bench = bench_of(AUDIT_HALF_CLOSE);
    bench->probes[0].end = END_RESET;
    bench->result.ghosts = bench->result.ghosts_after[0] = 1;
    found(bench);
    assert_int_equal(bench->result.by_class[CLASS_RESET], 0);
    assert_int_equal(bench->result.by_group[GROUP_GHOST], 1);
}

/* Ghosts after each of four rounds of ten connections, and whether they are a leak. */
static void ghosts_are_a_leak_when_they_grow(void **state)
{
    (void)state;
    static const struct {
        int64_t after[4];
        enum audit_outcome outcome;
    } cases[] = {{{1, 2, 3, 4}, AUDIT_LEAKS},  {{0, 1, 1, 2}, AUDIT_LEAKS},  {{3, 3, 3, 3}, AUDIT_CLOSES},
                 {{1, 3, 3, 3}, AUDIT_CLOSES}, {{4, 3, 2, 1}, AUDIT_CLOSES}, {{0, 0, 0, 1}, AUDIT_LEAKS},
                 {{0, 0, 0, 0}, AUDIT_CLOSES}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(AUDIT_ABORT);
        bench->settings.repeat = 4;
        bench->result.ghost_sight = GHOSTS_SEEN;
        memcpy(bench->result.ghosts_after, cases[i].after, sizeof cases[i].after);
        bench->result.ghosts = cases[i].after[3];
        findings_take(&bench->result, &bench->settings, bench->probes, 0, 4, &bench->look, 0, NOW_US);
        bench->result.rounds = 4;
        findings_conclude(&bench->result, &bench->settings);
        assert_int_equal(outcome(bench), cases[i].outcome);
        assert_int_equal(bench->result.by_group[GROUP_GHOST], cases[i].after[3]);
    }
}

/* Of a client that hears nothing only the server's end tells, and only where it had been seen. */
static void a_silent_client_is_judged_by_the_end_of_the_server(void **state)
{
    (void)state;
    static const struct {
        enum audit_order order;
        bool was_met, was_full, is_here;
        enum tcp_state server;
        uint64_t inode;
        enum audit_class class;
        enum audit_group group;
    } cases[] = {
        {AUDIT_VANISH, true, false, true, STATE_ESTABLISHED, 7, CLASS_HELD, GROUP_OPEN},
        {AUDIT_VANISH, true, false, true, STATE_FIN_WAIT1, 7, CLASS_HELD, GROUP_SHUT_DOWN},
        {AUDIT_VANISH, true, false, true, STATE_FIN_WAIT1, 0, CLASS_CLOSED, GROUP_NONE},
        {AUDIT_VANISH, true, false, true, STATE_GONE, 0, CLASS_CLOSED, GROUP_NONE},
        {AUDIT_VANISH, true, false, true, STATE_ESTABLISHED, 0, CLASS_NEVER_ACCEPTED, GROUP_NO_OWNER},
        {AUDIT_VANISH, false, false, true, STATE_GONE, 0, CLASS_UNKNOWN, GROUP_NONE},
        {AUDIT_VANISH, false, false, true, STATE_SYN_RECV, 0, CLASS_TIMED_OUT, GROUP_NONE},
        {AUDIT_VANISH, false, false, false, STATE_GONE, 0, CLASS_UNKNOWN, GROUP_NONE},
        {AUDIT_STALL, true, true, true, STATE_ESTABLISHED, 7, CLASS_HELD, GROUP_STALLED},
        {AUDIT_STALL, true, true, true, STATE_FIN_WAIT1, 7, CLASS_HELD, GROUP_STALLED},
        {AUDIT_STALL, true, true, true, STATE_FIN_WAIT1, 0, CLASS_CLOSED, GROUP_NONE},
        {AUDIT_STALL, true, false, true, STATE_ESTABLISHED, 7, CLASS_UNKNOWN, GROUP_NONE},
        {AUDIT_STALL, true, false, true, STATE_GONE, 0, CLASS_UNKNOWN, GROUP_NONE},
        {AUDIT_STALL, true, true, false, STATE_GONE, 0, CLASS_UNKNOWN, GROUP_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(cases[i].order);
        see(bench, 0, STATE_ESTABLISHED, cases[i].server, 0, cases[i].inode);
        bench->sights[0].unsent = 1393;
        bench->probes[0].was_met = cases[i].was_met;
        bench->probes[0].was_full = cases[i].was_full;
        bench->look.listener_count = cases[i].is_here;
        const struct audit_connection *connection = found(bench);
        if (connection->class != cases[i].class || connection->group != cases[i].group)
            fail_msg("case %zu: class %d, group %d", i, connection->class, connection->group);
    }
}

static void what_a_silent_order_held_counts_until_it_is_let_go(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_VANISH);
    bench->settings.repeat = 2;
    bench->probes[0].was_met = bench->probes[1].was_met = true;
    see(bench, 0, STATE_ESTABLISHED, STATE_FIN_WAIT1, 0, 7);
    findings_take(&bench->result, &bench->settings, bench->probes, 0, 1, &bench->look, 0, NOW_US);
    see(bench, 1, STATE_ESTABLISHED, STATE_FIN_WAIT1, 0, 0);
    findings_take(&bench->result, &bench->settings, bench->probes, 1, 2, &bench->look, 0, NOW_US);
    assert_true(bench->connections[0].held_to_the_end);
    see(bench, 0, STATE_ESTABLISHED, STATE_FIN_WAIT1, 0, 0);
    findings_take(&bench->result, &bench->settings, bench->probes, 1, 2, &bench->look, 0, NOW_US);
    assert_false(bench->connections[0].held_to_the_end);
}

static void later_requests_are_answered_lost_or_neither(void **state)
{
    (void)state;
    static const struct {
        int64_t asked, bytes;
        enum probe_end end;
        struct audit_requests expected;
    } cases[] = {
        {2, 5, END_FIN, {.sent = 1, .answered = 1}},
        {2, 0, END_RESET, {.sent = 1, .lost = 1}},
        {2, 0, END_FIN, {.sent = 1, .lost = 1}},
        {2, 0, END_NONE, {.sent = 1, .silent = 1}},
        {1, 5, END_FIN, {.not_kept = 1}},
        {1, 0, END_FAILED, {.sent = 0}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(i % 2 == 0 ? AUDIT_SECOND_REQUEST : AUDIT_LATE_REQUEST);
        bench->settings.requests = 2;
        bench->probes[0].asked = cases[i].asked;
        bench->probes[0].bytes_since_ask = cases[i].bytes;
        bench->probes[0].end = cases[i].end;
        bench->probes[0].before_act = true;
        found(bench);
        assert_memory_equal(&bench->result.later, &cases[i].expected, sizeof cases[i].expected);
    }
}

/* Within a tenth, or 200 ms. */
static void an_idle_timeout_is_held_against_the_expected_one(void **state)
{
    (void)state;
    static const struct {
        int64_t expected_ms, idle_us;
        enum audit_outcome outcome;
    } cases[] = {
        {0, 5000000, AUDIT_CLOSES},      {5000, 5500000, AUDIT_CLOSES}, {5000, 4400000, AUDIT_OFF_TIME},
        {5000, 5600000, AUDIT_OFF_TIME}, {500, 690000, AUDIT_CLOSES},   {500, 710000, AUDIT_OFF_TIME},
        {60000, 65000000, AUDIT_CLOSES},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench *bench = bench_of(AUDIT_IDLE);
        bench->settings.expect_idle_ms = cases[i].expected_ms;
        bench->probes[0].end = END_FIN;
        bench->probes[0].heard_us = 1000;
        bench->probes[0].ended_us = 1000 + cases[i].idle_us;
        found(bench);
        assert_int_equal(bench->result.idle_us, cases[i].idle_us);
        assert_int_equal(outcome(bench), cases[i].outcome);
    }
}

static void without_a_reference_there_is_no_verdict(void **state)
{
    (void)state;
    struct bench *bench = bench_of(AUDIT_EOF_WITH_REQUEST);
    bench->probes[0].end = END_FIN;
    bench->result.reply_bytes = -1; /* no client that waits came through */
    found(bench);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
    bench = bench_of(AUDIT_LATE_REQUEST);
    bench->probes[0].end = END_FIN;
    bench->result.idle_us = -1;
    found(bench);
    assert_int_equal(outcome(bench), AUDIT_NO_VERDICT);
}

static void every_class_and_group_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < CLASS_COUNT; i++)
        assert_non_null(audit_class_name((enum audit_class)i));
    for (int i = 0; i <= AUDIT_INTERRUPTED; i++)
        assert_non_null(audit_outcome_name((enum audit_outcome)i));
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
        cmocka_unit_test(whether_eof_was_read_is_unsure_where_the_fin_came_with_the_data),
        cmocka_unit_test(those_that_are_sure_tell_of_the_others),
        cmocka_unit_test(a_client_that_the_server_never_heard_of_was_not_closed),
        cmocka_unit_test(from_afar_nobody_knows_more),
        cmocka_unit_test(who_sends_in_the_latter_half_is_at_work),
        cmocka_unit_test(a_late_byte_does_not_acquit_for_ever),
        cmocka_unit_test(what_the_server_has_closed_since_is_not_held),
        cmocka_unit_test(an_end_that_is_not_seen_is_not_one_that_nobody_took_in),
        cmocka_unit_test(a_reset_that_left_time_wait_was_none),
        cmocka_unit_test(an_end_that_the_kernel_forgot_was_not_closed),
        cmocka_unit_test(what_was_interrupted_is_unknown),
        cmocka_unit_test(after_an_rst_the_accept_queue_tells),
        cmocka_unit_test(after_an_rst_nothing_is_known_without_the_descriptors),
        cmocka_unit_test(nine_of_ten_are_enough),
        cmocka_unit_test(who_is_slowed_down_may_be_late_only),
        cmocka_unit_test(what_ended_before_the_act_counts_only_with_a_reply),
        cmocka_unit_test(rounds_tell_a_slow_closer_from_a_leak),
        cmocka_unit_test(ghosts_are_taken_from_those_that_closed),
        cmocka_unit_test(ghosts_are_a_leak_when_they_grow),
        cmocka_unit_test(a_silent_client_is_judged_by_the_end_of_the_server),
        cmocka_unit_test(what_a_silent_order_held_counts_until_it_is_let_go),
        cmocka_unit_test(later_requests_are_answered_lost_or_neither),
        cmocka_unit_test(an_idle_timeout_is_held_against_the_expected_one),
        cmocka_unit_test(without_a_reference_there_is_no_verdict),
        cmocka_unit_test(every_class_and_group_has_a_name),
    };
    return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
