#include "../unit.h"

#include "../loopback.h"
#include "kernel/tcp_life.h"

/* ---- made ones ---- */

static struct tcp_life a_life(void)
{
    return (struct tcp_life){
        .is_known = true,
        .state = STATE_CLOSE_WAIT,
        .bytes_received = 7,
        .data_segs_in = 1,
        .last_data_recv_ms = 5000,
        .last_data_sent_ms = 5004,
        .last_ack_recv_ms = 3000,
        .rtt_us = 100,
    };
}

static void assert_age(struct tcp_age age, int64_t least, int64_t most)
{
    assert_int_equal(age.least_ms, least);
    assert_int_equal(age.most_ms, most);
}

static void a_socket_that_never_answered_knows_its_age(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    assert_age(tcp_life_age(&life), 5004, 5004);
}

static void a_socket_that_never_received_data_knows_its_age(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    life.data_segs_in = 0;
    life.data_segs_out = 3;
    assert_age(tcp_life_age(&life), 5000, 5000);
}

static void after_data_both_ways_only_a_lower_bound_is_left(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    life.data_segs_out = 3;
    assert_age(tcp_life_age(&life), 5004, INT64_MAX);
    life.last_ack_recv_ms = 9000;
    assert_age(tcp_life_age(&life), 9000, INT64_MAX);
}

static void the_last_ack_is_the_fin_where_nothing_came_after_it(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false), 3000, 3000);
}

static void keep_alive_leaves_an_interval(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    life.last_ack_recv_ms = 12;
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, true), 12, 5000);
    assert_true(tcp_life_fin_with_data(&life, true));
    assert_false(tcp_life_fin_with_data(&life, false));
    life.last_data_recv_ms = 1000; /* no probe is sent within a second of data */
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, true), 12, 12);
    assert_false(tcp_life_fin_with_data(&life, true));
}

static void an_answer_to_our_own_data_may_have_come_after_the_fin(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    life.data_segs_out = 1;
    life.last_data_sent_ms = 3010; /* its ACK was due 10 ms later */
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false), 3000, 5000);
    life.last_data_sent_ms = 1000; /* sent after the last ACK: that is of the FIN, or of data before it */
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false), 3000, 5000);
    life.last_data_sent_ms = 3400; /* no peer keeps an ACK back for so long */
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false), 3000, 3000);
    life.bytes_acked = 1 << 20; /* a window may have opened at any time */
    assert_age(tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false), 3000, 5000);
}

static void before_a_fin_there_is_none(void **state)
{
    (void)state;
    struct tcp_life life = a_life(), unknown = {0};
    assert_age(tcp_life_fin_age(&life, STATE_ESTABLISHED, false), -1, INT64_MAX);
    assert_age(tcp_life_fin_age(&life, STATE_FIN_WAIT2, false), -1, INT64_MAX);
    assert_age(tcp_life_fin_age(&unknown, STATE_CLOSE_WAIT, false), -1, INT64_MAX);
    assert_age(tcp_life_age(&unknown), -1, INT64_MAX);
}

static void after_our_fin_it_tells_since_when_nothing_moves(void **state)
{
    (void)state;
    const struct tcp_life life = a_life(), unknown = {0};
    assert_int_equal(tcp_life_quiet_ms(&life, STATE_FIN_WAIT2), 3000);
    assert_int_equal(tcp_life_quiet_ms(&life, STATE_LAST_ACK), 5004);
    assert_int_equal(tcp_life_quiet_ms(&life, STATE_CLOSE_WAIT), -1);
    assert_int_equal(tcp_life_quiet_ms(&unknown, STATE_FIN_WAIT2), -1);
}

static void a_fin_close_to_the_last_data_may_be_merged_with_it(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    assert_false(tcp_life_fin_with_data(&life, false));
    life.last_data_recv_ms = 3008;
    assert_true(tcp_life_fin_with_data(&life, false));
    life.last_data_recv_ms = 3000;
    assert_true(tcp_life_fin_with_data(&life, false));
    life.data_segs_in = 0; /* then both count since the handshake */
    assert_false(tcp_life_fin_with_data(&life, false));
}

static void fins_and_syns_are_no_data(void **state)
{
    (void)state;
    struct tcp_life life = a_life();
    assert_int_equal(tcp_life_data_received(&life, STATE_CLOSE_WAIT), 6);
    assert_int_equal(tcp_life_data_received(&life, STATE_ESTABLISHED), 7);
    life.bytes_received = 0;
    assert_int_equal(tcp_life_data_received(&life, STATE_CLOSE_WAIT), 0);
    life.bytes_acked = 1;
    assert_int_equal(tcp_life_data_acked(&life, STATE_ESTABLISHED, true), 0);
    life.data_segs_out = 1;
    life.bytes_acked = 12;
    assert_int_equal(tcp_life_data_acked(&life, STATE_ESTABLISHED, true), 11);
    assert_int_equal(tcp_life_data_acked(&life, STATE_FIN_WAIT2, true), 10);
    assert_int_equal(tcp_life_data_acked(&life, STATE_CLOSE_WAIT, false), 12);
}

/* The C library's struct tcp_info ends before the kernel's. */
union tcp_info_bytes {
    struct tcp_info info;
    uint8_t bytes[512];
};

static void too_few_bytes_tell_nothing(void **state)
{
    enum { LEAST = 160 }; /* Linux 4.6: down to tcpi_data_segs_out */
    (void)state;
    union tcp_info_bytes all = {.info = {.tcpi_state = STATE_CLOSE_WAIT, .tcpi_last_ack_recv = 5}};
    struct tcp_life life;
    tcp_life_read(&all, LEAST - 1, &life);
    assert_false(life.is_known);
    tcp_life_read(&all, LEAST, &life);
    assert_true(life.is_known);
    assert_int_equal(life.last_ack_recv_ms, 5);
    tcp_life_read(&all, sizeof all, &life);
    assert_true(life.is_known);
    all.info.tcpi_state = STATE_LISTEN;
    tcp_life_read(&all, sizeof all, &life);
    assert_false(life.is_known);
    all.info.tcpi_state = 200;
    tcp_life_read(&all, sizeof all, &life);
    assert_false(life.is_known);
}

/* ---- real ones: what the kernel of this machine says ---- */

static struct tcp_life life_of(int fd)
{
    union tcp_info_bytes all = {.bytes = {0}};
    struct tcp_life life;
    socklen_t length = sizeof all;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &all, &length), 0);
    tcp_life_read(&all, length, &life);
    return life;
}

static bool is_about(int64_t value, int64_t wanted)
{
    return value >= wanted - 25 && value <= wanted + 400; /* ticks; a busy machine */
}

static void the_kernels_clocks_are_as_described(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    usleep(150000);
    assert_int_equal(send(loopback.client, "hello", 5, 0), 5);
    await_readable(loopback.server);
    usleep(150000);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    usleep(100000);
    struct tcp_life life = life_of(loopback.server);
    struct tcp_age age = tcp_life_age(&life), fin = tcp_life_fin_age(&life, STATE_CLOSE_WAIT, false);
    assert_true(age.least_ms == age.most_ms && is_about(age.least_ms, 400));
    assert_true(fin.least_ms == fin.most_ms && is_about(fin.least_ms, 100));
    assert_false(tcp_life_fin_with_data(&life, false));
    assert_int_equal(tcp_life_data_received(&life, STATE_CLOSE_WAIT), 5);
    loopback_close(&loopback);
}

static void a_fin_right_behind_the_data_is_seen_as_such(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_int_equal(send(loopback.client, "hello", 5, MSG_MORE), 5);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    struct tcp_life life = life_of(loopback.server);
    assert_true(tcp_life_fin_with_data(&life, false));
    loopback_close(&loopback);
}

static void a_ghost_still_tells_its_age(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    usleep(100000);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    usleep(100000);
    reset_connection(&loopback.client);
    assert_soon(state_of(loopback.server) == STATE_CLOSE);
    struct tcp_life life = life_of(loopback.server);
    assert_true(life.is_known && is_about(tcp_life_age(&life).least_ms, 200));
    assert_int_equal(tcp_life_data_received(&life, STATE_CLOSE), 0);
    loopback_close(&loopback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_never_answered_knows_its_age),
        cmocka_unit_test(a_socket_that_never_received_data_knows_its_age),
        cmocka_unit_test(after_data_both_ways_only_a_lower_bound_is_left),
        cmocka_unit_test(the_last_ack_is_the_fin_where_nothing_came_after_it),
        cmocka_unit_test(keep_alive_leaves_an_interval),
        cmocka_unit_test(an_answer_to_our_own_data_may_have_come_after_the_fin),
        cmocka_unit_test(before_a_fin_there_is_none),
        cmocka_unit_test(after_our_fin_it_tells_since_when_nothing_moves),
        cmocka_unit_test(a_fin_close_to_the_last_data_may_be_merged_with_it),
        cmocka_unit_test(fins_and_syns_are_no_data),
        cmocka_unit_test(too_few_bytes_tell_nothing),
        cmocka_unit_test(the_kernels_clocks_are_as_described),
        cmocka_unit_test(a_fin_right_behind_the_data_is_seen_as_such),
        cmocka_unit_test(a_ghost_still_tells_its_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
