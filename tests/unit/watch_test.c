#include "unit.h"

#include "audit/watch.h"
#include "loopback.h"

static const struct watch_row *server_row(const struct watch_look *look)
{
    for (int i = 0; i < look->row_count; i++)
        if (look->rows[i].side == SIDE_SERVER)
            return &look->rows[i];
    return NULL;
}

static void a_server_in_close_wait_is_seen_and_ages(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    struct watch *watch = watch_new(&(struct watch_settings){.port = loopback.target.ports.first});
    assert_non_null(watch);
    struct watch_look look;
    assert_int_equal(watch_take(watch, true, &look), 0);
    assert_int_equal(look.sockets, 2);
    const struct watch_row *row = server_row(&look);
    assert_non_null(row);
    assert_int_equal(row->pid, getpid());
    assert_int_equal(row->of[STATE_ESTABLISHED], 1);
    assert_int_equal(row->oldest_ms, -1);

    close(loopback.client);
    await_readable(loopback.server);
    assert_int_equal(watch_take(watch, false, &look), 0);
    row = server_row(&look);
    assert_int_equal(row->of[STATE_CLOSE_WAIT], 1);
    assert_int_equal(row->unread, 1);
    assert_int_equal(row->unowned, 0);
    usleep(60000);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    watch_free(watch);

    /* A watch that begins later has it from the kernel, and keeps it. */
    watch = watch_new(&(struct watch_settings){.port = loopback.target.ports.first, .pid = getpid()});
    assert_int_equal(watch_take(watch, true, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    struct trend trend;
    assert_null(watch_growing(&look, &trend));
    close(loopback.server);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_null(server_row(&look));
    watch_free(watch);
    close(loopback.listener);
}

static void a_connection_that_nobody_accepted_has_no_owner(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    await_readable(loopback.listener);
    close(loopback.client);
    struct watch *watch = watch_new(&(struct watch_settings){.port = loopback.target.ports.first});
    struct watch_look look;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(watch_take(watch, true, &look), 0);
        if (server_row(&look)->of[STATE_CLOSE_WAIT] == 1)
            break;
        usleep(10000);
    }
    assert_int_equal(server_row(&look)->unowned, 1);
    assert_int_equal(server_row(&look)->pid, 0);
    assert_int_equal(look.hidden, 0);
    watch_free(watch);
    close(loopback.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_in_close_wait_is_seen_and_ages),
        cmocka_unit_test(a_connection_that_nobody_accepted_has_no_owner),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
