#include "../unit.h"

#include "kernel/ghost.h"
#include "kernel/min_ttl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { A_MOMENT_MS = 50, LATE_MS = 10000 };

struct place {
    struct sockaddr_storage where;
    socklen_t length;
    int listener;
};

static struct place listen_at(int family)
{
    struct place place = {.where.ss_family = (sa_family_t)family, .length = sizeof place.where};
    if (family == AF_INET6)
        ((struct sockaddr_in6 *)&place.where)->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)&place.where)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct sockaddr *where = (const struct sockaddr *)&place.where;
    socklen_t length = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (place.listener < 0 || bind(place.listener, where, length) != 0)
        skip(); /* a machine without IPv6 */
    assert_int_equal(listen(place.listener, 8), 0);
    assert_int_equal(getsockname(place.listener, (struct sockaddr *)&place.where, &place.length), 0);
    return place;
}

static int knock(const struct place *place)
{
    int fd = socket(place->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    int rc = connect(fd, (const struct sockaddr *)&place->where, place->length);
    assert_true(rc == 0 || errno == EINPROGRESS);
    return fd;
}

static bool is_answered(int fd, int within_ms)
{
    struct pollfd connected = {.fd = fd, .events = POLLOUT};
    return poll(&connected, 1, within_ms) == 1;
}

static void no_syn_is_answered(int family)
{
    struct place place = listen_at(family);
    int before = knock(&place);
    assert_true(is_answered(before, LATE_MS));
    assert_int_equal(min_ttl_begin(place.listener), 0);
    int client = knock(&place);
    assert_false(is_answered(client, A_MOMENT_MS));
    close(client);
    close(before);
    close(place.listener);
}

static void a_listener_that_is_deaf_answers_no_syn(void **state)
{
    (void)state;
    no_syn_is_answered(AF_INET);
}

static void nor_does_one_of_ipv6(void **state)
{
    (void)state;
    no_syn_is_answered(AF_INET6);
}

static void what_is_no_socket_is_refused(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(min_ttl_begin(ends[0]), -ENOTSOCK);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_that_is_deaf_answers_no_syn),
        cmocka_unit_test(nor_does_one_of_ipv6),
        cmocka_unit_test(what_is_no_socket_is_refused),
    };
    return cmocka_run_group_tests_name("min_ttl", tests, NULL, NULL);
}
