#include "../unit.h"

#include "../loopback.h"
#include "kernel/listen_socket.h"
#include "kernel/local_port.h"

#include <errno.h>

/* Two servers, and a client's connection to the first from a port that is not the second's to know. */
static void a_port_that_was_had_is_had_again_beside_another_connection_from_it(void **state)
{
    (void)state;
    struct loopback one = loopback_pair(), other = loopback_listen();
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&other.target.address, other.target.ports.first, &where);
    uint16_t port = listen_socket_port(one.client);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = local_port_take(fd, AF_INET, port);
    if (rc == -EADDRINUSE)
        skip(); /* this kernel has no IP_LOCAL_PORT_RANGE */
    assert_int_equal(rc, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, length), 0);
    assert_int_equal(listen_socket_port(fd), port);
    reset_connection(&fd);
    loopback_close(&other);
    loopback_close(&one);
}

static void what_is_reserved_can_be_had_again(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&loopback.target.address, loopback.target.ports.first, &where);
    uint16_t port = 0;
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(i == 0 ? local_port_reserve(fd, AF_INET) : local_port_take(fd, AF_INET, port), 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&where, length), 0);
        if (i == 1)
            assert_int_equal(listen_socket_port(fd), port);
        port = listen_socket_port(fd);
        reset_connection(&fd);
    }
    loopback_close(&loopback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_that_was_had_is_had_again_beside_another_connection_from_it),
        cmocka_unit_test(what_is_reserved_can_be_had_again),
    };
    return cmocka_run_group_tests_name("local_port", tests, NULL, NULL);
}
