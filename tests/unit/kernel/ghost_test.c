#include "../unit.h"

#include "../loopback.h"
#include "kernel/ghost.h"

static void a_connected_end_is_none(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_false(is_ghost(loopback.client));
    assert_false(is_ghost(loopback.server));
    loopback_close(&loopback);
}

static void an_end_in_close_wait_is_none(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    assert_false(is_ghost(loopback.server));
    loopback_close(&loopback);
}

static void the_peers_rst_leaves_one(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    reset_connection(&loopback.client);
    assert_soon(is_ghost(loopback.server));
    loopback_close(&loopback);
}

static void an_rst_in_close_wait_leaves_one(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    reset_connection(&loopback.client);
    assert_soon(is_ghost(loopback.server));
    loopback_close(&loopback);
}

/* The side that closed first is TIME_WAIT in the kernel's tables, and its descriptor has no part in it. */
static void both_fins_leave_one_on_either_side(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    assert_int_equal(shutdown(loopback.server, SHUT_WR), 0);
    assert_soon(is_ghost(loopback.client));
    assert_soon(is_ghost(loopback.server));
    loopback_close(&loopback);
}

static void a_listener_is_none(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_false(is_ghost(loopback.listener));
    loopback_close(&loopback);
}

static void what_is_no_tcp_socket_is_none(void **state)
{
    (void)state;
    int ends[2], datagram = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(pipe(ends), 0);
    assert_false(is_ghost(ends[0]));
    assert_false(is_ghost(datagram));
    assert_false(is_ghost(-1));
    close(ends[0]);
    close(ends[1]);
    close(datagram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connected_end_is_none),
        cmocka_unit_test(an_end_in_close_wait_is_none),
        cmocka_unit_test(the_peers_rst_leaves_one),
        cmocka_unit_test(an_rst_in_close_wait_leaves_one),
        cmocka_unit_test(both_fins_leave_one_on_either_side),
        cmocka_unit_test(a_listener_is_none),
        cmocka_unit_test(what_is_no_tcp_socket_is_none),
    };
    return cmocka_run_group_tests_name("ghost", tests, NULL, NULL);
}
