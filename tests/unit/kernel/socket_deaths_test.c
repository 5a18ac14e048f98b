#include "../unit.h"

#include "../loopback.h"
#include "../namespace_child.h"
#include "kernel/socket_deaths.h"

#include <errno.h>
#include <unistd.h>

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
    return cookie;
}

struct seen {
    int count;
    uint64_t wanted;
    bool found;
    struct socket_life it;
};

static int note(void *context, const struct socket_life *socket)
{
    struct seen *seen = context;
    seen->count++;
    if (socket->cookie == seen->wanted) {
        seen->found = true;
        seen->it = *socket;
    }
    return 0;
}

static bool has_died(struct socket_deaths *deaths, struct seen *seen)
{
    return socket_deaths_read(deaths, note, seen) == 0 && seen->found;
}

static void a_socket_that_ends_is_told_with_its_cookie_and_its_life(void **state)
{
    (void)state;
    struct socket_deaths deaths;
    assert_int_equal(socket_deaths_open(&deaths, 1 << 20), 0);
    struct loopback loopback = loopback_pair();
    uint16_t port = loopback.target.ports.first;
    assert_int_equal(send(loopback.client, "hello", 5, 0), 5);
    await_readable(loopback.server);
    struct seen seen = {.wanted = cookie_of(loopback.server)};
    assert_true(seen.wanted != 0);
    assert_int_equal(socket_deaths_read(&deaths, note, &seen), 0);
    assert_false(seen.found);
    close(loopback.server); /* with data unread: a reset */
    loopback.server = -1;
    assert_soon(has_died(&deaths, &seen));
    assert_int_equal(seen.it.entry.local_port, port);
    assert_int_equal(seen.it.entry.inode, 0);
    assert_int_equal(seen.it.entry.unread, 5);
    assert_true(seen.it.life.is_known);
    assert_int_equal(seen.it.life.data_segs_in, 1);
    assert_int_equal(seen.it.life.data_segs_out, 0);
    loopback_close(&loopback);
    socket_deaths_close(&deaths);
}

static void more_than_there_is_room_for_is_said(void **state)
{
    (void)state;
    struct socket_deaths deaths;
    assert_int_equal(socket_deaths_open(&deaths, 4096), 0);
    struct seen seen = {0};
    /* The kernel tells a little later, on a thread of its own: what is read meanwhile makes room. */
    for (int try = 0; try < 50 && deaths.dropped == 0; try++) {
        for (int i = 0; i < 100; i++) {
            struct loopback loopback = loopback_pair();
            loopback_close(&loopback);
        }
        usleep(20000);
        assert_int_equal(socket_deaths_read(&deaths, note, &seen), 0);
    }
    assert_true(deaths.dropped > 0);
    socket_deaths_close(&deaths);
}

static void as_nobody(void)
{
    child_become_nobody();
    struct socket_deaths deaths;
    CHECK(socket_deaths_open(&deaths, 1 << 16) == 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    struct seen seen = {.wanted = cookie_of(fd)};
    close(fd);
    CHECK(socket_deaths_read(&deaths, note, &seen) == 0);
    socket_deaths_close(&deaths);
}

static void no_right_is_needed(void **state)
{
    (void)state;
    in_child(as_nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_ends_is_told_with_its_cookie_and_its_life),
        cmocka_unit_test(more_than_there_is_room_for_is_said),
        cmocka_unit_test(no_right_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
