#include "../unit.h"

#include "kernel/connection.h"

#include "../fake_witness.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct connection connection_at(const char *address)
{
    return (struct connection){.address = {address_of(address), address_of(address)}, .port = {15000, 40001}};
}

static void both_ends_are_found_by_both_addresses(void **state)
{
    (void)state;
    struct socket_entry sockets[] = {
        fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0),
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40002),
        fake_socket(STATE_ESTABLISHED, "127.0.0.2", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_FIN_WAIT2, "127.0.0.1", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.1", 40001, "127.0.0.1", 15000),
    };
    sockets[3].ends_in_ms = 42000;
    sockets[4].ends_in_ms = -1;
    fake_these(sockets);
    const struct connection connection = connection_at("127.0.0.1");
    struct end_sight ends[SIDE_COUNT];
    assert_int_equal(connection_look(&fake_witness, &connection, ends), 0);
    assert_int_equal(ends[SIDE_SERVER].state, STATE_FIN_WAIT2);
    assert_int_equal(ends[SIDE_SERVER].ends_in_ms, 42000);
    assert_int_equal(ends[SIDE_CLIENT].state, STATE_CLOSE_WAIT);
    assert_int_equal(ends[SIDE_CLIENT].ends_in_ms, -1);
}

static void an_end_in_no_table_is_gone_and_has_no_timer(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.count = 0};
    const struct connection connection = connection_at("127.0.0.1");
    struct end_sight ends[SIDE_COUNT] = {{STATE_TIME_WAIT, 1}, {STATE_TIME_WAIT, 1}};
    assert_int_equal(connection_look(&fake_witness, &connection, ends), 0);
    for (int side = 0; side < SIDE_COUNT; side++) {
        assert_int_equal(ends[side].state, STATE_GONE);
        assert_int_equal(ends[side].ends_in_ms, -1);
    }
}

static void an_ipv6_connection_is_looked_for_among_ipv6_sockets(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_ESTABLISHED, "127.0.0.1", 15000, "127.0.0.1", 40001),
        fake_socket(STATE_TIME_WAIT, "::1", 15000, "::1", 40001),
    };
    fake_these(sockets);
    const struct connection connection = connection_at("::1");
    struct end_sight ends[SIDE_COUNT];
    assert_int_equal(connection_look(&fake_witness, &connection, ends), 0);
    assert_int_equal(ends[SIDE_SERVER].state, STATE_TIME_WAIT);
    assert_int_equal(ends[SIDE_CLIENT].state, STATE_GONE);
}

static void a_failed_dump_fails_the_look(void **state)
{
    (void)state;
    fake_sockets = (struct fake_sockets){.error = {-EINTR, 0}};
    const struct connection connection = connection_at("127.0.0.1");
    struct end_sight ends[SIDE_COUNT];
    assert_int_equal(connection_look(&fake_witness, &connection, ends), -EINTR);
}

/* ---- a real one ---- */

struct pair {
    int client, server;
    uint16_t port;
};

/* On a port that the kernel chooses. */
static struct pair real_pair(const char *address)
{
    struct pair pair = {.port = 0};
    const struct address where = address_of(address);
    struct sockaddr_storage at;
    struct address same;
    socklen_t length = address_to_sockaddr(&where, 0, &at);
    int listener = socket(where.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pair.client = socket(where.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    assert_int_equal(address_from_sockaddr(&at, &same, &pair.port), 0);
    assert_int_equal(connect(pair.client, (struct sockaddr *)&at, length), 0);
    pair.server = accept(listener, NULL, NULL);
    assert_true(pair.server >= 0);
    close(listener);
    return pair;
}

static void close_pair(const struct pair *pair)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* no TIME_WAIT */
    close(pair->client);
    close(pair->server);
}

static void both_descriptors_name_the_same_connection(void **state)
{
    (void)state;
    struct pair pair = real_pair("127.0.0.1");
    struct connection by_server, by_client;
    assert_int_equal(connection_of(pair.server, SIDE_SERVER, &by_server), 0);
    assert_int_equal(connection_of(pair.client, SIDE_CLIENT, &by_client), 0);
    for (int side = 0; side < SIDE_COUNT; side++) {
        assert_true(address_equal(&by_server.address[side], &by_client.address[side]));
        assert_int_equal(by_server.port[side], by_client.port[side]);
    }
    assert_int_equal(by_server.port[SIDE_SERVER], pair.port);
    close_pair(&pair);
}

static void every_witness_that_works_sees_a_real_connection(void **state)
{
    (void)state;
    for (int choice = 1; witness_choices[choice] != NULL; choice++) {
        int error;
        const struct witness_backend *witness = witness_choose(choice, &error);
        if (witness == NULL)
            continue;
        struct pair pair = real_pair("127.0.0.1");
        struct connection connection;
        struct end_sight ends[SIDE_COUNT];
        assert_int_equal(connection_of(pair.server, SIDE_SERVER, &connection), 0);
        assert_int_equal(connection_look(witness, &connection, ends), 0);
        assert_int_equal(ends[SIDE_SERVER].state, STATE_ESTABLISHED);
        assert_int_equal(ends[SIDE_CLIENT].state, STATE_ESTABLISHED);
        assert_int_equal(ends[SIDE_SERVER].ends_in_ms, -1);
        close_pair(&pair);
    }
}

static void what_is_not_connected_is_refused(void **state)
{
    (void)state;
    struct connection connection;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connection_of(fd, SIDE_CLIENT, &connection), -ENOTCONN);
    close(fd);
    assert_int_equal(connection_of(-1, SIDE_CLIENT, &connection), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_are_found_by_both_addresses),
        cmocka_unit_test(an_end_in_no_table_is_gone_and_has_no_timer),
        cmocka_unit_test(an_ipv6_connection_is_looked_for_among_ipv6_sockets),
        cmocka_unit_test(a_failed_dump_fails_the_look),
        cmocka_unit_test(both_descriptors_name_the_same_connection),
        cmocka_unit_test(every_witness_that_works_sees_a_real_connection),
        cmocka_unit_test(what_is_not_connected_is_refused),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
