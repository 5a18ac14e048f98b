#include "../unit.h"

#include "../loopback.h"
#include "audit/growth.h"
#include "audit/stock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static struct stock stock_of(pid_t pid, uint16_t port)
{
    const struct server_processes server = {.each = &pid, .listening = 1, .count = 1};
    struct stock stock;
    int error = 0;
    const struct witness_backend *witness = witness_choose(0, &error);
    assert_non_null(witness);
    assert_int_equal(stock_take(&server, witness, port, NULL, &stock), 0);
    return stock;
}

static int64_t count_of(const struct stock *stock, enum stock_kind kind)
{
    int64_t count = 0;
    for (size_t i = 0; i < stock->count; i++)
        count += stock->each[i].kind == kind;
    return count;
}

static uint16_t port_of(const struct loopback *loopback)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    struct address address;
    uint16_t port = 0;
    assert_int_equal(getsockname(loopback->listener, (struct sockaddr *)&own, &length), 0);
    assert_int_equal(address_from_sockaddr(&own, &address, &port), 0);
    return port;
}

static const struct stock_thing *thing_of(const struct stock *stock, int fd)
{
    struct stat of_fd;
    assert_int_equal(fstat(fd, &of_fd), 0);
    return stock_find(stock, of_fd.st_ino);
}

static void each_kind_is_counted_once(void **state)
{
    (void)state;
    struct stock before = stock_of(getpid(), 1), after;
    int ends[2], pair[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int fds[] = {epoll_create1(0),
                 eventfd(0, 0),
                 timerfd_create(CLOCK_MONOTONIC, 0),
                 open("/dev/null", O_RDONLY),
                 socket(AF_INET, SOCK_DGRAM, 0),
                 socket(AF_INET, SOCK_STREAM, 0)};
    int copy = dup(ends[0]);
    after = stock_of(getpid(), 1);
    static const int64_t more[STOCK_KIND_COUNT] = {
        [STOCK_PIPE] = 1,    [STOCK_EPOLL] = 1, [STOCK_EVENTFD] = 1,
        [STOCK_TIMERFD] = 1, [STOCK_FILE] = 1,  [STOCK_SOCKET] = 4};
    for (int kind = 0; kind < STOCK_KIND_COUNT; kind++)
        assert_int_equal(count_of(&after, (enum stock_kind)kind) - count_of(&before, (enum stock_kind)kind),
                         more[kind]);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    close(copy);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(pair[i]);
    }
    stock_free(&before);
    stock_free(&after);
}

static void a_connection_is_known_by_its_side_and_its_queues(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    uint16_t port = port_of(&loopback);
    assert_int_equal(write(loopback.client, "four", 4), 4);
    struct stock stock = stock_of(getpid(), port);
    const struct stock_thing *listener = thing_of(&stock, loopback.listener);
    const struct stock_thing *server = thing_of(&stock, loopback.server);
    const struct stock_thing *client = thing_of(&stock, loopback.client);
    assert_int_equal(listener->kind, STOCK_TCP_LISTENS);
    assert_int_equal(server->kind, STOCK_TCP_ACCEPTED);
    assert_true(server->is_front);
    assert_int_equal(server->unread, 4);
    assert_int_equal(client->kind, STOCK_TCP_OUTGOING);
    assert_false(client->is_front);
    assert_int_equal(client->peer_port, port);
    assert_int_equal(client->state, STATE_ESTABLISHED);
    stock_free(&stock);
    reset_connection(&loopback.client);
    assert_soon(state_of(loopback.server) == STATE_CLOSE);
    stock = stock_of(getpid(), port);
    assert_int_equal(thing_of(&stock, loopback.server)->kind, STOCK_GHOST);
    stock_free(&stock);
    close(loopback.server);
    close(loopback.listener);
}

static void a_process_that_has_ended_holds_nothing(void **state)
{
    (void)state;
    int error = 0, status;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
    pid_t both[] = {getpid(), child};
    const struct server_processes server = {.each = both, .listening = 1, .count = 2};
    const struct server_processes only = {.each = &child, .listening = 1, .count = 1};
    struct stock stock;
    assert_int_equal(stock_take(&server, witness_choose(0, &error), 1, NULL, &stock), 0);
    assert_int_equal(stock.process_count, 1);
    stock_free(&stock);
    assert_int_equal(stock_take(&only, witness_choose(0, &error), 1, NULL, &stock), -ESRCH);
    assert_int_equal(stock.count, 0);
}

/* What was there before does not count, and one reading is none. */
static void ghosts_are_new_and_stay(void **state)
{
    (void)state;
    pid_t owner;
    struct growth growth = {.first = {0}};
    int old = loopback_ghost();
    struct stock stock = stock_of(getpid(), 0);
    growth_begin(&growth, &stock);
    int fresh = loopback_ghost();
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    assert_int_equal(getsockname(fresh, (struct sockaddr *)&own, &length), 0);
    const uint16_t port = ntohs(own.sin_port);
    stock = stock_of(getpid(), port);
    growth_read(&growth, &stock, 1);
    assert_int_equal(growth_ghosts(&growth, &owner), 0);
    stock = stock_of(getpid(), port);
    growth_read(&growth, &stock, 1);
    assert_int_equal(growth_ghosts(&growth, &owner), 1);
    assert_int_equal(owner, getpid());
    close(fresh);
    close(old);
    stock = stock_of(getpid(), port);
    growth_read(&growth, &stock, 1);
    assert_int_equal(growth_ghosts(&growth, &owner), 0);
    growth_free(&growth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_counted_once),
        cmocka_unit_test(a_connection_is_known_by_its_side_and_its_queues),
        cmocka_unit_test(a_process_that_has_ended_holds_nothing),
        cmocka_unit_test(ghosts_are_new_and_stay),
    };
    return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
