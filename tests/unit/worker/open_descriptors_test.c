#include "../unit.h"

#include "worker/open_descriptors.h"

#include "../loopback.h"

#include <errno.h>
#include <fcntl.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void nothing_is_held_at_first(void **state)
{
    (void)state;
    struct open_descriptors descriptors = {0};
    assert_int_equal(descriptors.count, 0);
    assert_int_equal(open_descriptors_ghosts(&descriptors), 0);
    open_descriptors_remove(&descriptors, 0);
    open_descriptors_remove(&descriptors, 12345);
    assert_int_equal(descriptors.count, 0);
    open_descriptors_abort_all(&descriptors);
}

static void what_is_added_is_counted_until_it_is_removed(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct open_descriptors descriptors = {0};
    assert_int_equal(open_descriptors_add(&descriptors, loopback.server), 0);
    assert_int_equal(open_descriptors_add(&descriptors, loopback.client), 0);
    assert_int_equal(descriptors.count, 2);
    open_descriptors_remove(&descriptors, loopback.client);
    assert_int_equal(descriptors.count, 1);
    assert_true(is_open(loopback.client));
    open_descriptors_remove(&descriptors, loopback.server);
    assert_int_equal(descriptors.count, 0);
    open_descriptors_abort_all(&descriptors);
    assert_true(is_open(loopback.server));
    loopback_close(&loopback);
}

static void adding_twice_or_removing_twice_counts_once(void **state)
{
    (void)state;
    struct open_descriptors descriptors = {0};
    assert_int_equal(open_descriptors_add(&descriptors, 7), 0);
    assert_int_equal(open_descriptors_add(&descriptors, 7), 0);
    assert_int_equal(descriptors.count, 1);
    open_descriptors_remove(&descriptors, 7);
    open_descriptors_remove(&descriptors, 7);
    assert_int_equal(descriptors.count, 0);
    open_descriptors_abort_all(&descriptors);
}

static void descriptors_beyond_the_capacity_make_it_grow(void **state)
{
    (void)state;
    static const int numbers[] = {0, 255, 256, 257, 1023, 1024, 20000, 1048575};
    struct open_descriptors descriptors = {0};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_int_equal(open_descriptors_add(&descriptors, numbers[i]), 0);
        assert_true(descriptors.capacity > numbers[i]);
        assert_int_equal(descriptors.count, i + 1);
    }
    for (int fd = 0, next = 0; fd < descriptors.capacity; fd++) {
        bool expected = next < (int)COUNT_OF(numbers) && fd == numbers[next];
        assert_int_equal(descriptors.is_held[fd], expected);
        next += expected;
    }
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        open_descriptors_remove(&descriptors, numbers[i]);
    assert_int_equal(descriptors.count, 0);
    open_descriptors_abort_all(&descriptors);
}

static void live_connections_are_no_ghosts(void **state)
{
    (void)state;
    struct loopback loopback = loopback_close_wait();
    struct open_descriptors descriptors = {0};
    open_descriptors_add(&descriptors, loopback.server);
    open_descriptors_add(&descriptors, loopback.client);
    assert_int_equal(open_descriptors_ghosts(&descriptors), 0);
    open_descriptors_remove(&descriptors, loopback.server);
    open_descriptors_remove(&descriptors, loopback.client);
    open_descriptors_abort_all(&descriptors);
    loopback_close(&loopback);
}

static void those_that_the_peer_reset_are_ghosts(void **state)
{
    (void)state;
    struct loopback reset = loopback_pair(), live = loopback_pair(), forgotten = loopback_pair();
    struct open_descriptors descriptors = {0};
    open_descriptors_add(&descriptors, reset.server);
    open_descriptors_add(&descriptors, live.server);
    open_descriptors_add(&descriptors, forgotten.server);
    open_descriptors_remove(&descriptors, forgotten.server);
    reset_connection(&reset.client);
    reset_connection(&forgotten.client);
    assert_soon(open_descriptors_ghosts(&descriptors) == 1);
    open_descriptors_remove(&descriptors, reset.server);
    assert_int_equal(open_descriptors_ghosts(&descriptors), 0);
    open_descriptors_remove(&descriptors, live.server);
    open_descriptors_abort_all(&descriptors);
    loopback_close(&reset);
    loopback_close(&live);
    loopback_close(&forgotten);
}

static void abort_all_resets_what_is_held_and_nothing_else(void **state)
{
    (void)state;
    struct loopback one = loopback_pair(), other = loopback_close_wait(), kept = loopback_pair();
    struct open_descriptors descriptors = {0};
    char byte;
    open_descriptors_add(&descriptors, one.server);
    open_descriptors_add(&descriptors, other.server);
    open_descriptors_abort_all(&descriptors);
    assert_false(is_open(one.server));
    assert_false(is_open(other.server));
    one.server = other.server = -1;
    assert_int_equal(recv(one.client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_soon(state_of(other.client) == STATE_CLOSE);
    assert_int_equal(state_of(kept.client), STATE_ESTABLISHED);
    assert_int_equal(descriptors.count, 0);
    assert_int_equal(descriptors.capacity, 0);
    loopback_close(&one);
    loopback_close(&other);
    loopback_close(&kept);
}

static void after_abort_all_it_can_be_filled_again(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct open_descriptors descriptors = {0};
    open_descriptors_add(&descriptors, 3000);
    open_descriptors_remove(&descriptors, 3000);
    open_descriptors_abort_all(&descriptors);
    assert_int_equal(open_descriptors_add(&descriptors, loopback.server), 0);
    assert_int_equal(descriptors.count, 1);
    open_descriptors_abort_all(&descriptors);
    loopback.server = -1;
    loopback_close(&loopback);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_at_first),
        cmocka_unit_test(what_is_added_is_counted_until_it_is_removed),
        cmocka_unit_test(adding_twice_or_removing_twice_counts_once),
        cmocka_unit_test(descriptors_beyond_the_capacity_make_it_grow),
        cmocka_unit_test(live_connections_are_no_ghosts),
        cmocka_unit_test(those_that_the_peer_reset_are_ghosts),
        cmocka_unit_test(abort_all_resets_what_is_held_and_nothing_else),
        cmocka_unit_test(after_abort_all_it_can_be_filled_again),
    };
    return cmocka_run_group_tests_name("open_descriptors", tests, NULL, NULL);
}
