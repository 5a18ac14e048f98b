#include "../unit.h"

#include "explain/halves.h"
#include "made_facts.h"

#include <stdlib.h>

static struct made made;
static bool lingers[MADE_SOCKETS];
static struct half halves[MADE_SOCKETS];

static void start(void)
{
    made_server(&made);
    memset(lingers, 0, sizeof lingers);
}

/* The client's half of a proxy's connection: so many bytes came, the last one so long ago, and were echoed.
 */
static struct fact_socket *add_client(uint64_t bytes, int64_t ago_ms, bool is_open)
{
    struct fact_socket socket =
        is_open ? made_open(made.facts.socket_count) : made_close_wait(made.facts.socket_count);
    socket.bytes_received = socket.bytes_acked = bytes;
    socket.data_segs_out = 1;
    socket.last_data_recv_ms = ago_ms;
    socket.last_data_sent_ms = ago_ms - 2;
    socket.age = (struct fact_age){ago_ms, FACT_NO_LIMIT};
    lingers[made.facts.socket_count] = !is_open;
    return made_add(&made, socket);
}

/* The half towards the backend. */
static struct fact_socket *add_backend(uint64_t bytes, int64_t ago_ms)
{
    struct fact_socket socket = made_open(made.facts.socket_count);
    socket.way = WAY_OUTGOING;
    socket.listener = -1;
    socket.local = endpoint("127.0.0.1", 50000);
    socket.peer = endpoint("127.0.0.1", 5432);
    socket.bytes_received = socket.bytes_acked = bytes;
    socket.last_data_sent_ms = ago_ms - 1;
    socket.last_data_recv_ms = ago_ms - 1;
    return made_add(&made, socket);
}

static int find(void)
{
    return halves_find(&made.facts, lingers, halves);
}

static void expect_all(enum half_finding finding)
{
    int count = find();
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(halves[i].finding, finding);
        assert_int_equal(halves[i].other >= 0, finding == HALF_FOUND);
    }
}

static void each_has_a_half_of_its_own(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 20; i++) {
        add_client(6, 5000 + 3 * i, false);
        add_backend(6, 5000 + 3 * i);
    }
    add_client(9, 5000, true);
    add_backend(9, 5000);
    expect_all(HALF_FOUND);
    assert_int_equal(find(), 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(made.sockets[halves[i].other].way, WAY_OUTGOING);
        assert_int_equal(made.sockets[halves[i].other].bytes_acked, 6);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(halves[i].other, halves[k].other);
    }
}

static void one_that_fits_a_client_that_is_served_is_left_alone(void **state)
{
    (void)state;
    start();
    add_client(6, 5000, false);
    add_backend(6, 5000);
    struct fact_socket *served = add_client(6, 5100, true);
    add_backend(6, 5100);
    expect_all(HALF_DOUBTFUL);
    served->last_data_recv_ms = 9000; /* at another time */
    made.sockets[3].last_data_sent_ms = 8999;
    expect_all(HALF_FOUND);
    assert_int_equal(halves[0].other, 1);
    served->state = STATE_CLOSE_WAIT; /* its peer has just closed: it is not given up yet */
    served->last_data_recv_ms = 5100;
    expect_all(HALF_DOUBTFUL);
}

static void the_nearest_in_time_is_taken(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 4; i++)
        add_client(6, 5000 + 50 * i, false);
    for (int i = 3; i >= 0; i--)
        add_backend(6, 5000 + 50 * i);
    expect_all(HALF_FOUND);
    for (int i = 0; i < 4; i++)
        assert_int_equal(halves[i].other, 7 - i);
}

/* One that has carried the same has nothing left to pass on. */
static void one_that_is_served_now_has_no_half_that_was_last_used_long_ago(void **state)
{
    (void)state;
    start();
    add_client(6, 9000, false);
    add_backend(6, 9000);
    add_client(6, 100, true);
    add_backend(6, 100);
    expect_all(HALF_FOUND);
    assert_int_equal(halves[0].other, 1);
}

/* What came last is perhaps not passed on yet. */
static void one_in_motion_may_have_received_more(void **state)
{
    (void)state;
    start();
    add_client(6, 5000, false);
    add_backend(6, 5000);
    struct fact_socket *served = add_client(100, 500, true);
    served->bytes_acked = 6;
    expect_all(HALF_DOUBTFUL);
    served->age = fact_age_exact(3000); /* it came when the half had said all it has said */
    expect_all(HALF_FOUND);
    served->age = fact_age_unknown();
    expect_all(HALF_DOUBTFUL);
    served->bytes_acked = 7; /* more than the half has ever received */
    expect_all(HALF_FOUND);
}

static void where_more_fit_than_linger_none_is_sure(void **state)
{
    (void)state;
    start();
    add_client(6, 5000, false);
    add_client(6, 5010, false);
    for (int i = 0; i < 3; i++)
        add_backend(6, 5000 + i);
    expect_all(HALF_DOUBTFUL);
}

static void other_bytes_other_times_and_other_processes_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes, ago_ms;
        int process;
    } others[] = {{7, 5000, 0}, {6, 20000, 0}, {6, 2000, 0}, {6, 5000, 1}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        start();
        made_process(&made, false);
        add_client(6, 5000, false);
        add_backend((uint64_t)others[i].bytes, others[i].ago_ms)->process = others[i].process;
        expect_all(HALF_NONE);
    }
}

static void what_is_not_at_rest_is_no_half(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        start();
        add_client(6, 5000, false);
        struct fact_socket *out = add_backend(6, 5000);
        out->unsent = i == 0 ? 1 : 0;
        out->unread = i == 1 ? 1 : 0;
        out->state = i == 2 ? STATE_CLOSE_WAIT : STATE_ESTABLISHED;
        out->holders = i == 3 ? 2 : 1;
        out->has_info = i != 4;
        out->in_both = i != 5;
        expect_all(HALF_NONE);
    }
}

static void what_lingers_must_be_passed_on_and_have_carried_something(void **state)
{
    (void)state;
    start();
    struct fact_socket *client = add_client(0, 5000, false);
    add_backend(0, 5000);
    expect_all(HALF_SILENT);
    client->unsent = 1;
    expect_all(HALF_SHARED);
    client->unsent = 0;
    client->holders = 2;
    expect_all(HALF_SHARED);
}

static void a_client_of_which_nothing_is_known_may_have_any_half(void **state)
{
    (void)state;
    start();
    add_client(6, 5000, false);
    add_backend(6, 5000);
    struct fact_socket *served = add_client(99, 60000, true);
    expect_all(HALF_FOUND);
    served->has_info = false;
    expect_all(HALF_DOUBTFUL);
    served->state = STATE_CLOSE; /* a ghost is served no more */
    expect_all(HALF_FOUND);
}

/* ---- made proxies of all kinds ---- */

static int64_t below(int64_t limit)
{
    return rand() % limit;
}

/* A proxy that passes on within its time, and answers of a backend. owner[i]: the client's half of backend's
 * i. */
static void make_proxy(int *owner)
{
    int pairs = 1 + (int)below(40);
    int64_t spread_ms = 1 + below(20000), late_ms = 1 + below(HALVES_LATE_MS - 100), sizes = 1 + below(4);
    start();
    for (int i = 0; i < pairs; i++) {
        bool is_open = below(3) == 0;
        int64_t ago_ms = (is_open ? 0 : 1000) + late_ms + 10 + below(spread_ms),
                answered_ms = ago_ms - below(late_ms);
        uint64_t bytes = (uint64_t)(1 + below(sizes)), answer = (uint64_t)below(sizes);
        int client = made.facts.socket_count;
        struct fact_socket *in = add_client(bytes, ago_ms, is_open);
        in->bytes_acked = answer;
        in->last_data_sent_ms = answered_ms;
        struct fact_socket *out = add_backend(bytes, ago_ms);
        out->last_data_sent_ms = ago_ms - below(late_ms);
        out->bytes_received = answer;
        out->last_data_recv_ms = answered_ms + below(late_ms);
        if (is_open && below(4) == 0) { /* more has come, and is in the proxy's hands */
            in->bytes_received += 1 + (uint64_t)below(3);
            in->last_data_recv_ms = below(HALVES_LATE_MS);
        }
        owner[client + 1] = client;
    }
}

static void no_half_of_a_client_that_is_served_is_ever_found(void **state)
{
    (void)state;
    static int owner[MADE_SOCKETS];
    int found = 0, all = 0;
    srand(17);
    for (int round = 0; round < 3000; round++) {
        make_proxy(owner);
        int count = find();
        all += count;
        for (int i = 0; i < count; i++)
            if (halves[i].other >= 0) {
                assert_true(lingers[owner[halves[i].other]]);
                found++;
            }
    }
    assert_true(found > all / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_a_half_of_its_own),
        cmocka_unit_test(one_that_fits_a_client_that_is_served_is_left_alone),
        cmocka_unit_test(the_nearest_in_time_is_taken),
        cmocka_unit_test(one_that_is_served_now_has_no_half_that_was_last_used_long_ago),
        cmocka_unit_test(one_in_motion_may_have_received_more),
        cmocka_unit_test(where_more_fit_than_linger_none_is_sure),
        cmocka_unit_test(other_bytes_other_times_and_other_processes_do_not_fit),
        cmocka_unit_test(what_is_not_at_rest_is_no_half),
        cmocka_unit_test(what_lingers_must_be_passed_on_and_have_carried_something),
        cmocka_unit_test(a_client_of_which_nothing_is_known_may_have_any_half),
        cmocka_unit_test(no_half_of_a_client_that_is_served_is_ever_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
