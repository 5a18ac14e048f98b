#include "../unit.h"

#include "worker/connection_set.h"

#include "../event_loop.h"
#include "kernel/host_limits.h"

#include <errno.h>

enum { ENDS_MAX = 600 };

/* The server ends of some connections, and an act on them. */
struct scene {
    struct event_base *base;
    struct connection_set set;
    int client[ENDS_MAX];
    int opened;
    struct connection_act_report report;
    int reports;
    bool finished;
};

static int start_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->base = event_base_new();
    *state = scene;
    return scene->base == NULL;
}

static int end_scene(void **state)
{
    struct scene *scene = *state;
    connection_set_free(&scene->set);
    for (int i = 0; i < scene->opened; i++)
        if (scene->client[i] >= 0)
            reset_connection(&scene->client[i]);
    event_base_free(scene->base);
    free(scene);
    return 0;
}

static void open_ends(struct scene *scene, int count)
{
    struct loopback loopback = loopback_listen();
    for (int i = 0; i < count; i++) {
        scene->client[scene->opened++] = loopback_connect(&loopback);
        assert_int_equal(connection_set_add(&scene->set, loopback_accept(&loopback)), 0);
    }
    close(loopback.listener);
}

static void on_acted(void *context, const struct connection_act_report *report, bool finished)
{
    struct scene *scene = context;
    scene->report = *report;
    scene->reports++;
    scene->finished = finished;
}

static struct connection_act *begin(struct scene *scene, enum act act, bool backwards, int64_t spare)
{
    const struct connection_act_what what = {.act = act, .backwards = backwards, .spare = spare};
    scene->finished = false;
    scene->reports = 0;
    struct connection_act *running = connection_act_start(scene->base, &scene->set, &what, on_acted, scene);
    assert_non_null(running);
    return running;
}

static void act_on_all(struct scene *scene, enum act act, bool backwards, int64_t spare)
{
    begin(scene, act, backwards, spare);
    assert_comes_true(scene->base, scene->finished);
}

static bool has_eof(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void every_end_is_acted_on(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 20);
    act_on_all(scene, ACT_CLOSE, false, 0);
    assert_int_equal(scene->report.done, 20);
    assert_int_equal(scene->report.failed, 0);
    assert_int_equal(scene->set.open, 0);
    for (int i = 0; i < 20; i++)
        assert_soon(has_eof(scene->client[i]));
}

static void the_last_ones_are_spared(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 20);
    act_on_all(scene, ACT_CLOSE, false, 7);
    assert_int_equal(scene->report.done, 13);
    assert_int_equal(scene->set.open, 7);
    for (int i = 0; i < 13; i++)
        assert_soon(has_eof(scene->client[i]));
    for (int i = 13; i < 20; i++) {
        assert_true(scene->set.fd[i] >= 0);
        assert_false(has_eof(scene->client[i]));
    }
}

static void the_last_ones_are_spared_backwards_too(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 20);
    act_on_all(scene, ACT_CLOSE, true, 7);
    assert_int_equal(scene->report.done, 13);
    for (int i = 0; i < 20; i++)
        assert_int_equal(scene->set.fd[i] >= 0, i >= 13);
}

static void all_may_be_spared_and_the_act_still_ends(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 5);
    act_on_all(scene, ACT_CLOSE, false, 5);
    assert_int_equal(scene->report.done, 0);
    assert_int_equal(scene->set.open, 5);
    act_on_all(scene, ACT_CLOSE, false, 6);
    assert_int_equal(scene->report.done, 0);
    assert_int_equal(scene->set.open, 5);
}

static void an_act_on_no_ends_ends(void **state)
{
    struct scene *scene = *state;
    act_on_all(scene, ACT_CLOSE, false, 0);
    assert_int_equal(scene->report.done, 0);
}

static void those_that_were_spared_can_be_acted_on_later(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 10);
    act_on_all(scene, ACT_SHUTDOWN, false, 4);
    assert_int_equal(scene->set.open, 10);
    act_on_all(scene, ACT_WRITE, false, 0);
    assert_int_equal(scene->report.done, 10);
    assert_int_equal(scene->report.failed, 6); /* after shutdown() there is nothing to be sent */
    assert_int_equal(scene->report.last_errno, EPIPE);
}

static void many_ends_are_told_in_batches_and_none_is_left_out(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 600);
    act_on_all(scene, ACT_SHUTDOWN, false, 3);
    assert_int_equal(scene->report.done, 597);
    assert_in_range(scene->reports, 2, 597);
}

static void an_end_without_data_is_waited_for_and_a_spared_one_is_not(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 3);
    begin(scene, ACT_READ, false, 1);
    run_for_ms(scene->base, 30);
    assert_false(scene->finished);
    assert_int_equal(act_apply(ACT_WRITE, scene->client[0]), 0);
    run_for_ms(scene->base, 30);
    assert_false(scene->finished);
    assert_int_equal(act_apply(ACT_WRITE, scene->client[1]), 0);
    assert_comes_true(scene->base, scene->finished);
    assert_int_equal(scene->report.done, 2);
    assert_int_equal(scene->report.failed, 0);
}

static void an_act_that_waits_can_be_cancelled(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 3);
    struct connection_act *running = begin(scene, ACT_READ, false, 0);
    run_for_ms(scene->base, 20);
    connection_act_cancel(running);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED), 0);
    connection_act_cancel(NULL);
}

/* Server ends with more to say than their clients, who do not read, have room for. */
static void open_filled_ends(struct scene *scene, int count)
{
    const int least = 1;
    struct loopback loopback = loopback_listen();
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&loopback.target.address, loopback.target.ports.first, &where);
    for (int i = 0; i < count; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
        assert_int_equal(connect(client, (struct sockaddr *)&where, length), 0);
        scene->client[scene->opened++] = client;
        assert_int_equal(connection_set_add(&scene->set, loopback_accept(&loopback)), 0);
    }
    close(loopback.listener);
    act_on_all(scene, ACT_FILL, false, 0);
    assert_int_equal(scene->report.failed, 0);
}

static void calls_that_wait_in_the_kernel_wait_together(void **state)
{
    struct scene *scene = *state;
    open_filled_ends(scene, 200);
    int64_t began_ms = loopback_now_ms();
    begin(scene, ACT_LINGER, false, 5);
    run_for_ms(scene->base, 100); /* the loop goes on */
    assert_false(scene->finished);
    assert_comes_true(scene->base, scene->finished);
    assert_true(loopback_now_ms() - began_ms < 20 * ACT_LINGER_S * 1000);
    assert_int_equal(scene->report.done, 195);
    assert_int_equal(scene->report.failed, 0);
    assert_int_equal(scene->set.open, 5);
    for (int i = 0; i < 200; i++)
        assert_int_equal(scene->set.fd[i] >= 0, i >= 195);
}

/* Those under way come to their end, and of each it is known whether it was released. */
static void calls_that_wait_in_the_kernel_can_be_cancelled(void **state)
{
    struct scene *scene = *state;
    open_filled_ends(scene, 50);
    struct connection_act *running = begin(scene, ACT_LINGER, false, 0);
    run_for_ms(scene->base, 100);
    connection_act_cancel(running);
    assert_false(scene->finished);
    assert_int_equal(scene->set.open, 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(scene->set.fd[i], -1);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED), 0);
}

static void lingering_on_a_released_end_fails_and_on_none_ends(void **state)
{
    struct scene *scene = *state;
    act_on_all(scene, ACT_LINGER, false, 0);
    assert_int_equal(scene->report.done, 0);
    open_ends(scene, 4);
    act_on_all(scene, ACT_CLOSE, false, 1);
    act_on_all(scene, ACT_LINGER, false, 0);
    assert_int_equal(scene->report.done, 4);
    assert_int_equal(scene->report.failed, 3);
    assert_int_equal(scene->report.last_errno, EBADF);
}

static void acting_on_a_released_end_fails(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 4);
    act_on_all(scene, ACT_CLOSE, false, 1);
    act_on_all(scene, ACT_SHUTDOWN, false, 0);
    assert_int_equal(scene->report.done, 4);
    assert_int_equal(scene->report.failed, 3);
    assert_int_equal(scene->report.last_errno, EBADF);
}

static void open_ends_that_the_peer_has_reset_are_ghosts(void **state)
{
    struct scene *scene = *state;
    open_ends(scene, 6);
    assert_int_equal(connection_set_ghosts(&scene->set), 0);
    for (int i = 0; i < 4; i++)
        reset_connection(&scene->client[i]);
    assert_soon(connection_set_ghosts(&scene->set) == 4);
    act_on_all(scene, ACT_CLOSE, false, 5);
    assert_int_equal(connection_set_ghosts(&scene->set), 3);
    assert_int_equal(scene->set.open, 5);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, start_scene, end_scene)

int main(void)
{
    alarm(60);
    host_raise_nofile();
    const struct CMUnitTest tests[] = {
        in_scene(every_end_is_acted_on),
        in_scene(the_last_ones_are_spared),
        in_scene(the_last_ones_are_spared_backwards_too),
        in_scene(all_may_be_spared_and_the_act_still_ends),
        in_scene(an_act_on_no_ends_ends),
        in_scene(those_that_were_spared_can_be_acted_on_later),
        in_scene(many_ends_are_told_in_batches_and_none_is_left_out),
        in_scene(an_end_without_data_is_waited_for_and_a_spared_one_is_not),
        in_scene(an_act_that_waits_can_be_cancelled),
        in_scene(calls_that_wait_in_the_kernel_wait_together),
        in_scene(calls_that_wait_in_the_kernel_can_be_cancelled),
        in_scene(lingering_on_a_released_end_fails_and_on_none_ends),
        in_scene(acting_on_a_released_end_fails),
        in_scene(open_ends_that_the_peer_has_reset_are_ghosts),
    };
    return cmocka_run_group_tests_name("connection_set", tests, NULL, NULL);
}
