#include "../unit.h"

#include "../fake_witness.h"
#include "audit/server_side.h"

#include <errno.h>

static struct audit_settings settings_at(const char *address)
{
    return (struct audit_settings){.address = address_of(address), .port = 8080};
}

static struct socket_entry listener(const char *address, uint32_t queued, int64_t backlog)
{
    struct socket_entry entry = fake_socket(STATE_LISTEN, address, 8080, "0.0.0.0", 0);
    entry.unread = queued;
    entry.backlog = backlog;
    entry.inode = 7;
    return entry;
}

static int look_at(const struct audit_settings *settings, struct audit_look *look)
{
    return server_side_look_at_listeners(&fake_witness, settings, look);
}

static void the_fullest_accept_queue_says_how_much_room_there_is(void **state)
{
    (void)state;
    static struct audit_look look;
    const struct audit_settings settings = settings_at("127.0.0.1");
    const struct socket_entry entries[] = {listener("127.0.0.1", 1, 128), listener("0.0.0.0", 3, 5),
                                           listener("127.0.0.2", 9, 9)};
    fake_these(entries);
    assert_int_equal(look_at(&settings, &look), 0);
    assert_int_equal(look.listener_count, 2);
    assert_int_equal(look.queued, 4);
    assert_int_equal(look.room, 2);
}

static void room_is_none_when_it_is_full_and_unknown_without_a_backlog(void **state)
{
    (void)state;
    static struct audit_look look;
    const struct audit_settings settings = settings_at("127.0.0.1");
    const struct socket_entry full[] = {listener("127.0.0.1", 6, 5)},
                              unknown[] = {listener("127.0.0.1", 0, -1)},
                              least[] = {listener("127.0.0.1", 0, 0)};
    fake_these(full);
    assert_int_equal(look_at(&settings, &look), 0);
    assert_int_equal(look.room, 0);
    fake_these(unknown);
    assert_int_equal(look_at(&settings, &look), 0);
    assert_int_equal(look.room, -1);
    fake_these(least);
    assert_int_equal(look_at(&settings, &look), 0);
    assert_int_equal(look.room, 1);
}

/* Half of the tables is none: ends that were not read would be taken for ends that are not there. */
static void a_failed_dump_of_either_family_is_an_error(void **state)
{
    (void)state;
    static struct audit_look look;
    struct probe probe = {.fd = -1};
    struct audit_sight sight;
    const struct audit_settings settings = settings_at("127.0.0.1");
    const struct socket_entry entries[] = {listener("127.0.0.1", 0, 5)};
    look.sights = &sight;
    for (int family = 0; family < 2; family++) {
        fake_these(entries);
        fake_sockets.error[family] = -EIO;
        assert_int_equal(look_at(&settings, &look), -EIO);
        assert_int_equal(server_side_look(&fake_witness, &settings, &probe, 1, &look), -EIO);
        assert_int_equal(server_side_listens(&fake_witness, &settings.address, 8080), -EIO);
    }
}

static void a_kernel_without_ipv6_is_none(void **state)
{
    (void)state;
    static struct audit_look look;
    const struct audit_settings settings = settings_at("127.0.0.1");
    const struct socket_entry entries[] = {listener("127.0.0.1", 0, 5)};
    fake_these(entries);
    fake_sockets.error[1] = -ENOENT;
    assert_int_equal(look_at(&settings, &look), 0);
    assert_int_equal(server_side_listens(&fake_witness, &settings.address, 8080), 1);
    assert_int_equal(server_side_listens(&fake_witness, &settings.address, 8081), 0);
}

static void both_ends_of_a_probe_are_seen_also_where_ipv4_is_mapped(void **state)
{
    (void)state;
    static struct audit_look look;
    struct probe probe = {.fd = -1, .port = 40000, .address = address_of("127.0.0.1")};
    struct audit_sight sight;
    const struct audit_settings settings = settings_at("127.0.0.1");
    struct socket_entry entries[] = {
        fake_socket(STATE_FIN_WAIT2, "127.0.0.1", 40000, "127.0.0.1", 8080),
        fake_socket(STATE_CLOSE_WAIT, "::ffff:127.0.0.1", 8080, "::ffff:127.0.0.1", 40000),
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.1", 8080, "127.0.0.1", 40001)};
    entries[1].inode = 9;
    look.sights = &sight;
    fake_these(entries);
    assert_int_equal(server_side_look(&fake_witness, &settings, &probe, 1, &look), 0);
    assert_true(sight.own_seen && sight.server_seen);
    assert_int_equal(sight.own_state, STATE_FIN_WAIT2);
    assert_int_equal(sight.server_state, STATE_CLOSE_WAIT);
    assert_int_equal(sight.inode, 9);
}

static void only_an_address_of_this_machine_is_here(void **state)
{
    (void)state;
    const struct address loopback = address_of("127.0.0.1"), documentation = address_of("192.0.2.1");
    assert_int_equal(server_side_is_here(&loopback), 1);
    assert_int_equal(server_side_is_here(&documentation), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_accept_queue_says_how_much_room_there_is),
        cmocka_unit_test(room_is_none_when_it_is_full_and_unknown_without_a_backlog),
        cmocka_unit_test(a_failed_dump_of_either_family_is_an_error),
        cmocka_unit_test(a_kernel_without_ipv6_is_none),
        cmocka_unit_test(both_ends_of_a_probe_are_seen_also_where_ipv4_is_mapped),
        cmocka_unit_test(only_an_address_of_this_machine_is_here),
    };
    return cmocka_run_group_tests_name("server_side", tests, NULL, NULL);
}
