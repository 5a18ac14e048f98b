#include "../unit.h"

#include "worker/scripted.h"

#include "../event_loop.h"

#include <errno.h>
#include <sys/resource.h>

enum { CLIENTS_MAX = 64 };

/* An endpoint that keeps what it accepts, behind a listener on a port that the kernel chooses. */
struct scene {
    struct event_base *base;
    struct endpoint endpoint;
    struct loopback where; /* only its address and port */
    struct listener *listener;
    int client[CLIENTS_MAX];
    int clients;
    int wakes; /* times that somebody was heard at the listener */
};

static void on_waiting_counted(void *owner, struct listener *listener)
{
    struct scene *scene = owner;
    scene->wakes++;
    endpoint_on_acceptable(&scene->endpoint, listener);
}

static int start_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int error;
    *state = scene;
    scene->base = event_base_new();
    scene->endpoint = (struct endpoint){.base = scene->base, .behaviour = &scripted_behaviour};
    scene->where.target.address = (struct address){0};
    assert_true(address_parse("127.0.0.1", &scene->where.target.address));
    scene->listener =
        listener_open(scene->base, &scene->where.target.address, 0, 64, on_waiting_counted, scene, &error);
    assert_non_null(scene->listener);
    scene->where.target.ports.first = listen_socket_port(scene->listener->fd);
    return endpoint_start(&scene->endpoint);
}

static int end_scene(void **state)
{
    struct scene *scene = *state;
    endpoint_stop(&scene->endpoint);
    listener_free(scene->listener);
    for (int i = 0; i < scene->clients; i++)
        close(scene->client[i]);
    event_base_free(scene->base);
    free(scene);
    return 0;
}

static void connect_some(struct scene *scene, int count)
{
    for (int i = 0; i < count; i++)
        scene->client[scene->clients++] = loopback_connect(&scene->where);
}

/* Room for so many descriptors more, for this process; returns what it was. */
static struct rlimit leave_room_for(int more)
{
    struct rlimit before;
    int next = dup(STDERR_FILENO);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit less = {(rlim_t)(next + more), before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    return before;
}

static void all_that_wait_are_accepted(void **state)
{
    struct scene *scene = *state;
    connect_some(scene, 40);
    assert_comes_true(scene->base, scene->endpoint.begun == 40);
    assert_int_equal(scene->endpoint.descriptors.count, 40);
    assert_int_equal(scene->endpoint.errors, 0);
}

static void with_nobody_at_the_listener_accept_asks_to_wait(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(endpoint_accept(&scene->endpoint, scene->listener, SOCK_CLOEXEC | SOCK_NONBLOCK),
                     -EAGAIN);
    assert_int_equal(scene->endpoint.errors, 0);
    assert_int_equal(scene->endpoint.last_errno, 0);
}

static void out_of_descriptors_is_counted_with_its_errno(void **state)
{
    struct scene *scene = *state;
    connect_some(scene, 10);
    struct rlimit before = leave_room_for(4);
    run_for_ms(scene->base, 20);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(scene->endpoint.begun, 4);
    assert_int_equal(scene->endpoint.errors, 1);
    assert_int_equal(scene->endpoint.last_errno, EMFILE);
}

/* The queue stays readable: without a rest accept() would fail as often as the processor lets it. */
static void out_of_descriptors_the_listener_rests(void **state)
{
    struct scene *scene = *state;
    connect_some(scene, 10);
    struct rlimit before = leave_room_for(4);
    run_for_ms(scene->base, 500);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_in_range(scene->wakes, 2, 11); /* every 50 ms */
    assert_int_equal(scene->endpoint.errors, scene->wakes);
}

static void with_descriptors_again_the_others_are_accepted(void **state)
{
    struct scene *scene = *state;
    connect_some(scene, 10);
    struct rlimit before = leave_room_for(4);
    run_for_ms(scene->base, 20);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_comes_true(scene->base, scene->endpoint.begun == 10);
    assert_int_equal(scene->endpoint.descriptors.count, 10);
}

static void a_listener_that_was_left_hears_nobody(void **state)
{
    struct scene *scene = *state;
    listener_leave(scene->listener);
    connect_some(scene, 3); /* the kernel goes on listening */
    run_for_ms(scene->base, 100);
    assert_int_equal(scene->wakes, 0);
    assert_int_equal(scene->endpoint.begun, 0);
}

static void a_listener_may_be_left_while_it_rests(void **state)
{
    struct scene *scene = *state;
    listener_rest(scene->listener, 20000);
    listener_leave(scene->listener);
    connect_some(scene, 1);
    run_for_ms(scene->base, 60);
    assert_int_equal(scene->wakes, 0);
}

static void a_listener_on_a_port_in_use_says_so(void **state)
{
    struct scene *scene = *state;
    int error = 0;
    assert_null(listener_open(scene->base, &scene->where.target.address, scene->where.target.ports.first, 8,
                              on_waiting_counted, scene, &error));
    assert_int_equal(error, -EADDRINUSE);
    listener_free(NULL);
}

static void what_the_endpoint_closes_is_no_longer_held(void **state)
{
    struct scene *scene = *state;
    connect_some(scene, 2);
    assert_comes_true(scene->base, scene->endpoint.begun == 2);
    int fd = scene->endpoint.descriptors.capacity - 1;
    while (!scene->endpoint.descriptors.is_held[fd])
        fd--;
    endpoint_close(&scene->endpoint, fd);
    assert_int_equal(scene->endpoint.descriptors.count, 1);
    assert_int_equal(scene->endpoint.begun, 2);
}

static void stopping_resets_what_was_accepted(void **state)
{
    struct scene *scene = *state;
    char byte;
    connect_some(scene, 2);
    assert_comes_true(scene->base, scene->endpoint.begun == 2);
    endpoint_stop(&scene->endpoint);
    assert_int_equal(recv(scene->client[0], &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(scene->endpoint.descriptors.count, 0);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, start_scene, end_scene)

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        in_scene(all_that_wait_are_accepted),
        in_scene(with_nobody_at_the_listener_accept_asks_to_wait),
        in_scene(out_of_descriptors_is_counted_with_its_errno),
        in_scene(out_of_descriptors_the_listener_rests),
        in_scene(with_descriptors_again_the_others_are_accepted),
        in_scene(a_listener_that_was_left_hears_nobody),
        in_scene(a_listener_may_be_left_while_it_rests),
        in_scene(a_listener_on_a_port_in_use_says_so),
        in_scene(what_the_endpoint_closes_is_no_longer_held),
        in_scene(stopping_resets_what_was_accepted),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
