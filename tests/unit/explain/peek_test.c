#include "../unit.h"

#include "../loopback.h"
#include "explain/peek.h"

#include <errno.h>

static void bytes_of_others_are_spelled_so_that_no_terminal_obeys_them(void **state)
{
    (void)state;
    char text[4 * PEEK_BYTES + 1], all[PEEK_BYTES + 10];
    peek_spell("GET /a HTTP/1.1\r\n", 17, text);
    assert_string_equal(text, "GET /a HTTP/1.1\\r\\n");
    peek_spell("\x1b[31m\"\\\0\xff", 9, text);
    assert_string_equal(text, "\\x1b[31m\\\"\\\\\\x00\\xff");
    memset(all, 1, sizeof all);
    peek_spell(all, sizeof all, text);
    assert_int_equal(strlen(text), 4 * PEEK_BYTES);
    peek_spell(all, 0, text);
    assert_string_equal(text, "");
}

static struct peeked peek_at(int fd, enum tcp_state socket_state, uint32_t unread, uint64_t inode)
{
    struct fact_process process = {.pid = getpid()};
    struct fact_socket socket = {
        .state = socket_state, .unread = unread, .inode = inode, .process = 0, .fd = fd};
    const int members[] = {0};
    const struct facts facts = {
        .processes = &process, .process_count = 1, .sockets = &socket, .socket_count = 1};
    const struct group group = {.members = members, .count = 1};
    return peek_group(&facts, &group);
}

static void one_of_a_group_is_looked_at(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    assert_int_equal(send(loopback.client, "PING\n", 5, 0), 5);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.server) == STATE_CLOSE_WAIT);
    uint64_t inode = inode_of(loopback.server);
    struct peeked peeked = peek_at(loopback.server, STATE_CLOSE_WAIT, 6, inode);
    if (peeked.error == EACCES || peeked.error == ENOSYS)
        skip();
    assert_int_equal(peeked.error, 0);
    assert_string_equal(peeked.text, "PING\\n");
    assert_int_equal(peek_at(loopback.server, STATE_CLOSE_WAIT, 1, inode).error, EAGAIN); /* the FIN alone */
    assert_int_equal(peek_at(loopback.server, STATE_CLOSE, 6, inode).error, EAGAIN);
    assert_int_equal(peek_at(-1, STATE_CLOSE_WAIT, 6, inode).error, EAGAIN);
    assert_int_equal(peek_at(loopback.client, STATE_CLOSE_WAIT, 6, inode).error, EBADF);
    loopback_close(&loopback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_others_are_spelled_so_that_no_terminal_obeys_them),
        cmocka_unit_test(one_of_a_group_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
