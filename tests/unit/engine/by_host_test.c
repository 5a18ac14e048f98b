#include "../unit.h"

#include "control/hosts.h"
#include "engine/by_host.h"

enum { PAIRS = 3 };

/* Three pairs: the servers on host 0, the clients on 1, 2 and 2. */
struct scene {
    struct hosts run;
    struct host hosts[3];
    struct peer peers[2 * PAIRS];
    struct workers workers;
    struct by_host by_host;
};

static void set_scene(struct scene *scene)
{
    static const int host_of[2 * PAIRS] = {0, 0, 0, 1, 2, 2};
    memset(scene, 0, sizeof *scene);
    for (int i = 0; i < 3; i++)
        scene->hosts[i] = (struct host){.launcher = "x", .hosts = &scene->run};
    for (int i = 0; i < 2 * PAIRS; i++)
        scene->peers[i] = (struct peer){.host = &scene->hosts[host_of[i]],
                                        .witness = host_of[i],
                                        .side = i < PAIRS ? SIDE_SERVER : SIDE_CLIENT,
                                        .fds = 10 + i,
                                        .errors = i};
    scene->workers = (struct workers){.peers = scene->peers, .pairs = PAIRS, .worker_count = 2 * PAIRS};
}

static int64_t opened_by(const void *context, int pair)
{
    (void)context;
    return 100 * (pair + 1);
}

static void note(struct scene *scene)
{
    const int64_t nofile[SIDE_COUNT] = {1000, 50};
    by_host_note(&scene->by_host, &scene->workers, opened_by, NULL, nofile);
}

static const struct host_part *part(const struct scene *scene, enum side side, int host)
{
    for (int i = 0; i < scene->by_host.count; i++)
        if (scene->by_host.parts[i].side == side && scene->by_host.parts[i].host == &scene->hosts[host])
            return &scene->by_host.parts[i];
    fail_msg("there is no part");
    return NULL;
}

static void each_host_has_a_part_of_its_side(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    note(&scene);
    assert_int_equal(scene.by_host.count, 3);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->opened, 600);
    assert_int_equal(part(&scene, SIDE_CLIENT, 1)->opened, 100);
    assert_int_equal(part(&scene, SIDE_CLIENT, 2)->opened, 500);
}

static void parts_come_by_side_and_then_as_the_hosts_do(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    scene.peers[3].witness = 2;
    scene.peers[3].host = &scene.hosts[2];
    for (int i = 4; i < 6; i++) {
        scene.peers[i].witness = 1;
        scene.peers[i].host = &scene.hosts[1];
    }
    note(&scene);
    assert_int_equal(scene.by_host.parts[0].side, SIDE_SERVER);
    assert_ptr_equal(scene.by_host.parts[1].host, &scene.hosts[1]);
    assert_ptr_equal(scene.by_host.parts[2].host, &scene.hosts[2]);
}

static void what_its_workers_report_adds_up(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    note(&scene);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->fds, 33);
    assert_int_equal(part(&scene, SIDE_CLIENT, 2)->fds, 29);
    assert_int_equal(part(&scene, SIDE_CLIENT, 2)->errors, 9);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->nofile, 3000);
    assert_int_equal(part(&scene, SIDE_CLIENT, 1)->nofile, 50);
}

static void a_second_note_starts_anew(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    note(&scene);
    note(&scene);
    assert_int_equal(scene.by_host.count, 3);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->opened, 600);
}

static void hosts_that_share_a_witness_share_a_part(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    for (int i = 4; i < 6; i++)
        scene.peers[i].witness = 1;
    note(&scene);
    assert_int_equal(scene.by_host.count, 2);
    assert_int_equal(part(&scene, SIDE_CLIENT, 1)->opened, 600);
}

static void both_sides_behind_one_witness_are_two_parts(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    for (int i = 0; i < 2 * PAIRS; i++) {
        scene.peers[i].witness = 0;
        scene.peers[i].host = &scene.hosts[0];
    }
    note(&scene);
    assert_int_equal(scene.by_host.count, 2);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->fds, 33);
    assert_int_equal(part(&scene, SIDE_CLIENT, 0)->fds, 42);
}

static void each_part_sees_what_its_witness_saw_of_its_side(void **state)
{
    (void)state;
    struct scene scene;
    struct look look = {.part_count = 3};
    set_scene(&scene);
    for (int i = 0; i < 3; i++)
        for (int side = 0; side < SIDE_COUNT; side++)
            look.parts[i].sides[side].of[STATE_CLOSE_WAIT] = 10 * i + side + 1;
    note(&scene);
    by_host_see(&scene.by_host, &look);
    assert_int_equal(part(&scene, SIDE_SERVER, 0)->histogram.of[STATE_CLOSE_WAIT], 1);
    assert_int_equal(part(&scene, SIDE_CLIENT, 1)->histogram.of[STATE_CLOSE_WAIT], 12);
    assert_int_equal(part(&scene, SIDE_CLIENT, 2)->histogram.of[STATE_CLOSE_WAIT], 22);
}

static void workers_of_this_machine_alone_have_no_parts(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    scene.run.are_here = true;
    note(&scene);
    assert_int_equal(scene.by_host.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_host_has_a_part_of_its_side),
        cmocka_unit_test(parts_come_by_side_and_then_as_the_hosts_do),
        cmocka_unit_test(what_its_workers_report_adds_up),
        cmocka_unit_test(a_second_note_starts_anew),
        cmocka_unit_test(hosts_that_share_a_witness_share_a_part),
        cmocka_unit_test(both_sides_behind_one_witness_are_two_parts),
        cmocka_unit_test(each_part_sees_what_its_witness_saw_of_its_side),
        cmocka_unit_test(workers_of_this_machine_alone_have_no_parts),
    };
    return cmocka_run_group_tests_name("by_host", tests, NULL, NULL);
}
