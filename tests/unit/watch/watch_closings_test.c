#include "../unit.h"

#include "watch/watch_closings.h"

#include <stdlib.h>

enum { PORT = 8080, S = 1000000 };

/* A count whose looks and news are made here. Its clock begins at 100 s. */
struct scene {
    struct watch_closings *closings;
    bool serves[65536];
};

static int begin(void **state)
{
    struct scene *scene = test_calloc(1, sizeof *scene);
    scene->closings = watch_closings_new(0, 100 * S);
    assert_non_null(scene->closings);
    scene->serves[PORT] = true;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    watch_closings_free(scene->closings);
    test_free(scene);
    return 0;
}

/* The socket of that number: on the server's side its cookie, and its client's port, follow from that. */
static struct socket_entry server_end(int number, enum tcp_state state)
{
    return (struct socket_entry){.state = state,
                                 .local = {.family = AF_INET, .bytes = {127, 0, 0, 1}},
                                 .remote = {.family = AF_INET, .bytes = {127, 0, 0, 1}},
                                 .local_port = PORT,
                                 .remote_port = (uint16_t)(20000 + number),
                                 .cookie = (uint64_t)number,
                                 .inode = state == STATE_TIME_WAIT ? 0 : 1,
                                 .heard_ms = -1,
                                 .fin_most_ms = -1};
}

/* A look of that second; `count` sockets. */
static void look(struct scene *scene, int s, const struct socket_entry *sockets, int count)
{
    assert_int_equal(watch_closings_begin_look(scene->closings, (int64_t)s * S), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(watch_closings_see(scene->closings, &sockets[i], (int64_t)s * S), 0);
    assert_int_equal(watch_closings_end_look(scene->closings, scene->serves, (int64_t)s * S), 0);
}

/* In orderly fashion, unless it was reset. */
static void ends(struct scene *scene, int number, int64_t us, bool by_reset)
{
    const struct socket_life socket = {
        .entry = server_end(number, STATE_CLOSE),
        .cookie = (uint64_t)number,
        .life = {
            .is_known = true, .knows_data_sent = true, .data_sent = 10, .bytes_acked = by_reset ? 10 : 11}};
    assert_int_equal(watch_closings_hear(scene->closings, &socket, us - 50000, us), 0);
}

static const struct closing_row *only_row(const struct scene *scene)
{
    struct closing_rows rows = watch_closings_rows(scene->closings, 100 * S);
    assert_int_equal(rows.count, 1);
    assert_int_equal(rows.each[0].side, SIDE_SERVER);
    assert_int_equal(rows.each[0].port, PORT);
    return &rows.each[0];
}

#define assert_within(bounds, least_s, most_s)                                                               \
    do {                                                                                                     \
        assert_true((double)(bounds).least_us / S <= (least_s) &&                                            \
                    (double)(bounds).least_us / S >= (least_s)*0.87);                                        \
        assert_true((double)(bounds).most_us / S >= (most_s) &&                                              \
                    (double)(bounds).most_us / S <= (most_s)*1.13 + 0.001);                                  \
    } while (0)

static void what_two_looks_meet_is_known_within_what_lies_between_them(void **state)
{
    struct scene *scene = *state;
    const struct socket_entry open = server_end(1, STATE_ESTABLISHED),
                              waits = server_end(1, STATE_CLOSE_WAIT);
    look(scene, 100, &open, 1);
    look(scene, 101, &waits, 1);
    look(scene, 102, &waits, 1);
    ends(scene, 1, 103 * S + 500000, false);
    look(scene, 104, NULL, 0);
    const struct closing_row *row = only_row(scene);
    assert_int_equal(closing_row_count(row), 1);
    assert_within(closing_row_quantile(row, 0.5), 2.45, 3.5);
}

/* heard_ms is exact where nothing can have come since: fin_most_ms. */
static void the_kernels_word_narrows_it(void **state)
{
    struct scene *scene = *state;
    struct socket_entry waits = server_end(1, STATE_CLOSE_WAIT);
    waits.heard_ms = waits.fin_most_ms = 200;
    look(scene, 100, NULL, 0);
    look(scene, 101, &waits, 1);
    ends(scene, 1, 104 * S, false);
    look(scene, 105, NULL, 0);
    assert_within(closing_row_quantile(only_row(scene), 0.5), 3.15, 3.2);
}

static void what_no_look_has_met_took_less_than_the_time_between_two(void **state)
{
    struct scene *scene = *state;
    look(scene, 100, NULL, 0);
    ends(scene, 1, 100 * S + 700000, false);
    look(scene, 101, NULL, 0);
    struct closing_bounds bounds = closing_row_quantile(only_row(scene), 0.5);
    assert_int_equal(bounds.least_us, 0);
    assert_true(bounds.most_us >= 700000 && bounds.most_us <= 800000);
}

/* Its timewait socket has another cookie, as no look had given it one. */
static void who_closed_first_is_none(void **state)
{
    struct scene *scene = *state;
    struct socket_entry left = server_end(1, STATE_TIME_WAIT);
    left.cookie = 77;
    look(scene, 100, NULL, 0);
    ends(scene, 1, 100 * S + 700000, false);
    look(scene, 101, &left, 1);
    assert_int_equal(watch_closings_rows(scene->closings, 101 * S).count, 0);
}

static void a_reset_is_none_unless_it_ends_close_wait(void **state)
{
    struct scene *scene = *state;
    const struct socket_entry waits = server_end(2, STATE_CLOSE_WAIT);
    look(scene, 100, NULL, 0);
    ends(scene, 1, 100 * S + 700000, true);
    look(scene, 101, &waits, 1);
    assert_int_equal(watch_closings_rows(scene->closings, 101 * S).each[0].least.count, 0);
    ends(scene, 2, 101 * S + 500000, true);
    look(scene, 102, NULL, 0);
    assert_int_equal(only_row(scene)->least.count, 1);
}

/* It closed first, more than a minute ago, and kept its descriptor: its timewait socket has gone. */
static void an_old_ghost_is_none(void **state)
{
    struct scene *scene = *state;
    const struct socket_life socket = {
        .entry = server_end(1, STATE_CLOSE),
        .cookie = 1,
        .life = {.is_known = true, .knows_data_sent = true, .bytes_acked = 1, .last_ack_recv_ms = 70000}};
    look(scene, 100, NULL, 0);
    assert_int_equal(watch_closings_hear(scene->closings, &socket, 100 * S, 100 * S + 500000), 0);
    look(scene, 101, NULL, 0);
    assert_int_equal(watch_closings_rows(scene->closings, 101 * S).count, 0);
}

/* With those that were there before, those that stay long would be too many. */
static void what_waited_before_the_count_began_is_none(void **state)
{
    struct scene *scene = *state;
    const struct socket_entry waits = server_end(1, STATE_CLOSE_WAIT);
    look(scene, 100, &waits, 1);
    look(scene, 101, &waits, 1);
    assert_int_equal(watch_closings_rows(scene->closings, 101 * S).count, 0);
    ends(scene, 1, 101 * S + 500000, false);
    look(scene, 102, NULL, 0);
    assert_int_equal(watch_closings_rows(scene->closings, 102 * S).count, 0);
}

/* In LAST_ACK, or a ghost: no table has it in CLOSE_WAIT any more. */
static void what_has_not_ended_is_open_wherever_it_is(void **state)
{
    struct scene *scene = *state;
    struct socket_entry sockets[200];
    for (int i = 0; i < 200; i++)
        sockets[i] = server_end(i + 1, STATE_CLOSE_WAIT);
    look(scene, 100, NULL, 0);
    look(scene, 101, sockets, 200);
    for (int i = 0; i < 190; i++)
        ends(scene, i + 1, 102 * S, false);
    look(scene, 103, NULL, 0);
    look(scene, 181, NULL, 0);
    const struct closing_row *row = only_row(scene);
    assert_int_equal(closing_row_count(row), 200);
    assert_int_equal(row->open.count, 10);
    assert_within(closing_row_quantile(row, 0.5), 0.95, 2);
    assert_int_equal(closing_row_quantile(row, 0.99).most_us, INT64_MAX);
    assert_true(closing_row_quantile(row, 0.99).least_us >= 69 * S);
    struct closing_over over = closing_row_over(row, 60 * S);
    assert_int_equal(over.least, 10);
    assert_int_equal(over.most, 10);
    ends(scene, 195, 181 * S + 500000, false);
    look(scene, 182, NULL, 0);
    assert_int_equal(only_row(scene)->open.count, 9);
}

static void a_socket_that_a_look_meets_twice_counts_once(void **state)
{
    struct scene *scene = *state;
    const struct socket_entry twice[] = {server_end(1, STATE_CLOSE_WAIT), server_end(1, STATE_CLOSE_WAIT)};
    look(scene, 100, NULL, 0);
    look(scene, 101, twice, 2);
    assert_int_equal(only_row(scene)->open.count, 1);
}

static void what_was_lost_makes_all_void(void **state)
{
    struct scene *scene = *state;
    const struct socket_entry waits = server_end(1, STATE_CLOSE_WAIT);
    look(scene, 100, NULL, 0);
    ends(scene, 9, 100 * S + 500000, false);
    look(scene, 101, &waits, 1);
    watch_closings_lose(scene->closings, 101 * S + 500000);
    struct closing_rows rows = watch_closings_rows(scene->closings, 102 * S);
    assert_int_equal(rows.count, 0);
    assert_int_equal(rows.lost, 1);
    assert_true(rows.since_s == 0.5);
    look(scene, 102, &waits, 1);
    ends(scene, 1, 102 * S + 500000, false);
    look(scene, 103, NULL, 0);
    assert_int_equal(watch_closings_rows(scene->closings, 103 * S).count, 0);
}

static void each_time_is_in_its_bucket(void **state)
{
    (void)state;
    for (int64_t us = 0; us < (int64_t)1 << 45; us = us * 9 / 8 + 100) {
        struct closing_times times = {.count = 0};
        closing_times_add(&times, us);
        int bucket = closing_times_bucket(&times, 0);
        assert_int_equal(times.in[bucket], 1);
        assert_true(closing_bucket_begin_us(bucket) <= us && us < closing_bucket_end_us(bucket));
        assert_int_equal(closing_times_above_most(&times, us), 1);
        assert_int_equal(closing_times_above_least(&times, closing_bucket_begin_us(bucket)), 1);
        assert_int_equal(closing_times_above_least(&times, us + 1), 0);
    }
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(what_two_looks_meet_is_known_within_what_lies_between_them),
        in_scene(the_kernels_word_narrows_it),
        in_scene(what_no_look_has_met_took_less_than_the_time_between_two),
        in_scene(who_closed_first_is_none),
        in_scene(a_reset_is_none_unless_it_ends_close_wait),
        in_scene(an_old_ghost_is_none),
        in_scene(what_waited_before_the_count_began_is_none),
        in_scene(what_has_not_ended_is_open_wherever_it_is),
        in_scene(a_socket_that_a_look_meets_twice_counts_once),
        in_scene(what_was_lost_makes_all_void),
        cmocka_unit_test(each_time_is_in_its_bucket),
    };
    return cmocka_run_group_tests_name("watch_closings", tests, NULL, NULL);
}
