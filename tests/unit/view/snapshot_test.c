#include "../unit.h"

#include "view/snapshot.h"

enum { CONNS = 100 };

struct scene {
    struct snapshot snapshot;
    struct run_settings settings;
    struct plan plan;
    struct experiment experiments[BOARD_ORDERS_MAX + 1]; /* several held together have no other identity */
    struct histogram sides[SIDE_COUNT];
};

static int begin(void **state)
{
    struct scene *scene = test_calloc(1, sizeof *scene);
    scene->settings.conns = CONNS;
    scene->plan.settings = &scene->settings;
    for (size_t i = 0; i < COUNT_OF(scene->experiments); i++)
        scene->experiments[i].name = "some-order";
    snapshot_run_start(&scene->snapshot);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    test_free(*state);
    return 0;
}

static void start(struct scene *scene, int order)
{
    const struct order_start start = {.plan = &scene->plan, .experiment = &scene->experiments[order]};
    snapshot_order_start(&scene->snapshot, &start);
}

static struct sample sample_of(struct scene *scene, int order, int64_t opened)
{
    return (struct sample){.experiment = &scene->experiments[order],
                           .conns = CONNS,
                           .step = "open",
                           .opened = opened,
                           .sides = scene->sides};
}

static void over(struct scene *scene, int order)
{
    const struct order_end end = {.experiment = &scene->experiments[order]};
    snapshot_order_end(&scene->snapshot, &end);
}

static void nothing_is_there_before_an_order_begins(void **state)
{
    struct scene *scene = *state;
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_false(sum.has_look);
    assert_int_equal(sum.conns, 0);
    assert_int_equal(scene->snapshot.count, 0);
}

static void an_order_without_a_look_wants_its_connections_and_has_none(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_false(sum.has_look);
    assert_int_equal(sum.conns, CONNS);
    assert_int_equal(sum.look.opened, 0);
    assert_string_equal(scene->snapshot.orders[0].doing, "starting");
}

static void the_last_look_counts_alone(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 40;
    struct sample sample = sample_of(scene, 0, 50);
    snapshot_sample(&scene->snapshot, &sample);
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 30; /* the snapshot has a copy */
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(sum.sides[SIDE_SERVER].of[STATE_CLOSE_WAIT], 40);
    snapshot_sample(&scene->snapshot, &sample);
    sum = snapshot_sum(&scene->snapshot);
    assert_true(sum.has_look);
    assert_int_equal(sum.sides[SIDE_SERVER].of[STATE_CLOSE_WAIT], 30);
    assert_int_equal(sum.look.opened, 50);
    assert_int_equal(scene->snapshot.looks, 2);
}

static void orders_that_are_held_together_are_added_up(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 2; i++) {
        start(scene, i);
        scene->sides[SIDE_SERVER] = (struct histogram){.of = {[STATE_CLOSE_WAIT] = 10 + i},
                                                       .owned = 20 + i,
                                                       .unread = 3 + i,
                                                       .unowned = 2 + i,
                                                       .queued = 5 + i,
                                                       .ghosts = 7 + i};
        scene->sides[SIDE_CLIENT] = (struct histogram){.of = {[STATE_FIN_WAIT2] = 30 + i}};
        struct sample sample = sample_of(scene, i, 60 + i);
        sample.late = 1 + i;
        for (int side = 0; side < SIDE_COUNT; side++) {
            sample.fds[side] = 100 * side + i;
            sample.errors[side] = 200 * side + i;
            sample.nofile[side] = 300 * side + i;
        }
        snapshot_sample(&scene->snapshot, &sample);
    }
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    const struct histogram *server = &sum.sides[SIDE_SERVER];
    assert_int_equal(sum.conns, 2 * CONNS);
    assert_int_equal(sum.look.opened, 121);
    assert_int_equal(sum.look.late, 3);
    assert_int_equal(server->of[STATE_CLOSE_WAIT], 21);
    assert_int_equal(sum.sides[SIDE_CLIENT].of[STATE_FIN_WAIT2], 61);
    assert_int_equal(server->owned, 41);
    assert_int_equal(server->unread, 7);
    assert_int_equal(server->unowned, 5);
    assert_int_equal(server->queued, 11);
    assert_int_equal(server->ghosts, 15);
    assert_int_equal(sum.look.fds[SIDE_SERVER], 1);
    assert_int_equal(sum.look.fds[SIDE_CLIENT], 201);
    assert_int_equal(sum.look.errors[SIDE_CLIENT], 401);
    assert_int_equal(sum.look.nofile[SIDE_CLIENT], 601);
}

static void what_the_namespace_or_the_slowest_has_is_not_added_up(void **state)
{
    struct scene *scene = *state;
    static const int64_t each[] = {70, 80, 75};
    for (int i = 0; i < 3; i++) {
        start(scene, i);
        struct sample sample = sample_of(scene, i, CONNS);
        sample.dropped = each[i];
        sample.connect_us = each[i] * 10;
        snapshot_sample(&scene->snapshot, &sample);
    }
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(sum.look.dropped, 80);
    assert_int_equal(sum.look.connect_us, 800);
}

static void the_age_is_that_of_the_last_look(void **state)
{
    struct scene *scene = *state;
    static const double began[] = {1.0, 3.0, 2.0};
    for (int i = 0; i < 3; i++) {
        start(scene, i);
        struct sample sample = sample_of(scene, i, CONNS);
        sample.t_s = began[i];
        sample.look_s = began[i] / 10;
        snapshot_sample(&scene->snapshot, &sample);
    }
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_true(sum.look.t_s > 2.99 && sum.look.t_s < 3.01);
    assert_true(sum.look.look_s > 0.299 && sum.look.look_s < 0.301);
    assert_int_equal(sum.look_began_us, scene->snapshot.run_began_us + 3000000);
}

static void an_order_that_has_ended_is_gone_and_the_others_stay(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++) {
        start(scene, i);
        scene->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = 10 << i;
        struct sample sample = sample_of(scene, i, CONNS);
        snapshot_sample(&scene->snapshot, &sample);
    }
    over(scene, 1);
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(scene->snapshot.count, 2);
    assert_int_equal(sum.sides[SIDE_SERVER].of[STATE_ESTABLISHED], 10 + 40);
    assert_ptr_equal(scene->snapshot.orders[0].experiment, &scene->experiments[0]);
    assert_ptr_equal(scene->snapshot.orders[1].experiment, &scene->experiments[2]);
    over(scene, 2);
    over(scene, 0);
    assert_int_equal(scene->snapshot.count, 0);
    assert_int_equal(snapshot_sum(&scene->snapshot).conns, 0);
    assert_int_equal(scene->snapshot.looks, 3); /* of the whole run */
}

static void what_is_told_of_an_order_that_is_not_under_way_is_dropped(void **state)
{
    struct scene *scene = *state;
    struct sample sample = sample_of(scene, 1, CONNS);
    const struct progress progress = {
        .experiment = &scene->experiments[1], .step = "open", .doing = "acting"};
    start(scene, 0);
    snapshot_sample(&scene->snapshot, &sample);
    snapshot_progress(&scene->snapshot, &progress);
    over(scene, 1);
    assert_int_equal(scene->snapshot.count, 1);
    assert_string_equal(scene->snapshot.orders[0].doing, "starting");
    assert_false(snapshot_sum(&scene->snapshot).has_look);
    assert_int_equal(scene->snapshot.looks, 0);
}

static void as_many_orders_as_fit_are_kept(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i <= BOARD_ORDERS_MAX; i++)
        start(scene, i);
    assert_int_equal(scene->snapshot.count, BOARD_ORDERS_MAX);
    over(scene, BOARD_ORDERS_MAX); /* that did not fit */
    assert_int_equal(scene->snapshot.count, BOARD_ORDERS_MAX);
}

static void gone_is_never_negative(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    scene->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = 60;
    scene->sides[SIDE_SERVER].of[STATE_LISTEN] = 3;
    scene->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 40;
    struct sample sample = sample_of(scene, 0, 50); /* the look has overtaken the reports */
    snapshot_sample(&scene->snapshot, &sample);
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(snapshot_count(&sum, SIDE_SERVER, STATE_GONE), 0);
    assert_int_equal(snapshot_count(&sum, SIDE_CLIENT, STATE_GONE), 10);
    assert_int_equal(snapshot_count(&sum, SIDE_SERVER, STATE_ESTABLISHED), 60);
}

/* Between two looks; where it does not know what is gone, that is as it was. */
static void a_gauge_moves_what_a_look_has_shown(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    scene->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = scene->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 90;
    struct sample sample = sample_of(scene, 0, 100);
    snapshot_sample(&scene->snapshot, &sample);
    scene->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = 50;
    struct gauge gauge = {
        .experiment = &scene->experiments[0], .step = "client-close", .opened = -1, .sides = scene->sides};
    snapshot_gauge(&scene->snapshot, &gauge);
    struct snapshot_order sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(snapshot_count(&sum, SIDE_SERVER, STATE_ESTABLISHED), 50);
    assert_int_equal(snapshot_count(&sum, SIDE_SERVER, STATE_GONE), 10);
    assert_string_equal(scene->snapshot.orders[0].step, "client-close");
    assert_int_equal(scene->snapshot.looks, 1);
    gauge.opened = 100;
    snapshot_gauge(&scene->snapshot, &gauge);
    sum = snapshot_sum(&scene->snapshot);
    assert_int_equal(snapshot_count(&sum, SIDE_SERVER, STATE_GONE), 50);
    gauge.experiment = &scene->experiments[1]; /* is not under way */
    snapshot_gauge(&scene->snapshot, &gauge);
}

static void progress_tells_where_an_order_is(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    const struct progress progress = {.experiment = &scene->experiments[0],
                                      .step = "client-close",
                                      .doing = "acting",
                                      .elapsed_s = 2.5,
                                      .done = 7,
                                      .total = 9,
                                      .left_s = 1.5};
    snapshot_progress(&scene->snapshot, &progress);
    const struct snapshot_order *entry = &scene->snapshot.orders[0];
    assert_string_equal(entry->step, "client-close");
    assert_string_equal(entry->doing, "acting");
    assert_true(entry->done == 7 && entry->total == 9);
    assert_true(entry->elapsed_s > 2.4 && entry->left_s > 1.4);
    assert_false(entry->has_look);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(nothing_is_there_before_an_order_begins),
        in_scene(an_order_without_a_look_wants_its_connections_and_has_none),
        in_scene(the_last_look_counts_alone),
        in_scene(orders_that_are_held_together_are_added_up),
        in_scene(what_the_namespace_or_the_slowest_has_is_not_added_up),
        in_scene(the_age_is_that_of_the_last_look),
        in_scene(an_order_that_has_ended_is_gone_and_the_others_stay),
        in_scene(what_is_told_of_an_order_that_is_not_under_way_is_dropped),
        in_scene(as_many_orders_as_fit_are_kept),
        in_scene(gone_is_never_negative),
        in_scene(a_gauge_moves_what_a_look_has_shown),
        in_scene(progress_tells_where_an_order_is),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
