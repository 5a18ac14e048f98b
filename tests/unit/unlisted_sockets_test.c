#include "unit.h"

#include "loopback.h"
#include "tcp/unlisted_sockets.h"

#include <errno.h>

static void a_listener_and_connections_are_listed(void **state)
{
    (void)state;
    int64_t before = unlisted_sockets(getpid());
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    assert_int_equal(unlisted_sockets(getpid()), before);
    close(loopback.client);
    close(loopback.server);
    close(loopback.listener);
}

static void a_socket_that_never_connected_is_not_listed(void **state)
{
    (void)state;
    int64_t before = unlisted_sockets(getpid());
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(unlisted_sockets(getpid()), before + 1);
    int copy = dup(fd); /* of the same socket */
    assert_int_equal(unlisted_sockets(getpid()), before + 1);
    close(copy);
    close(fd);
    assert_int_equal(unlisted_sockets(getpid()), before);
}

static void what_two_processes_hold_counts_once(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const pid_t both[] = {getpid(), child};
    assert_int_equal(unlisted_sockets_of(both, 2), unlisted_sockets(getpid()));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(unlisted_sockets_of(both, 2), unlisted_sockets(getpid())); /* one has ended */
    assert_int_equal(unlisted_sockets(child), -ESRCH);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_and_connections_are_listed),
        cmocka_unit_test(a_socket_that_never_connected_is_not_listed),
        cmocka_unit_test(what_two_processes_hold_counts_once),
    };
    return cmocka_run_group_tests_name("unlisted_sockets", tests, NULL, NULL);
}
