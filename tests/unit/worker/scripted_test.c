#include "../unit.h"

#include "worker/scripted.h"

#include "../event_loop.h"

#include <errno.h>
#include <fcntl.h>

enum { PAIRS_MAX = 200, SOON_US = 20000, NEVER_US = 3600 * 1000000LL };

/* An endpoint on one side or on both; where it is on one, the other side's ends are ours. */
struct scene {
    struct event_base *base;
    struct endpoint endpoint[SIDE_COUNT];
    int end[SIDE_COUNT][PAIRS_MAX]; /* -1: not ours */
    int pairs;
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
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (scene->endpoint[side].behaviour != NULL)
            endpoint_stop(&scene->endpoint[side]);
        for (int i = 0; i < scene->pairs; i++)
            if (scene->end[side][i] >= 0)
                close(scene->end[side][i]);
    }
    event_base_free(scene->base);
    free(scene);
    return 0;
}

static void add_word(struct script *script, const char *word)
{
    assert_int_equal(script_add_word(script, word), 0);
}

/* The script in words, separated by spaces. */
static struct endpoint *with_endpoint(struct scene *scene, enum side side, const char *words, int64_t life_us)
{
    struct endpoint *endpoint = &scene->endpoint[side];
    char copy[200], *rest = copy;
    const char *word;
    *endpoint = (struct endpoint){.base = scene->base, .behaviour = &scripted_behaviour, .life_us = life_us};
    snprintf(copy, sizeof copy, "%s", words);
    while ((word = strsep(&rest, " ")) != NULL)
        if (*word != '\0' && strcmp(word, "-") != 0)
            add_word(&endpoint->script, word);
    assert_int_equal(endpoint_start(endpoint), 0);
    return endpoint;
}

static void set_non_blocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Opens connections and hands to each endpoint its ends. */
static void open_pairs(struct scene *scene, int count)
{
    struct loopback loopback = loopback_listen();
    for (int i = 0; i < count; i++) {
        int fd[SIDE_COUNT];
        fd[SIDE_CLIENT] = loopback_connect(&loopback);
        fd[SIDE_SERVER] = loopback_accept(&loopback);
        for (int side = 0; side < SIDE_COUNT; side++) {
            set_non_blocking(fd[side]);
            scene->end[side][scene->pairs] = scene->endpoint[side].behaviour == NULL ? fd[side] : -1;
            if (scene->endpoint[side].behaviour != NULL)
                assert_int_equal(endpoint_begin(&scene->endpoint[side], fd[side]), 0);
        }
        scene->pairs++;
    }
    close(loopback.listener);
}

static int peek(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK);
    return got >= 0 ? (int)got : -errno;
}

static bool is_over(const struct endpoint *endpoint)
{
    return endpoint->ended == endpoint->begun;
}

/* ---- orders ---- */

static bool closes(const struct script *script)
{
    for (int i = 0; i < script->count; i++)
        if (act_releases(script->steps[i].act))
            return true;
    return false;
}

static void play_order(const struct close_order *order)
{
    void *state;
    start_scene(&state);
    struct scene *scene = state;
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct script script = script_of(order, (enum side)side);
        with_endpoint(scene, (enum side)side, script_text(&script).text, SOON_US);
    }
    open_pairs(scene, 20);
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct endpoint *endpoint = &scene->endpoint[side];
        assert_comes_true(scene->base, is_over(endpoint));
        assert_int_equal(endpoint->begun, 20);
        assert_int_equal(endpoint->descriptors.count, closes(&endpoint->script) ? 0 : 20);
        assert_int_equal(endpoint->lost, 0);
        assert_int_equal(endpoint->leaked, 0);
        assert_int_equal(endpoint->errors, 0);
    }
    end_scene(&state);
}

static void every_order_is_played_by_both_sides_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        if (order_can_flow(close_order_at(i)))
            play_order(close_order_at(i));
}

/* ---- one side ---- */

static void who_closes_first_does_so_when_its_time_has_come(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "close@life", 100000);
    int64_t began_ms = loopback_now_ms();
    open_pairs(scene, 3);
    assert_int_equal(client->ended, 0);
    assert_comes_true(scene->base, client->ended == 3);
    assert_true(loopback_now_ms() - began_ms >= 100);
    assert_int_equal(client->descriptors.count, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(peek(scene->end[SIDE_SERVER][i]), 0);
}

static void before_its_time_nothing_is_done(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "close@life", NEVER_US);
    open_pairs(scene, 3);
    run_for_ms(scene->base, 50);
    assert_int_equal(client->ended, 0);
    assert_int_equal(client->descriptors.count, 3);
    assert_int_equal(peek(scene->end[SIDE_SERVER][0]), -EAGAIN);
}

static void a_life_of_no_time_ends_at_once(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "close@life", 0);
    open_pairs(scene, 3);
    assert_comes_true(scene->base, client->ended == 3);
    assert_int_equal(client->descriptors.count, 0);
}

static void who_closes_second_waits_for_the_eof(void **state)
{
    struct scene *scene = *state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "close@eof", SOON_US);
    open_pairs(scene, 2);
    run_for_ms(scene->base, 60);
    assert_int_equal(server->ended, 0);
    close(scene->end[SIDE_CLIENT][1]);
    scene->end[SIDE_CLIENT][1] = -1;
    assert_comes_true(scene->base, server->ended == 1);
    assert_int_equal(server->descriptors.count, 1);
    assert_int_equal(peek(scene->end[SIDE_CLIENT][0]), -EAGAIN);
}

static void data_before_the_eof_is_read_and_dropped(void **state)
{
    struct scene *scene = *state;
    char much[50000] = {0};
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "close@eof", SOON_US);
    open_pairs(scene, 1);
    int client = scene->end[SIDE_CLIENT][0];
    assert_int_equal(send(client, much, sizeof much, 0), sizeof much);
    run_for_ms(scene->base, 50);
    assert_int_equal(server->ended, 0);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_comes_true(scene->base, server->ended == 1);
    assert_soon(peek(client) == 0); /* a FIN: with data unread it would be an RST */
}

static void the_life_of_each_connection_is_its_own(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "close@life", 150000);
    open_pairs(scene, 1);
    run_for_ms(scene->base, 80);
    open_pairs(scene, 1);
    assert_comes_true(scene->base, client->ended >= 1);
    assert_int_equal(client->ended, 1);
    assert_int_equal(peek(scene->end[SIDE_SERVER][0]), 0);
    assert_int_equal(peek(scene->end[SIDE_SERVER][1]), -EAGAIN);
    assert_comes_true(scene->base, client->ended == 2);
}

static void what_is_not_closed_stays_held(void **state)
{
    struct scene *scene = *state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "-", SOON_US);
    open_pairs(scene, 4);
    assert_int_equal(server->ended, 4);
    assert_int_equal(server->descriptors.count, 4);
    assert_int_equal(server->leaked, 0);
}

/* ---- leaks ---- */

/* `count` of the first `of` are to leak, and `opened` are opened: the ends that stay open, as a bit each. */
static int64_t leaked_of(int64_t count, int64_t of, int opened, bool stays[PAIRS_MAX])
{
    void *state;
    start_scene(&state);
    struct scene *scene = state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "close@eof", SOON_US);
    server->leak = (struct leak_share){count, of};
    open_pairs(scene, opened);
    for (int i = 0; i < opened; i++)
        assert_int_equal(shutdown(scene->end[SIDE_CLIENT][i], SHUT_WR), 0);
    assert_comes_true(scene->base, is_over(server));
    int64_t leaked = server->leaked;
    assert_int_equal(server->descriptors.count, leaked);
    for (int i = 0; i < opened; i++)
        stays[i] = peek(scene->end[SIDE_CLIENT][i]) == -EAGAIN;
    end_scene(&state);
    return leaked;
}

static void exactly_so_many_leak_as_were_asked_for(void **state)
{
    (void)state;
    static const struct leak_share shares[] = {{0, 100}, {1, 100},  {3, 100},  {7, 97},
                                               {33, 99}, {99, 100}, {100, 100}};
    for (size_t i = 0; i < COUNT_OF(shares); i++) {
        bool stays[PAIRS_MAX];
        int64_t seen = 0;
        assert_int_equal(leaked_of(shares[i].count, shares[i].of, (int)shares[i].of, stays), shares[i].count);
        for (int j = 0; j < shares[i].of; j++)
            seen += stays[j];
        assert_int_equal(seen, shares[i].count);
    }
}

static void leaks_are_spread_evenly(void **state)
{
    (void)state;
    bool stays[PAIRS_MAX];
    assert_int_equal(leaked_of(10, 100, 100, stays), 10);
    for (int tenth = 0; tenth < 10; tenth++) {
        int seen = 0;
        for (int i = 0; i < 10; i++)
            seen += stays[10 * tenth + i];
        assert_int_equal(seen, 1);
    }
}

static void those_beyond_the_share_do_not_leak(void **state)
{
    (void)state;
    bool stays[PAIRS_MAX];
    assert_int_equal(leaked_of(5, 10, 40, stays), 5);
    for (int i = 10; i < 40; i++)
        assert_false(stays[i]);
}

static void a_leak_leaves_out_the_close_and_nothing_before_it(void **state)
{
    struct scene *scene = *state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "write@eof close@now", SOON_US);
    server->leak = (struct leak_share){1, 1};
    open_pairs(scene, 1);
    assert_int_equal(shutdown(scene->end[SIDE_CLIENT][0], SHUT_WR), 0);
    assert_comes_true(scene->base, server->leaked == 1);
    assert_soon(peek(scene->end[SIDE_CLIENT][0]) == 1);
    assert_int_equal(act_apply(ACT_READ, scene->end[SIDE_CLIENT][0]), 0);
    assert_int_equal(peek(scene->end[SIDE_CLIENT][0]), -EAGAIN);
}

static void a_reset_is_left_out_by_no_leak(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "abort@life", SOON_US);
    client->leak = (struct leak_share){2, 2};
    open_pairs(scene, 2);
    assert_comes_true(scene->base, client->ended == 2);
    assert_int_equal(client->leaked, 0);
    assert_int_equal(client->descriptors.count, 0);
}

/* ---- what does not come, and what breaks ---- */

static void who_waits_for_an_answer_in_vain_leaves_when_its_time_has_come(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "write@now read@data close@life", SOON_US);
    open_pairs(scene, 3);
    assert_comes_true(scene->base, client->ended == 3);
    assert_int_equal(client->lost, 0);
    assert_int_equal(client->descriptors.count, 0);
    assert_soon(peek(scene->end[SIDE_SERVER][0]) == 1);
    assert_int_equal(act_apply(ACT_READ, scene->end[SIDE_SERVER][0]), 0);
    assert_int_equal(peek(scene->end[SIDE_SERVER][0]), 0);
}

static void an_answer_in_time_is_read(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "write@now read@data close@life", 100000);
    open_pairs(scene, 1);
    assert_soon(peek(scene->end[SIDE_SERVER][0]) == 1);
    assert_int_equal(act_apply(ACT_READ, scene->end[SIDE_SERVER][0]), 0);
    assert_int_equal(act_apply(ACT_WRITE, scene->end[SIDE_SERVER][0]), 0);
    assert_comes_true(scene->base, client->ended == 1);
    assert_int_equal(client->lost, 0);
    assert_int_equal(peek(scene->end[SIDE_SERVER][0]), 0); /* a FIN: nothing was unread */
}

static void who_waits_for_an_eof_in_vain_waits_on(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "shutdown@life read@data close@eof", SOON_US);
    open_pairs(scene, 1);
    run_for_ms(scene->base, 100);
    assert_int_equal(client->ended, 0);
    assert_int_equal(client->descriptors.count, 1);
    assert_int_equal(peek(scene->end[SIDE_SERVER][0]), 0);
}

static void an_answer_that_a_reset_has_taken_is_lost(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "write@now read@data close@life", NEVER_US);
    open_pairs(scene, 2);
    reset_connection(&scene->end[SIDE_SERVER][0]);
    assert_comes_true(scene->base, client->ended == 1);
    assert_int_equal(client->lost, 1);
    assert_int_equal(client->descriptors.count, 1);
}

static void an_end_instead_of_an_answer_is_a_loss_too(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "read@data close@life", NEVER_US);
    open_pairs(scene, 1);
    assert_int_equal(shutdown(scene->end[SIDE_SERVER][0], SHUT_WR), 0);
    assert_comes_true(scene->base, client->ended == 1);
    assert_int_equal(client->lost, 1);
    assert_int_equal(client->descriptors.count, 0);
}

static void writing_to_a_reset_connection_is_a_loss(void **state)
{
    struct scene *scene = *state;
    struct endpoint *client = with_endpoint(scene, SIDE_CLIENT, "write@life close@now", SOON_US);
    open_pairs(scene, 1);
    reset_connection(&scene->end[SIDE_SERVER][0]);
    assert_comes_true(scene->base, client->ended == 1);
    assert_int_equal(client->lost, 1);
    assert_int_equal(client->descriptors.count, 0);
}

static void a_reset_where_an_eof_was_awaited_is_none(void **state)
{
    struct scene *scene = *state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "close@eof", SOON_US);
    open_pairs(scene, 1);
    reset_connection(&scene->end[SIDE_CLIENT][0]);
    assert_comes_true(scene->base, server->ended == 1);
    assert_int_equal(server->lost, 0);
    assert_int_equal(server->descriptors.count, 0);
}

/* Level-triggered: whoever goes on listening to what it does not read keeps a processor busy. */
static void what_is_not_awaited_does_not_wake(void **state)
{
    struct scene *scene = *state;
    with_endpoint(scene, SIDE_SERVER, "close@life", NEVER_US);
    open_pairs(scene, 1);
    assert_int_equal(act_apply(ACT_WRITE, scene->end[SIDE_CLIENT][0]), 0);
    assert_int_equal(shutdown(scene->end[SIDE_CLIENT][0], SHUT_WR), 0);
    run_for_ms(scene->base, 20);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ACTIVE), 0);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED), 1); /* the clock */
}

/* ---- the end ---- */

static void stopping_resets_the_young_the_old_and_the_leaked(void **state)
{
    struct scene *scene = *state;
    struct endpoint *server = with_endpoint(scene, SIDE_SERVER, "close@eof", SOON_US);
    server->leak = (struct leak_share){1, 1};
    open_pairs(scene, 2);
    assert_int_equal(shutdown(scene->end[SIDE_CLIENT][0], SHUT_WR), 0);
    assert_comes_true(scene->base, server->leaked == 1);
    run_for_ms(scene->base, 30);
    open_pairs(scene, 1);
    endpoint_stop(server);
    server->behaviour = NULL;
    assert_int_equal(server->descriptors.count, 0);
    for (int i = 0; i < 3; i++)
        assert_soon(state_of(scene->end[SIDE_CLIENT][i]) == STATE_CLOSE);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED), 0);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, start_scene, end_scene)

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_is_played_by_both_sides_to_its_end),
        in_scene(who_closes_first_does_so_when_its_time_has_come),
        in_scene(before_its_time_nothing_is_done),
        in_scene(a_life_of_no_time_ends_at_once),
        in_scene(who_closes_second_waits_for_the_eof),
        in_scene(data_before_the_eof_is_read_and_dropped),
        in_scene(the_life_of_each_connection_is_its_own),
        in_scene(what_is_not_closed_stays_held),
        cmocka_unit_test(exactly_so_many_leak_as_were_asked_for),
        cmocka_unit_test(leaks_are_spread_evenly),
        cmocka_unit_test(those_beyond_the_share_do_not_leak),
        in_scene(a_leak_leaves_out_the_close_and_nothing_before_it),
        in_scene(a_reset_is_left_out_by_no_leak),
        in_scene(who_waits_for_an_answer_in_vain_leaves_when_its_time_has_come),
        in_scene(an_answer_in_time_is_read),
        in_scene(who_waits_for_an_eof_in_vain_waits_on),
        in_scene(an_answer_that_a_reset_has_taken_is_lost),
        in_scene(an_end_instead_of_an_answer_is_a_loss_too),
        in_scene(writing_to_a_reset_connection_is_a_loss),
        in_scene(a_reset_where_an_eof_was_awaited_is_none),
        in_scene(what_is_not_awaited_does_not_wake),
        in_scene(stopping_resets_the_young_the_old_and_the_leaked),
    };
    return cmocka_run_group_tests_name("scripted", tests, NULL, NULL);
}
