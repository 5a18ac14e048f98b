#include "../unit.h"

#include "../loopback.h"
#include "kernel/unlisted_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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

static void a_connection_that_is_over_is_not_listed(void **state)
{
    (void)state;
    int64_t before = unlisted_sockets(getpid());
    int fd = loopback_ghost();
    assert_int_equal(unlisted_sockets(getpid()), before + 1);
    int copy = dup(fd); /* of the same socket */
    assert_int_equal(unlisted_sockets(getpid()), before + 1);
    close(copy);
    close(fd);
    assert_int_equal(unlisted_sockets(getpid()), before);
}

/* As far as this machine lets it be known. */
static void a_socket_that_was_never_connected_is_no_connection(void **state)
{
    (void)state;
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int borrowed = (int)syscall(SYS_pidfd_getfd, self, 0, 0);
    if (borrowed < 0)
        skip();
    close(borrowed);
    close(self);
    int64_t before = unlisted_sockets(getpid());
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(unlisted_sockets(getpid()), before);
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(unlisted_sockets(getpid()), before);
    close(fd);
}

static void what_a_ghost_has_been_is_known(void **state)
{
    (void)state;
    struct stat of_fd;
    int fd = loopback_ghost();
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    assert_int_equal(fstat(fd, &of_fd), 0);
    struct unlisted_past past = unlisted_socket_past(getpid(), fd, of_fd.st_ino);
    if (past.port == 0)
        skip(); /* this machine does not let it be known */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
    assert_int_equal(past.port, ntohs(own.sin_port));
    assert_false(past.is_unused);
    assert_int_equal(unlisted_socket_past(getpid(), fd, of_fd.st_ino + 1).port, 0); /* another one by now */
    close(fd);
}

/* A helper that a server opens late is no connection of anybody. */
static void what_is_no_tcp_socket_counts_for_nothing(void **state)
{
    (void)state;
    int64_t before = unlisted_sockets(getpid());
    int udp = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(unlisted_sockets(getpid()), before);
    int mptcp = socket(AF_INET, SOCK_STREAM, 262); /* IPPROTO_MPTCP; not every kernel has it */
    assert_int_equal(unlisted_sockets(getpid()), before);
    close(udp);
    close(local);
    close(ends[0]);
    close(ends[1]);
    if (mptcp >= 0)
        close(mptcp);
}

static void what_two_processes_hold_counts_once(void **state)
{
    (void)state;
    struct unlisted_sockets of_both;
    int fd = loopback_ghost();
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const pid_t both[] = {getpid(), child};
    assert_int_equal(unlisted_sockets_read(both, 2, &of_both), 0);
    assert_int_equal(of_both.count, unlisted_sockets(getpid()));
    unlisted_sockets_free(&of_both);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(unlisted_sockets_read(both, 2, &of_both), 0); /* one has ended */
    assert_int_equal(of_both.count, unlisted_sockets(getpid()));
    unlisted_sockets_free(&of_both);
    assert_int_equal(unlisted_sockets(child), -ESRCH);
    close(fd);
}

static void each_is_found_by_its_inode_with_its_process(void **state)
{
    (void)state;
    struct unlisted_sockets found;
    struct stat of_fd;
    pid_t self = getpid();
    int fd = loopback_ghost();
    assert_int_equal(fstat(fd, &of_fd), 0);
    assert_int_equal(unlisted_sockets_read(&self, 1, &found), 0);
    assert_true(unlisted_sockets_have(&found, of_fd.st_ino));
    assert_false(unlisted_sockets_have(&found, of_fd.st_ino + 1));
    assert_int_equal(found.each[0].pid, self);
    unlisted_sockets_free(&found);
    assert_false(unlisted_sockets_have(&found, of_fd.st_ino));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_and_connections_are_listed),
        cmocka_unit_test(a_connection_that_is_over_is_not_listed),
        cmocka_unit_test(a_socket_that_was_never_connected_is_no_connection),
        cmocka_unit_test(what_a_ghost_has_been_is_known),
        cmocka_unit_test(what_is_no_tcp_socket_counts_for_nothing),
        cmocka_unit_test(what_two_processes_hold_counts_once),
        cmocka_unit_test(each_is_found_by_its_inode_with_its_process),
    };
    return cmocka_run_group_tests_name("unlisted_sockets", tests, NULL, NULL);
}
