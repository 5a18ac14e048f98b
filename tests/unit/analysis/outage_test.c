#include "../unit.h"

#include "analysis/outage.h"

#include <errno.h>
#include <math.h>

static struct timeline after_flow(const struct flow_tally *server, const struct flow_tally *client)
{
    struct outage outage = {0};
    const struct flow_tally sums[SIDE_COUNT] = {[SIDE_SERVER] = *server, [SIDE_CLIENT] = *client};
    outage.server_nofile = 1024;
    outage_note_flow(&outage, 3, sums);
    return outage.timeline;
}

static const struct flow_tally well = {.begun = 100, .connected = 100};

/* That stage has happened, and nothing else has. */
static void assert_only(const struct timeline *timeline, enum timeline_stage stage)
{
    enum timeline_stage stages[STAGE_COUNT];
    assert_int_equal(timeline_in_order(timeline, stages), 1);
    assert_int_equal(stages[0], stage);
}

static void assert_nothing(const struct timeline *timeline)
{
    assert_true(isinf(timeline_first_failure_s(timeline)));
}

static void add_looks(struct outage *outage, int from, int to, int64_t per_look)
{
    for (int i = from; i < to; i++) {
        struct histogram sides[SIDE_COUNT] = {0};
        sides[SIDE_SERVER].owned = i * per_look;
        outage_note_look(outage, i * 0.1, sides);
    }
}

static void held_is_what_processes_have_ghosts_and_what_was_never_accepted(void **state)
{
    (void)state;
    struct histogram histogram = {.owned = 1000, .ghosts = 200, .unowned = 30};
    histogram.of[STATE_TIME_WAIT] = 5;
    histogram.of[STATE_FIN_WAIT2] = 6;
    histogram.queued = 7;
    assert_int_equal(outage_held(&histogram), 1230);
}

static void a_flow_that_goes_well_has_no_timeline(void **state)
{
    (void)state;
    const struct flow_tally late = {
        .begun = 100, .connected = 98, .late = 50, .worst_us = 9000000, .oldest_us = 999999, .leaked = 20};
    struct timeline timeline = after_flow(&well, &late);
    assert_nothing(&timeline);
}

static void the_server_out_of_descriptors_is_told(void **state)
{
    (void)state;
    const struct flow_tally server = {.begun = 1019, .errors = 3, .error = EMFILE};
    struct timeline timeline = after_flow(&server, &well);
    assert_only(&timeline, STAGE_SERVER_EMFILE);
    assert_true(timeline_at(&timeline, STAGE_SERVER_EMFILE) == 3);
    assert_contains(timeline_line(&timeline, STAGE_SERVER_EMFILE).text, "(limit 1,024)");
}

static void the_machine_out_of_descriptors_is_told(void **state)
{
    (void)state;
    const struct flow_tally server = {.begun = 1019, .errors = 3, .error = ENFILE};
    struct timeline timeline = after_flow(&server, &well);
    assert_only(&timeline, STAGE_MACHINE_ENFILE);
}

static void a_connect_that_waits_for_a_second_is_slow(void **state)
{
    (void)state;
    const struct flow_tally client = {.begun = 100, .oldest_us = 1000000};
    struct timeline timeline = after_flow(&well, &client);
    assert_only(&timeline, STAGE_CONNECT_SLOW);
}

static void a_connect_that_was_given_up_is_told(void **state)
{
    (void)state;
    const struct flow_tally client = {.begun = 100, .errors = 1, .timeouts = 1};
    struct timeline timeline = after_flow(&well, &client);
    assert_only(&timeline, STAGE_CONNECT_TIMED_OUT);
}

static void a_client_without_a_port_is_told(void **state)
{
    (void)state;
    const struct flow_tally client = {.begun = 100, .errors = 1, .error = EADDRNOTAVAIL};
    struct timeline timeline = after_flow(&well, &client);
    assert_only(&timeline, STAGE_PORTS_USED_UP);
}

static void a_reply_that_was_lost_is_told(void **state)
{
    (void)state;
    const struct flow_tally client = {.begun = 100, .lost = 1};
    struct timeline timeline = after_flow(&well, &client);
    assert_only(&timeline, STAGE_REPLY_LOST);
}

static void a_request_that_the_server_lost_is_not_a_reply(void **state)
{
    (void)state;
    const struct flow_tally server = {.begun = 100, .lost = 1};
    struct timeline timeline = after_flow(&server, &well);
    assert_nothing(&timeline);
}

static void only_dropped_syns_count_among_the_counters(void **state)
{
    (void)state;
    struct outage outage = {0};
    struct kernel_counters moved = {0};
    for (int i = 0; i < COUNTER_COUNT; i++)
        moved.value[i] = i == COUNTER_LISTEN_DROPS ? 0 : 99;
    outage_note_counters(&outage, 4, &moved, true);
    assert_nothing(&outage.timeline);
    moved.value[COUNTER_LISTEN_DROPS] = 12;
    outage_note_counters(&outage, 5, &moved, true);
    assert_string_equal(timeline_line(&outage.timeline, STAGE_SYN_DROPPED).text,
                        "5.0 s: first SYN dropped by the full accept queue (ListenDrops 12)");
    /* Only a full queue drops them, whether a look has met it or not. */
    assert_string_equal(timeline_line(&outage.timeline, STAGE_QUEUE_FULL).text,
                        "5.0 s: the accept queue is full");
}

static void note_drops(struct outage *outage, double t_s, int64_t dropped, bool clients_wait)
{
    struct kernel_counters moved = {0};
    moved.value[COUNTER_LISTEN_DROPS] = dropped;
    outage_note_counters(outage, t_s, &moved, clients_wait);
}

/* Clients are known to wait later than the look that saw the first drop. */
static void a_drop_has_the_date_of_the_look_that_saw_it(void **state)
{
    (void)state;
    struct outage outage = {0};
    note_drops(&outage, 5.6, 27, false);
    assert_nothing(&outage.timeline);
    note_drops(&outage, 5.8, 70, true);
    assert_true(timeline_at(&outage.timeline, STAGE_SYN_DROPPED) == 5.6);
    assert_true(timeline_at(&outage.timeline, STAGE_QUEUE_FULL) == 5.6);
    assert_contains(timeline_line(&outage.timeline, STAGE_SYN_DROPPED).text, "(ListenDrops 27)");
}

static void what_another_program_had_dropped_long_before_is_no_part_of_it(void **state)
{
    (void)state;
    struct outage outage = {0};
    note_drops(&outage, 1, 3, false);
    note_drops(&outage, 20, 3, true); /* they wait, and not for a queue */
    assert_nothing(&outage.timeline);
    note_drops(&outage, 21, 9, true);
    assert_true(timeline_at(&outage.timeline, STAGE_SYN_DROPPED) == 21);
}

/* The kernel takes one more than listen() was told. */
static void a_queue_is_full_with_one_more_than_its_backlog(void **state)
{
    (void)state;
    struct outage outage = {0};
    outage_note_queue(&outage, 6, 128, 128);
    assert_nothing(&outage.timeline);
    outage_note_queue(&outage, 7, 129, 128);
    assert_only(&outage.timeline, STAGE_QUEUE_FULL);
    assert_contains(timeline_line(&outage.timeline, STAGE_QUEUE_FULL).text, "129 connections wait");
}

static void the_first_time_stays(void **state)
{
    (void)state;
    struct outage outage = {0};
    outage_note_queue(&outage, 7, 129, 128);
    outage_note_queue(&outage, 8, 130, 128);
    assert_true(timeline_at(&outage.timeline, STAGE_QUEUE_FULL) == 7);
}

static void growth_is_followed_on_each_side_for_itself(void **state)
{
    (void)state;
    struct outage outage = {0};
    add_looks(&outage, 0, 50, 5);
    struct trend server = trend_of(&outage.growth[SIDE_SERVER]);
    struct trend client = trend_of(&outage.growth[SIDE_CLIENT]);
    assert_int_equal(server.kind, TREND_LEAK);
    assert_true(fabs(server.slope_per_s - 50) < 0.001);
    assert_int_equal(client.kind, TREND_PLATEAU);
}

static void ghosts_grow_like_sockets(void **state)
{
    (void)state;
    struct outage outage = {0};
    for (int i = 0; i < 50; i++) {
        struct histogram sides[SIDE_COUNT] = {0};
        sides[SIDE_CLIENT].ghosts = 3 * i;
        outage_note_look(&outage, i * 0.1, sides);
    }
    struct trend client = trend_of(&outage.growth[SIDE_CLIENT]);
    assert_int_equal(client.kind, TREND_LEAK);
    assert_true(fabs(client.slope_per_s - 30) < 0.001);
}

static void once_something_broke_growth_is_no_longer_followed(void **state)
{
    (void)state;
    struct outage outage = {0};
    const struct flow_tally sums[SIDE_COUNT] = {[SIDE_SERVER] = {.begun = 245, .errors = 1, .error = EMFILE}};
    add_looks(&outage, 0, 50, 5);
    outage_note_flow(&outage, 5, sums);
    for (int i = 50; i < 500; i++) {
        const struct histogram sides[SIDE_COUNT] = {[SIDE_SERVER] = {.owned = 245}};
        outage_note_look(&outage, i * 0.1, sides);
    }
    struct trend server = trend_of(&outage.growth[SIDE_SERVER]);
    assert_int_equal(server.looks, 50);
    assert_int_equal(server.last, 245);
    assert_int_equal(server.kind, TREND_LEAK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_is_what_processes_have_ghosts_and_what_was_never_accepted),
        cmocka_unit_test(a_flow_that_goes_well_has_no_timeline),
        cmocka_unit_test(the_server_out_of_descriptors_is_told),
        cmocka_unit_test(the_machine_out_of_descriptors_is_told),
        cmocka_unit_test(a_connect_that_waits_for_a_second_is_slow),
        cmocka_unit_test(a_connect_that_was_given_up_is_told),
        cmocka_unit_test(a_client_without_a_port_is_told),
        cmocka_unit_test(a_reply_that_was_lost_is_told),
        cmocka_unit_test(a_request_that_the_server_lost_is_not_a_reply),
        cmocka_unit_test(only_dropped_syns_count_among_the_counters),
        cmocka_unit_test(a_drop_has_the_date_of_the_look_that_saw_it),
        cmocka_unit_test(what_another_program_had_dropped_long_before_is_no_part_of_it),
        cmocka_unit_test(a_queue_is_full_with_one_more_than_its_backlog),
        cmocka_unit_test(the_first_time_stays),
        cmocka_unit_test(growth_is_followed_on_each_side_for_itself),
        cmocka_unit_test(ghosts_grow_like_sockets),
        cmocka_unit_test(once_something_broke_growth_is_no_longer_followed),
    };
    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
