#include "../unit.h"

#include "../loopback.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <fcntl.h>

static struct address loopback_address(int family)
{
    struct address address;
    assert_true(address_parse(family == AF_INET ? "127.0.0.1" : "::1", &address));
    return address;
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, option, &value, &length), 0);
    return value;
}

static void it_listens(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_true(option_of(loopback.listener, SO_ACCEPTCONN));
    assert_true(option_of(loopback.listener, SO_REUSEADDR));
    loopback_close(&loopback);
}

static void it_neither_blocks_nor_survives_exec(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_true(fcntl(loopback.listener, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(loopback.listener, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(accept(loopback.listener, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    loopback_close(&loopback);
}

static void port_0_is_one_that_the_kernel_chooses(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_int_not_equal(loopback.target.ports.first, 0);
    assert_int_equal(listen_socket_port(loopback.server), loopback.target.ports.first);
    loopback_close(&loopback);
}

static void ipv6_has_a_port_too(void **state)
{
    (void)state;
    struct address address = loopback_address(AF_INET6);
    int fd = listen_socket_open(&address, 0, 1);
    if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT) {
        print_message("no IPv6 here\n");
        skip();
    }
    assert_true(fd >= 0);
    assert_int_not_equal(listen_socket_port(fd), 0);
    close(fd);
}

static void a_port_that_is_taken_is_refused(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_int_equal(listen_socket_open(&loopback.target.address, loopback.target.ports.first, 1),
                     -EADDRINUSE);
    loopback_close(&loopback);
}

/* SO_REUSEADDR: the sockets of an earlier listener may still be there. */
static void a_port_is_free_again_while_its_connections_linger(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    close(loopback.listener);
    loopback.listener = listen_socket_open(&loopback.target.address, loopback.target.ports.first, 1);
    assert_true(loopback.listener >= 0);
    loopback_close(&loopback);
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct address address;
    assert_true(address_parse("192.0.2.1", &address));
    assert_int_equal(listen_socket_open(&address, 0, 1), -EADDRNOTAVAIL);
}

static void what_is_no_socket_has_no_port(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(listen_socket_port(ends[0]), 0);
    assert_int_equal(listen_socket_port(-1), 0);
    close(ends[0]);
    close(ends[1]);
}

/* ---- several on one port ---- */

static void those_that_share_listen_on_one_port(void **state)
{
    (void)state;
    struct address address = loopback_address(AF_INET);
    int fd[10];
    fd[0] = listen_socket_open_shared(&address, 0, 1);
    assert_true(fd[0] >= 0);
    uint16_t port = listen_socket_port(fd[0]);
    for (size_t i = 1; i < COUNT_OF(fd); i++) {
        fd[i] = listen_socket_open_shared(&address, port, 1);
        assert_true(fd[i] >= 0);
        assert_int_equal(listen_socket_port(fd[i]), port);
    }
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        assert_int_equal(state_of(fd[i]), STATE_LISTEN);
        close(fd[i]);
    }
}

static void who_does_not_share_keeps_the_port(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    assert_int_equal(listen_socket_open_shared(&loopback.target.address, loopback.target.ports.first, 1),
                     -EADDRINUSE);
    loopback_close(&loopback);
}

static void who_shares_admits_none_that_does_not(void **state)
{
    (void)state;
    struct address address = loopback_address(AF_INET);
    int fd = listen_socket_open_shared(&address, 0, 1);
    assert_true(fd >= 0);
    assert_int_equal(listen_socket_open(&address, listen_socket_port(fd), 1), -EADDRINUSE);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_listens),
        cmocka_unit_test(it_neither_blocks_nor_survives_exec),
        cmocka_unit_test(port_0_is_one_that_the_kernel_chooses),
        cmocka_unit_test(ipv6_has_a_port_too),
        cmocka_unit_test(a_port_that_is_taken_is_refused),
        cmocka_unit_test(a_port_is_free_again_while_its_connections_linger),
        cmocka_unit_test(an_address_that_is_not_ours_is_refused),
        cmocka_unit_test(what_is_no_socket_has_no_port),
        cmocka_unit_test(those_that_share_listen_on_one_port),
        cmocka_unit_test(who_does_not_share_keeps_the_port),
        cmocka_unit_test(who_shares_admits_none_that_does_not),
    };
    return cmocka_run_group_tests_name("listen_socket", tests, NULL, NULL);
}
