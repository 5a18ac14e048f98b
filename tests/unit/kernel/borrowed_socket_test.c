#include "../unit.h"

#include "../loopback.h"
#include "../namespace_child.h"
#include "kernel/borrowed_socket.h"

#include <errno.h>
#include <fcntl.h>

static int handle_of(pid_t pid)
{
    int handle = borrowed_socket_process(pid);
    if (handle == -ENOSYS)
        skip();
    assert_true(handle >= 0);
    return handle;
}

static void a_ghost_of_another_process_tells_of_itself(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    uint16_t port = loopback.target.ports.first;
    assert_int_equal(send(loopback.client, "hello", 5, 0), 5);
    await_readable(loopback.server);
    uint16_t client_port = listen_socket_port(loopback.client);
    reset_connection(&loopback.client);
    assert_soon(state_of(loopback.server) == STATE_CLOSE);
    pid_t holder = fork_holder("holder");
    int handle = handle_of(holder);
    struct borrowed_socket borrowed;
    int rc = borrowed_socket_read(handle, loopback.server, inode_of(loopback.server), &borrowed);
    end_holder(holder);
    close(handle);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, 0);
    assert_int_equal(borrowed.state, STATE_CLOSE);
    assert_int_equal(borrowed.local_port, port);
    assert_int_equal(borrowed.peer_port, client_port);
    assert_true(borrowed.life.is_known);
    assert_int_equal(borrowed.life.data_segs_in, 1);
    assert_false(borrowed.keeps_alive);
    assert_true(borrowed.error_waits);
    /* a pending error is left to its owner */
    int error = 0;
    socklen_t length = sizeof error;
    assert_int_equal(getsockopt(loopback.server, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, ECONNRESET);
    handle = handle_of(getpid());
    assert_int_equal(borrowed_socket_read(handle, loopback.server, inode_of(loopback.server), &borrowed), 0);
    assert_false(borrowed.error_waits);
    assert_false(tcp_life_own_fin_acked(&borrowed.life, false));
    close(handle);
    loopback_close(&loopback);
}

static void another_socket_of_that_number_is_none(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct borrowed_socket borrowed;
    int handle = handle_of(getpid());
    int rc = borrowed_socket_read(handle, loopback.server, inode_of(loopback.client), &borrowed);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, -EBADF);
    assert_int_equal(borrowed_socket_read(handle, 9999, 1, &borrowed), -EBADF);
    assert_int_equal(borrowed_socket_read(handle, loopback.server, inode_of(loopback.server), &borrowed), 0);
    assert_int_equal(borrowed.state, STATE_ESTABLISHED);
    int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(borrowed_socket_read(handle, unix_socket, inode_of(unix_socket), &borrowed),
                     -EOPNOTSUPP);
    close(unix_socket);
    close(handle);
    loopback_close(&loopback);
    assert_int_equal(borrowed_socket_process(99999999), -ESRCH);
}

/* While a copy is open the owner's close() would send no FIN. */
static void nothing_is_kept_open(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct borrowed_socket borrowed;
    int handle = handle_of(getpid());
    (void)borrowed_socket_read(handle, loopback.server, inode_of(loopback.server), &borrowed);
    close(loopback.server);
    loopback.server = -1;
    await_readable(loopback.client);
    char byte;
    assert_int_equal(recv(loopback.client, &byte, 1, 0), 0);
    close(handle);
    loopback_close(&loopback);
}

static void what_nobody_has_read_is_seen_and_left_to_its_owner(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    char bytes[8] = "";
    int handle = handle_of(getpid());
    uint64_t inode = inode_of(loopback.server);
    int rc = borrowed_socket_peek(handle, loopback.server, inode, bytes, sizeof bytes);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(send(loopback.client, "hello, there", 12, 0), 12);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    assert_int_equal(borrowed_socket_peek(handle, loopback.server, inode, bytes, sizeof bytes), 8);
    assert_memory_equal(bytes, "hello, t", 8);
    char all[32];
    assert_int_equal(recv(loopback.server, all, sizeof all, MSG_DONTWAIT), 12);
    rc = borrowed_socket_peek(handle, loopback.server, inode, bytes, sizeof bytes);
    assert_int_equal(rc, -EAGAIN); /* but for a FIN there is nothing */
    assert_int_equal(borrowed_socket_peek(handle, loopback.listener, inode_of(loopback.listener), bytes, 8),
                     -ENOTCONN);
    close(handle);
    loopback_close(&loopback);
}

/* The owner hears of it, not we. */
static void a_reset_is_left_to_its_owner(void **state)
{
    (void)state;
    int ghost = loopback_ghost(), handle = handle_of(getpid());
    char bytes[8];
    int rc = borrowed_socket_peek(handle, ghost, inode_of(ghost), bytes, sizeof bytes);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, -ENOTCONN);
    assert_int_equal(recv(ghost, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(handle);
    close(ghost);
}

static bool agrees(const void *context, const struct borrowed_socket *now)
{
    const enum tcp_state *wanted = context;
    return now->state == *wanted && now->life.is_known;
}

static void it_is_shut_down_only_while_it_is_what_it_was(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    int handle = handle_of(getpid()), fd = loopback.client;
    uint64_t inode = inode_of(fd);
    const enum tcp_state other = STATE_CLOSE_WAIT, its = STATE_ESTABLISHED;
    int rc = borrowed_socket_shutdown(handle, fd, inode, SHUT_WR, agrees, &other);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, -ESTALE);
    assert_int_equal(borrowed_socket_shutdown(handle, fd, inode + 1, SHUT_WR, agrees, &its), -EBADF);
    assert_int_equal(state_of(loopback.server), STATE_ESTABLISHED);
    assert_int_equal(borrowed_socket_shutdown(handle, fd, inode, SHUT_WR, agrees, &its), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    assert_int_equal(fcntl(fd, F_GETFD) >= 0, 1);
    close(handle);
    loopback_close(&loopback);
}

static void of_root_as_nobody(void)
{
    pid_t parent = getppid();
    child_become_nobody();
    int handle = borrowed_socket_process(parent);
    struct borrowed_socket borrowed;
    if (handle == -ENOSYS || geteuid() == 0)
        child_is_refused("to be another user", EPERM);
    CHECK(handle >= 0);
    int rc = borrowed_socket_read(handle, 0, 1, &borrowed);
    CHECK(rc == -EACCES || rc == -ENOSYS);
}

static void a_process_of_others_is_not_ours_to_look_into(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    in_child(of_root_as_nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ghost_of_another_process_tells_of_itself),
        cmocka_unit_test(another_socket_of_that_number_is_none),
        cmocka_unit_test(nothing_is_kept_open),
        cmocka_unit_test(what_nobody_has_read_is_seen_and_left_to_its_owner),
        cmocka_unit_test(a_reset_is_left_to_its_owner),
        cmocka_unit_test(it_is_shut_down_only_while_it_is_what_it_was),
        cmocka_unit_test(a_process_of_others_is_not_ours_to_look_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
