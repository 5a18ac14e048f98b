#include "../unit.h"

#include "../loopback.h"
#include "kernel/keepalive.h"

#include <errno.h>

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static void a_listener_hands_it_on(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_int_equal(keepalive_begin(loopback.listener, 7), 0);
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    assert_int_equal(option_of(loopback.server, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(loopback.server, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    assert_int_equal(option_of(loopback.server, IPPROTO_TCP, TCP_KEEPINTVL), KEEPALIVE_INTERVAL_S);
    assert_int_equal(option_of(loopback.server, IPPROTO_TCP, TCP_KEEPCNT), KEEPALIVE_PROBES);
    assert_int_equal(option_of(loopback.client, SOL_SOCKET, SO_KEEPALIVE), 0);
    loopback_close(&loopback);
}

static void zero_sets_nothing(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_int_equal(keepalive_begin(loopback.client, 0), 0);
    assert_int_equal(option_of(loopback.client, SOL_SOCKET, SO_KEEPALIVE), 0);
    loopback_close(&loopback);
}

static void the_kernel_takes_the_longest_and_no_longer(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_int_equal(keepalive_begin(loopback.client, KEEPALIVE_IDLE_MAX_S), 0);
    assert_int_equal(keepalive_begin(loopback.client, KEEPALIVE_IDLE_MAX_S + 1), -EINVAL);
    assert_int_equal(keepalive_begin(-1, 1), -EBADF);
    loopback_close(&loopback);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_hands_it_on),
        cmocka_unit_test(zero_sets_nothing),
        cmocka_unit_test(the_kernel_takes_the_longest_and_no_longer),
    };
    return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
