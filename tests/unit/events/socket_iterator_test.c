/* Real sockets in a network namespace of the test's own: both ways to look must tell the same. */
#include "../unit.h"

#include "../namespace_child.h"

#include "events/socket_iterator.h"
#include "kernel/listen_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

enum { PORT = 20000, TIMES = 3, DEADLINE_MS = 5000 };

static struct look_target target;
static struct histogram by_netlink[SIDE_COUNT], by_iterator[SIDE_COUNT];

static struct socket_iterator *open_or_skip(void)
{
    int error;
    struct socket_iterator *iterator = socket_iterator_open(&error);
    if (iterator == NULL)
        child_is_refused("a look that the kernel counts", -error);
    return iterator;
}

static int connect_to(const struct address *address, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&v6.sin6_addr, address->bytes, 16);
    memcpy(&v4.sin_addr, address->bytes, 4);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = address->family == AF_INET6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                                         : connect(fd, (struct sockaddr *)&v4, sizeof v4);
    CHECK(fd >= 0 && rc == 0);
    return fd;
}

/* A connection in each of the ways that a column tells apart, TIMES times. */
static void make_all(const struct address *address)
{
    int listener = listen_socket_open(address, PORT, 100);
    CHECK(listener >= 0);
    for (int i = 0; i < 5 * TIMES; i++) {
        int client = connect_to(address, PORT);
        int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(server >= 0);
        if (i % 5 == 0)
            CHECK(write(client, "data", 4) == 4 && close(client) == 0); /* CLOSE_WAIT unread, an orphan */
        if (i % 5 == 1)
            CHECK(shutdown(client, SHUT_WR) == 0 && read(server, &(char){0}, 1) == 0); /* FIN_WAIT2 owned */
        if (i % 5 == 2)
            CHECK(close(server) == 0 && close(client) == 0); /* TIME_WAIT */
        if (i % 5 == 3)
            CHECK(close(client) == 0 && close(server) == 0); /* on the other side */
    }
    for (int i = 0; i < TIMES; i++) {
        connect_to(address, PORT);                    /* in the accept queue */
        CHECK(close(connect_to(address, PORT)) == 0); /* and over */
    }
    CHECK(listen_socket_open(address, PORT + 9, 100) >= 0); /* none of the lanes */
    connect_to(address, PORT + 9);
}

static bool is_full(void)
{
    const struct histogram *server = &by_netlink[SIDE_SERVER], *client = &by_netlink[SIDE_CLIENT];
    return server->of[STATE_LISTEN] == 1 && server->queued == 2 * TIMES && server->unread >= TIMES &&
           server->unowned == TIMES && server->of[STATE_CLOSE_WAIT] == 3 * TIMES &&
           server->of[STATE_TIME_WAIT] == TIMES && client->of[STATE_TIME_WAIT] == TIMES &&
           client->half_closed == TIMES && client->of[STATE_FIN_WAIT2] == 3 * TIMES &&
           client->of[STATE_ESTABLISHED] == 2 * TIMES;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look_both_ways(struct socket_iterator *iterator, const char *address)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    target = (struct look_target){.ports = {PORT, PORT + 1}};
    CHECK(address_parse(address, &target.address));
    make_all(&target.address);
    do
        CHECK(witness_look(&witness_netlink, &target, by_netlink) == 0);
    while (!is_full() && now_ms() < deadline);
    CHECK(is_full());
    for (int i = 0; i < TIMES; i++) {
        CHECK(socket_iterator_look(iterator, &target, by_iterator) == 0);
        CHECK(memcmp(by_netlink, by_iterator, sizeof by_netlink) == 0);
    }
}

static void tell_what_netlink_tells(void)
{
    struct socket_iterator *iterator = open_or_skip();
    child_enter(0);
    look_both_ways(iterator, "127.0.0.1");
    look_both_ways(iterator, "::1");
    socket_iterator_close(iterator);
}

static void see_none_of_another_namespace(void)
{
    struct socket_iterator *iterator = open_or_skip();
    child_enter(0);
    look_both_ways(iterator, "127.0.0.1");
    child_enter(0);
    CHECK(socket_iterator_look(iterator, &target, by_iterator) == 0);
    CHECK(by_iterator[SIDE_SERVER].of[STATE_LISTEN] == 0 && histogram_ends(&by_iterator[SIDE_CLIENT]) == 0);
    socket_iterator_close(iterator);
}

static void refuse_nobody(void)
{
    int error = 0;
    child_become_nobody();
    CHECK(socket_iterator_open(&error) == NULL && error < 0);
    CHECK(open("/dev/null", O_RDONLY) < 10); /* no descriptor is left */
}

static void several_addresses_are_left_to_others(void)
{
    struct socket_iterator *iterator = open_or_skip();
    target = (struct look_target){.ports = {PORT, PORT}, .more_count = 1};
    CHECK(socket_iterator_look(iterator, &target, by_iterator) == -ENOTSUP);
    socket_iterator_close(iterator);
}

#define IN_CHILD(body)                                                                                       \
    static void test_##body(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        in_child(body);                                                                                      \
    }

IN_CHILD(tell_what_netlink_tells)
IN_CHILD(see_none_of_another_namespace)
IN_CHILD(refuse_nobody)
IN_CHILD(several_addresses_are_left_to_others)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tell_what_netlink_tells),
        cmocka_unit_test(test_see_none_of_another_namespace),
        cmocka_unit_test(test_refuse_nobody),
        cmocka_unit_test(test_several_addresses_are_left_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
