#include "synthetic_report.h"

#include "view/parting_view.h"

static struct {
    const struct site *accept, *read, *free, *park, *again, *write, *fork, *library;
} at;

static int make_sites(void **state)
{
    (void)state;
    const struct place main_loop = OWN("run", "server.c", 35);
    at.accept = site_with((struct place)OWN("accept_some", "server.c", 18), main_loop, NOWHERE);
    at.read = site_with((struct place)OWN("on_readable", "conn.c", 52), main_loop, NOWHERE);
    at.free = site_with((struct place)OWN("conn_free", "conn.c", 24),
                        (struct place)OWN("on_readable", "conn.c", 53), main_loop);
    at.park = site_with((struct place)OWN("pool_park", "pool.c", 6),
                        (struct place)OWN("on_readable", "conn.c", 57), main_loop);
    at.write = site_with((struct place)OWN("on_readable", "conn.c", 60), main_loop, NOWHERE);
    at.fork = site_with((struct place)OWN("serve", "server.c", 12), main_loop, NOWHERE);
    at.library = site_with((struct place){.function = "ngx_unix_recv", .module = "nginx", .offset = 64},
                           (struct place){.module = "nginx", .offset = 0x4a3f1}, NOWHERE);
    return 0;
}

static void begin(struct scene *scene, enum parting_end end)
{
    scene_add(scene, end);
    scene_note(scene, &accept4_call, RESULT_SOME, at.accept);
    scene_note(scene, &epoll_call, RESULT_UNKNOWN, at.accept)->detail = EPOLL_CTL_ADD;
    scene_note(scene, &recv_call, RESULT_SOME, at.read);
}

static void add_closed(struct scene *scene)
{
    begin(scene, PARTING_CLOSED);
    scene_note(scene, &recv_call, RESULT_ZERO, at.read);
    scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
}

static void add_held(struct scene *scene)
{
    begin(scene, PARTING_HELD);
    scene_note(scene, &recv_call, RESULT_ZERO, at.read);
    scene_note(scene, &epoll_call, RESULT_UNKNOWN, at.park)->detail = EPOLL_CTL_DEL;
}

static struct scene *new_scene(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    return scene;
}

/* What is printed of it; frees the scene. */
static const char *told(struct scene *scene, const struct trace_report *report)
{
    static char text[8192];
    struct audit_trace trace = {.is_there = true};
    memset(text, 0, sizeof text);
    if (report != NULL)
        trace.report = *report;
    assert_int_equal(parting_find(scene->samples, scene->count, &trace.parting), 0);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(out);
    parting_print(out, &trace, 2);
    fclose(out);
    parting_free(&trace.parting);
    free(scene);
    return text;
}

static void they_part_behind_the_last_call_in_common(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    for (int i = 0; i < 996; i++)
        add_closed(scene);
    for (int i = 0; i < 4; i++)
        add_held(scene);
    const char *text = told(scene, NULL);
    assert_contains(
        text,
        "  1,000 connections: 996 closed, 4 held. They part after recv() = 0 at conn.c:52 in on_readable:\n"
        "    996 went on to  close()         conn.c:24 in conn_free < on_readable\n"
        "      4 ended with  epoll_ctl(DEL)  pool.c:6 in pool_park < conn.c:57 in on_readable      no "
        "close() follows\n"
        "  accepted at server.c:18 in accept_some\n");
}

static void repeats_and_calls_that_had_to_be_tried_again_make_no_other_way(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    struct parting parting;
    for (int i = 0; i < 20; i++) {
        begin(scene, PARTING_CLOSED);
        for (int k = 0; k < i % 3; k++)
            scene_note(scene, &recv_call, RESULT_SOME, at.read);
        if (i % 2 == 0)
            scene_note(scene, &recv_call, RESULT_ERROR, at.read)->error = EAGAIN;
        scene_note(scene, &recv_call, RESULT_ZERO, at.read);
        scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
    }
    add_held(scene);
    assert_int_equal(parting_find(scene->samples, scene->count, &parting), 0);
    assert_int_equal(parting.count, 1);
    assert_int_equal(parting.forks[0].count, 2);
    assert_int_equal(parting.forks[0].branches[0].count, 20);
    assert_int_equal(parting.forks[0].branches[0].end, PARTING_CLOSED);
    parting_free(&parting);
    free(scene);
}

static void what_two_processes_do_at_a_time_has_no_order(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    struct parting parting;
    for (int i = 0; i < 2; i++) {
        scene_add(scene, PARTING_CLOSED);
        scene_note(scene, &accept4_call, RESULT_SOME, at.accept);
        scene_note(scene, &exec_call, RESULT_SOME, at.fork);
        if (i == 0)
            scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
        scene_note(scene, &recv_call, RESULT_ZERO, at.read)->pid = 200 + i;
        if (i == 1)
            scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
    }
    assert_int_equal(parting_find(scene->samples, scene->count, &parting), 0);
    assert_int_equal(parting.count, 1);
    assert_int_equal(parting.forks[0].count, 1);
    assert_int_equal(parting.forks[0].branches[0].count, 2);
    parting_free(&parting);
    free(scene);
}

static void a_parent_that_does_not_close_is_told_with_the_child_that_has_it_no_more(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    static struct traced_holder parent = {.pid = 100};
    for (int i = 0; i < 3; i++) {
        struct traced_connection *connection = scene_add(scene, i < 2 ? PARTING_CLOSED : PARTING_HELD);
        scene_note(scene, &accept4_call, RESULT_SOME, at.accept);
        if (i < 2)
            scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
        scene_note(scene, &recv_call, RESULT_ZERO, at.read)->pid = 200 + i;
        connection->holders = &parent;
        connection->holder_count = i == 2;
    }
    const char *text = told(scene, NULL);
    assert_contains(text, "They part after accept() at server.c:18 in accept_some");
    assert_contains(text, "2 went on to  close()");
    assert_contains(text, "no close() follows");
}

static void a_child_that_has_it_still_is_told_with_its_fork(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    static struct traced_holder heir;
    heir = (struct traced_holder){.pid = 300, .forked_at = at.fork};
    add_closed(scene);
    add_closed(scene);
    scene->samples[1].end = PARTING_HELD;
    scene->connections[1].holders = &heir;
    scene->connections[1].holder_count = 1;
    const char *text = told(scene, NULL);
    assert_contains(text, "No call tells them apart; the last is close() at conn.c:24 in conn_free:\n"
                          "    1 were closed\n"
                          "    1 ended there\n"
                          "        closed by pid 100 at conn.c:24 in conn_free; pid 300 still has it,\n"
                          "        since fork() at server.c:12 in serve\n");
    assert_lacks(text, "no close() follows");
}

static void where_all_are_held_the_last_call_is_told(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    for (int i = 0; i < 5; i++)
        add_held(scene);
    const char *text = told(scene, NULL);
    assert_contains(text, "5 connections: 5 held. None was closed, so there is nothing to compare with. The "
                          "last call on them:\n"
                          "    5 ended with  epoll_ctl(DEL)  pool.c:6 in pool_park < conn.c:57 in "
                          "on_readable      no close() follows\n");
    assert_lacks(text, "part after");
}

static void where_none_is_held_nobody_is_accused(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    for (int i = 0; i < 5; i++)
        add_closed(scene);
    const char *text = told(scene, NULL);
    assert_contains(text, "5 connections: 5 closed. The last call on them:\n    5 went on to  close()");
    assert_lacks(text, "ended with");
    assert_lacks(text, "no close()");
}

static void those_that_nobody_accepted_are_told_where_others_were(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    add_closed(scene);
    scene->samples[scene->count++] = (struct parting_sample){.end = PARTING_UNACCEPTED};
    const char *text = told(scene, NULL);
    assert_contains(text, "2 connections: 1 closed, 1 never accepted.");
    assert_contains(text, "the others were accepted at server.c:18 in accept_some");
    scene = new_scene();
    scene->samples[scene->count++] = (struct parting_sample){.end = PARTING_UNACCEPTED};
    assert_contains(told(scene, NULL), "No accept() was seen.");
}

static void what_was_not_seen_is_said(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    const struct trace_report report = {.rings = 1, .foreign = 2};
    for (int i = 0; i < 3; i++)
        scene->samples[scene->count++] = (struct parting_sample){.end = PARTING_HELD};
    const char *text = told(scene, &report);
    assert_contains(text, "3 connections: 3 held.");
    assert_contains(text, "The tracer did not see 3 connections");
    assert_contains(text, "io_uring");
    assert_contains(text, "32-bit");
    assert_lacks(text, "ended with");
}

static void a_reply_that_was_cut_short_is_told_by_who_closed(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    begin(scene, PARTING_CLOSED);
    scene_note(scene, &send_call, RESULT_UNKNOWN, at.write);
    scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
    begin(scene, PARTING_LOST);
    scene_note(scene, &close_call, RESULT_UNKNOWN, at.free);
    const char *text = told(scene, NULL);
    assert_contains(text, "1 closed before the reply was complete. They part after recv() > 0 at conn.c:52");
    assert_contains(text, "1 went on to  send()   conn.c:60 in on_readable");
    assert_contains(text, "1 ended with  close()  conn.c:24 in conn_free < on_readable");
}

static void the_best_companion_is_the_one_that_went_furthest(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    for (int i = 0; i < 9; i++) { /* more of them, that say nothing of the others */
        scene_add(scene, PARTING_CLOSED);
        scene_note(scene, &accept4_call, RESULT_SOME, at.accept);
        scene_note(scene, &close_call, RESULT_UNKNOWN, at.fork);
    }
    add_closed(scene);
    add_held(scene);
    const char *text = told(scene, NULL);
    assert_contains(text, "They part after recv() = 0 at conn.c:52 in on_readable");
    assert_contains(text, "1 went on to  close()         conn.c:24 in conn_free");
    assert_lacks(text, "9 went on");
}

static void names_without_lines_are_told_as_they_are(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    scene_add(scene, PARTING_HELD);
    scene_note(scene, &recv_call, RESULT_ZERO, at.library);
    assert_contains(told(scene, NULL), "ended with  recv() = 0  ngx_unix_recv in nginx < nginx+0x4a3f1");
}

static void a_place_that_is_not_known_is_no_reason_to_be_silent(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    scene_add(scene, PARTING_HELD);
    scene_note(scene, &recv_call, RESULT_UNKNOWN, NULL);
    scene_add(scene, PARTING_HELD);
    assert_contains(told(scene, NULL), "recv(), which has not returned  an unknown place");
}

static void a_handful_of_ways_is_told_and_the_rest_counted(void **state)
{
    (void)state;
    struct scene *scene = new_scene();
    add_closed(scene);
    for (int i = 0; i < 30; i++) {
        begin(scene, PARTING_HELD);
        scene_note(scene, &recv_call, RESULT_ZERO, at.read);
        const struct site *site = site_with(
            (struct place){.function = "f", .file = "f.c", .line = i + 1, .is_own = true}, NOWHERE, NOWHERE);
        scene_note(scene, &send_call, RESULT_UNKNOWN, site);
    }
    const char *text = told(scene, NULL);
    assert_contains(text, "26 in 26 other ways, not closed");
    assert_lacks(text, "They part at");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_part_behind_the_last_call_in_common),
        cmocka_unit_test(repeats_and_calls_that_had_to_be_tried_again_make_no_other_way),
        cmocka_unit_test(what_two_processes_do_at_a_time_has_no_order),
        cmocka_unit_test(a_parent_that_does_not_close_is_told_with_the_child_that_has_it_no_more),
        cmocka_unit_test(a_child_that_has_it_still_is_told_with_its_fork),
        cmocka_unit_test(where_all_are_held_the_last_call_is_told),
        cmocka_unit_test(where_none_is_held_nobody_is_accused),
        cmocka_unit_test(those_that_nobody_accepted_are_told_where_others_were),
        cmocka_unit_test(what_was_not_seen_is_said),
        cmocka_unit_test(a_reply_that_was_cut_short_is_told_by_who_closed),
        cmocka_unit_test(the_best_companion_is_the_one_that_went_furthest),
        cmocka_unit_test(names_without_lines_are_told_as_they_are),
        cmocka_unit_test(a_place_that_is_not_known_is_no_reason_to_be_silent),
        cmocka_unit_test(a_handful_of_ways_is_told_and_the_rest_counted),
    };
    return cmocka_run_group_tests(tests, make_sites, NULL);
}
