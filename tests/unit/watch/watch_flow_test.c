/* A flow that hears of made-up sockets: which come, end, and how long they live. */
#include "../unit.h"

#include "watch/watch_flow.h"

#include <stdlib.h>

enum { MS = 1000, SERVER_PORT = 80 };

struct fixture {
    struct watch_flow *flow;
    bool *serves;
    int64_t now_us;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->flow = watch_flow_new();
    fixture->serves = calloc(65536, sizeof *fixture->serves);
    fixture->serves[SERVER_PORT] = true;
    fixture->now_us = 1000000;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    watch_flow_free(fixture->flow);
    free(fixture->serves);
    free(fixture);
    return 0;
}

static struct socket_entry end_of(uint16_t peer_port, enum tcp_state state)
{
    struct socket_entry entry = {
        .state = state, .local_port = SERVER_PORT, .remote_port = peer_port, .inode = peer_port};
    address_parse("10.0.0.1", &entry.local);
    address_parse("10.0.0.2", &entry.remote);
    return entry;
}

/* A look that shows these ports' connections in that state, so long after the last one. */
static void look(struct fixture *fixture, int64_t after_ms, const uint16_t *peers, int count,
                 enum tcp_state state)
{
    fixture->now_us += after_ms * MS;
    watch_flow_begin(fixture->flow);
    for (int i = 0; i < count; i++) {
        struct socket_entry entry = end_of(peers[i], state);
        assert_int_equal(watch_flow_note(fixture->flow, &entry), 0);
    }
    assert_int_equal(watch_flow_end(fixture->flow, fixture->now_us, fixture->serves), 0);
}

static const struct flow_port *taken(struct fixture *fixture, struct flow_counts *counts)
{
    watch_flow_take(fixture->flow, counts);
    for (int i = 0; i < counts->count; i++)
        if (counts->ports[i].port == SERVER_PORT && counts->ports[i].side == SIDE_SERVER)
            return &counts->ports[i];
    return NULL;
}

static int64_t lives(const struct flow_port *port)
{
    int64_t sum = 0;
    for (int i = 0; i < FLOW_LIVES; i++)
        sum += port->lives[i];
    return sum;
}

static void those_of_the_first_look_did_not_come(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    look(fixture, 0, (uint16_t[]){1001, 1002}, 2, STATE_ESTABLISHED);
    const struct flow_port *port = taken(fixture, &counts);
    assert_int_equal(port != NULL ? port->came : 0, 0);
    look(fixture, 1000, (uint16_t[]){1002, 1003}, 2, STATE_ESTABLISHED);
    port = taken(fixture, &counts);
    assert_non_null(port);
    assert_int_equal(port->came, 1);
    assert_int_equal(port->ended, 1);
    assert_int_equal(lives(port), 0); /* the one that went was there before the watch */
    assert_true(counts.over_s > 0.99 && counts.over_s < 1.01);
}

static void a_life_ends_when_one_side_begins_to_close(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    const uint16_t peer = 1001;
    look(fixture, 0, NULL, 0, STATE_ESTABLISHED);
    look(fixture, 1000, &peer, 1, STATE_ESTABLISHED);
    look(fixture, 1000, &peer, 1, STATE_ESTABLISHED);
    look(fixture, 1000, &peer, 1, STATE_CLOSE_WAIT);
    look(fixture, 1000, &peer, 1, STATE_CLOSE_WAIT);
    const struct flow_port *port = taken(fixture, &counts);
    assert_int_equal(port->came, 1);
    assert_int_equal(port->ended, 0);
    assert_int_equal(lives(port), 1);
    assert_int_equal(port->lives[flow_bucket(2000)], 1); /* between 1 and 3 s */
    look(fixture, 1000, NULL, 0, STATE_CLOSE_WAIT);
    port = taken(fixture, &counts);
    assert_int_equal(port->ended, 1);
    assert_int_equal(lives(port), 0);
}

static void counts_add_up_until_they_are_taken(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    look(fixture, 0, NULL, 0, STATE_ESTABLISHED);
    look(fixture, 500, (uint16_t[]){1001}, 1, STATE_ESTABLISHED);
    look(fixture, 500, (uint16_t[]){1001, 1002}, 2, STATE_ESTABLISHED);
    assert_int_equal(taken(fixture, &counts)->came, 2);
    assert_true(counts.over_s > 0.99 && counts.over_s < 1.01);
    look(fixture, 500, (uint16_t[]){1001, 1002, 1003}, 3, STATE_ESTABLISHED);
    assert_int_equal(taken(fixture, &counts)->came, 1);
    assert_true(counts.over_s > 0.49 && counts.over_s < 0.51);
}

static void what_comes_and_ends_between_two_looks_is_known_from_the_news(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    struct socket_life dead = {.entry = end_of(1001, STATE_CLOSE), .life = {.is_known = false}};
    look(fixture, 0, NULL, 0, STATE_ESTABLISHED);
    assert_int_equal(watch_flow_note_death(fixture->flow, &dead), 0);
    look(fixture, 1000, NULL, 0, STATE_ESTABLISHED);
    const struct flow_port *port = taken(fixture, &counts);
    assert_int_equal(port->came, 1);
    assert_int_equal(port->ended, 1);
    assert_int_equal(lives(port), 1);
}

static void news_that_come_late_count_once(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    const uint16_t peer = 1001;
    struct socket_life dead = {.entry = end_of(peer, STATE_CLOSE)};
    look(fixture, 0, NULL, 0, STATE_ESTABLISHED);
    look(fixture, 1000, &peer, 1, STATE_ESTABLISHED);
    look(fixture, 1000, NULL, 0, STATE_ESTABLISHED); /* it has gone, and nobody has told */
    assert_int_equal(watch_flow_note_death(fixture->flow, &dead), 0);
    look(fixture, 1000, NULL, 0, STATE_ESTABLISHED);
    const struct flow_port *port = taken(fixture, &counts);
    assert_int_equal(port->came, 1);
    assert_int_equal(port->ended, 1);
}

static void news_of_one_that_was_just_seen_count_once(void **state)
{
    struct fixture *fixture = *state;
    struct flow_counts counts;
    const uint16_t peer = 1001;
    struct socket_life dead = {.entry = end_of(peer, STATE_CLOSE)};
    look(fixture, 0, NULL, 0, STATE_ESTABLISHED);
    assert_int_equal(watch_flow_note_death(fixture->flow, &dead), 0); /* after the tables were read */
    look(fixture, 1000, &peer, 1, STATE_ESTABLISHED);
    look(fixture, 1000, NULL, 0, STATE_ESTABLISHED);
    const struct flow_port *port = taken(fixture, &counts);
    assert_int_equal(port->came, 1);
    assert_int_equal(port->ended, 1);
}

static void buckets_double(void **state)
{
    (void)state;
    assert_int_equal(flow_bucket(0), 0);
    assert_int_equal(flow_bucket(1), 1);
    assert_int_equal(flow_bucket(255), 8);
    assert_int_equal(flow_bucket(256), 9);
    assert_int_equal(flow_bucket(INT64_MAX), FLOW_LIVES - 1);
}

int main(void)
{
#define WITH_FLOW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FLOW(those_of_the_first_look_did_not_come),
        WITH_FLOW(a_life_ends_when_one_side_begins_to_close),
        WITH_FLOW(counts_add_up_until_they_are_taken),
        WITH_FLOW(what_comes_and_ends_between_two_looks_is_known_from_the_news),
        WITH_FLOW(news_that_come_late_count_once),
        WITH_FLOW(news_of_one_that_was_just_seen_count_once),
        cmocka_unit_test(buckets_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
