#include "../unit.h"

#include "../namespace_child.h"
#include "kernel/packet_drop.h"
#include "kernel/tcp_state.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

enum { DEADLINE_MS = 5000, LONG_ENOUGH_MS = 100 };

struct pair {
    int listener, client, server;
};

static struct sockaddr_in listen_within(struct pair *pair)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    pair->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(pair->listener, (struct sockaddr *)&where, length) == 0 && listen(pair->listener, 8) == 0);
    CHECK(getsockname(pair->listener, (struct sockaddr *)&where, &length) == 0);
    return where;
}

static struct pair open_within(void)
{
    struct pair pair;
    child_enter(0);
    struct sockaddr_in where = listen_within(&pair);
    pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(pair.client, (struct sockaddr *)&where, sizeof where) == 0);
    pair.server = accept(pair.listener, NULL, NULL);
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

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool becomes(int fd, enum tcp_state state)
{
    for (int64_t deadline = now_ms() + DEADLINE_MS; now_ms() < deadline; usleep(1000))
        if (state_of(fd) == state)
            return true;
    return false;
}

static bool becomes_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, DEADLINE_MS) == 1;
}

static void check_that_it_stays(void)
{
    struct pair pair = open_within();
    CHECK(packet_drop_begin(pair.client) == 0);
    CHECK(shutdown(pair.server, SHUT_WR) == 0);
    usleep(LONG_ENOUGH_MS * 1000);
    CHECK(state_of(pair.server) == STATE_FIN_WAIT1);
    CHECK(state_of(pair.client) == STATE_ESTABLISHED);
}

static void a_deaf_end_does_not_hear_of_a_fin(void **state)
{
    (void)state;
    in_child(check_that_it_stays);
}

static void check_that_it_heals(void)
{
    struct pair pair = open_within();
    CHECK(packet_drop_begin(pair.client) == 0);
    CHECK(shutdown(pair.server, SHUT_WR) == 0);
    CHECK(packet_drop_end(pair.client) == 0);
    CHECK(becomes(pair.client, STATE_CLOSE_WAIT)); /* when the FIN has been sent again */
    CHECK(becomes(pair.server, STATE_FIN_WAIT2));
}

static void what_was_dropped_comes_again_when_it_hears(void **state)
{
    (void)state;
    in_child(check_that_it_heals);
}

static void check_that_it_speaks(void)
{
    struct pair pair = open_within();
    char byte = 0;
    CHECK(packet_drop_begin(pair.client) == 0);
    CHECK(send(pair.client, "x", 1, 0) == 1);
    CHECK(becomes_readable(pair.server));
    CHECK(recv(pair.server, &byte, 1, 0) == 1 && byte == 'x');
}

static void what_it_sends_goes_out(void **state)
{
    (void)state;
    in_child(check_that_it_speaks);
}

static void check_a_deaf_listener(void)
{
    struct pair pair;
    child_enter(0);
    struct sockaddr_in where = listen_within(&pair);
    CHECK(packet_drop_begin(pair.listener) == 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(connect(client, (struct sockaddr *)&where, sizeof where) != 0 && errno == EINPROGRESS);
    usleep(LONG_ENOUGH_MS * 1000);
    CHECK(state_of(client) == STATE_SYN_SENT);
    CHECK(packet_drop_end(pair.listener) == 0);
    CHECK(becomes(client, STATE_ESTABLISHED));
}

static void a_deaf_listener_answers_nobody(void **state)
{
    (void)state;
    in_child(check_a_deaf_listener);
}

static void check_a_deaf_client(void)
{
    struct pair pair;
    child_enter(0);
    struct sockaddr_in where = listen_within(&pair);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(packet_drop_begin(client) == 0);
    CHECK(connect(client, (struct sockaddr *)&where, sizeof where) != 0 && errno == EINPROGRESS);
    usleep(LONG_ENOUGH_MS * 1000);
    CHECK(state_of(client) == STATE_SYN_SENT); /* it does not hear the SYN, ACK */
    CHECK(packet_drop_end(client) == 0);
    CHECK(becomes(client, STATE_ESTABLISHED));
}

static void a_deaf_client_does_not_hear_the_answer(void **state)
{
    (void)state;
    in_child(check_a_deaf_client);
}

static void check_probe(void)
{
    child_enter(0);
    CHECK(packet_drop_probe() == 0);
}

static void the_root_of_a_namespace_may(void **state)
{
    (void)state;
    in_child(check_probe);
}

static void check_probe_as_nobody(void)
{
    child_become_nobody();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int probed = packet_drop_probe(); /* some kernels let everybody */
    CHECK(probed == 0 || probed == -EPERM);
    CHECK(packet_drop_begin(fd) == probed);
}

static void the_probe_says_what_would_be(void **state)
{
    (void)state;
    in_child(check_probe_as_nobody);
}

static void what_is_not_deaf_cannot_be_healed(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(packet_drop_end(fd), -ENOENT);
    close(fd);
}

static void what_is_no_socket_says_so(void **state)
{
    (void)state;
    assert_int_equal(packet_drop_begin(-1), -EBADF);
    assert_int_equal(packet_drop_end(-1), -EBADF);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(packet_drop_begin(fd), -ENOTSOCK);
    assert_int_equal(packet_drop_end(fd), -ENOTSOCK);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deaf_end_does_not_hear_of_a_fin),
        cmocka_unit_test(what_was_dropped_comes_again_when_it_hears),
        cmocka_unit_test(what_it_sends_goes_out),
        cmocka_unit_test(a_deaf_listener_answers_nobody),
        cmocka_unit_test(a_deaf_client_does_not_hear_the_answer),
        cmocka_unit_test(the_root_of_a_namespace_may),
        cmocka_unit_test(the_probe_says_what_would_be),
        cmocka_unit_test(what_is_not_deaf_cannot_be_healed),
        cmocka_unit_test(what_is_no_socket_says_so),
    };
    return cmocka_run_group_tests_name("packet_drop", tests, NULL, NULL);
}
