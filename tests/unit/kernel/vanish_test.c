#include "../unit.h"

#include "../namespace_child.h"
#include "kernel/tcp_state.h"
#include "kernel/vanish.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum { LONG_ENOUGH_MS = 100 };

struct pair {
    int client, server;
};

static struct pair open_within(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    struct pair pair;
    child_enter(0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&where, length) == 0 && listen(listener, 8) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&where, &length) == 0);
    pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(pair.client, (struct sockaddr *)&where, length) == 0);
    pair.server = accept(listener, NULL, NULL);
    CHECK(pair.server >= 0);
    return pair;
}

static enum tcp_state state_of(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    return (enum tcp_state)info.tcpi_state;
}

static void check_that_nothing_is_heard(void)
{
    struct pair pair = open_within();
    struct pollfd readable = {.fd = pair.server, .events = POLLIN | POLLRDHUP};
    CHECK(send(pair.server, "unread", 6, 0) == 6); /* a close() would send an RST */
    CHECK(vanish(pair.client) == 0);
    CHECK(fcntl(pair.client, F_GETFD) == -1 && errno == EBADF);
    CHECK(poll(&readable, 1, LONG_ENOUGH_MS) == 0);
    CHECK(state_of(pair.server) == STATE_ESTABLISHED);
}

static void the_other_side_hears_neither_fin_nor_rst(void **state)
{
    (void)state;
    in_child(check_that_nothing_is_heard);
}

static void check_that_who_asks_is_told(void)
{
    struct pair pair = open_within();
    struct pollfd readable = {.fd = pair.server, .events = POLLIN};
    char byte;
    CHECK(vanish(pair.client) == 0);
    CHECK(send(pair.server, "?", 1, 0) == 1);
    CHECK(poll(&readable, 1, 5000) == 1);
    CHECK(recv(pair.server, &byte, 1, 0) == -1 && errno == ECONNRESET);
}

static void who_asks_is_told_that_nobody_is_there(void **state)
{
    (void)state;
    in_child(check_that_who_asks_is_told);
}

static void check_the_probe(void)
{
    child_enter(0);
    CHECK(vanish_probe() == 0);
}

static void the_probe_says_what_would_happen(void **state)
{
    (void)state;
    in_child(check_the_probe);
    assert_true(vanish_probe() == 0 || vanish_probe() == -EPERM);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_side_hears_neither_fin_nor_rst),
        cmocka_unit_test(who_asks_is_told_that_nobody_is_there),
        cmocka_unit_test(the_probe_says_what_would_happen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
