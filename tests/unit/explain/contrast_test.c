#include "../unit.h"

#include "explain/contrast.h"
#include "explain/life.h"
#include "explain/words.h"
#include "made_facts.h"

enum { GRACE_MS = 1000 };

static struct made made;

static struct contrast contrast(void)
{
    struct groups groups;
    struct contrast told;
    assert_int_equal(groups_of(&made.facts, GRACE_MS, &groups), 0);
    assert_int_equal(contrast_of(&made.facts, &groups, &told), 0);
    groups_free(&groups);
    return told;
}

/* So many that linger and so many that are open, all alike but in their state. */
static void add(int lingering, int healthy)
{
    made_server(&made);
    for (int i = 0; i < lingering; i++) {
        struct fact_socket *socket = made_add(&made, made_close_wait(i));
        socket->data_segs_out = 1;
    }
    for (int i = 0; i < healthy; i++)
        made_add(&made, made_open(i));
}

static void what_all_have_is_not_told(void **state)
{
    (void)state;
    add(60, 40);
    assert_int_equal(contrast().count, 0);
    struct contrast told = contrast();
    assert_string_equal(words_of_contrast(&told).text, "");
}

static void what_only_the_lingering_have_is_told(void **state)
{
    (void)state;
    add(60, 40);
    for (int i = 0; i < 60; i++) {
        made.sockets[i].bytes_received = 0;
        made.sockets[i].peer.address = endpoint("127.0.0.7", 1).address;
    }
    struct contrast told = contrast();
    struct words words = words_of_contrast(&told);
    assert_contains(words.text, "never sent a byte");
    assert_contains(words.text, "peer 127.0.0.7");
    assert_contains(words.text, ": 60 of 60 lingering, 0 of 40 healthy");
    assert_lacks(words.text, "network"); /* it says no more than the peer */
}

static void a_network_is_told_where_its_peers_differ(void **state)
{
    (void)state;
    add(60, 40);
    for (int i = 0; i < 60; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.1.2.%d", i);
        made.sockets[i].peer = endpoint(address, 40000);
    }
    struct contrast told = contrast();
    assert_int_equal(told.count, 1);
    assert_contains(words_of_contrast(&told).text,
                    "network 10.1.2.0/24: 60 of 60 lingering, 0 of 40 healthy");
}

static void half_of_the_lingering_must_have_it(void **state)
{
    (void)state;
    add(60, 40);
    for (int i = 0; i < 29; i++)
        made.sockets[i].bytes_received = 0;
    assert_int_equal(contrast().count, 0);
    made.sockets[29].bytes_received = 0;
    assert_int_equal(contrast().count, 1);
}

static void a_lift_below_three_is_not_told(void **state)
{
    (void)state;
    add(60, 40);
    for (int i = 0; i < 60; i++)
        made.sockets[i].bytes_received = 0;
    for (int i = 60; i < 60 + 14; i++)
        made.sockets[i].bytes_received = 0;
    assert_int_equal(contrast().count, 0);
}

static void few_sockets_prove_nothing(void **state)
{
    (void)state;
    add(60, 4);
    for (int i = 0; i < 60; i++)
        made.sockets[i].bytes_received = 0;
    assert_int_equal(contrast().count, 0);
}

static void those_that_ended_in_the_window_are_healthy(void **state)
{
    (void)state;
    add(60, 0);
    for (int i = 0; i < 60; i++)
        made.sockets[i].bytes_received = 0;
    made.facts.window_ms = 4000;
    made.facts.ended_count = 40;
    for (int i = 0; i < 40; i++) {
        made.ended[i] = made_close_wait(i);
        made.ended[i].state = STATE_CLOSE;
        made.ended[i].data_segs_out = 1;
    }
    struct contrast told = contrast();
    assert_contains(words_of_contrast(&told).text, "never sent a byte: 60 of 60 lingering, 0 of 40 healthy");
}

static void times_are_told_as_people_say_them(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } times[] = {{0, "0 ms"},
                 {340, "340 ms"},
                 {2149, "2.1 s"},
                 {59999, "1 min 0 s"},
                 {65000, "1 min 5 s"},
                 {3600000 + 20 * 60000, "1 h 20 min"},
                 {(24 + 4) * 3600000LL, "1 day 4 h"},
                 {(48 + 4) * 3600000LL, "2 days 4 h"}};
    for (size_t i = 0; i < COUNT_OF(times); i++)
        assert_string_equal(life_time(times[i].ms).text, times[i].text);
    assert_string_equal(life_span((struct life_range){2100, 2120}).text, "2.1 s");
    assert_string_equal(life_span((struct life_range){2100, 65000}).text, "2.1 s to 1 min 5 s");
}

static void closing_times_are_told_of_those_that_ended(void **state)
{
    (void)state;
    struct closing closing;
    made_server(&made);
    assert_int_equal(closing_of(&made.facts, &closing), 0);
    assert_int_equal(closing.ended, 0);
    assert_string_equal(words_of_window(&made.facts, &closing).text, "");
    made.facts.window_ms = 4000;
    made.facts.opened = 120;
    made.facts.ended_count = 100;
    for (int i = 0; i < 100; i++) {
        made.ended[i] = made_close_wait(i);
        made.ended[i].closing_ms = i < 85 ? -1 : i < 95 ? 500 : 3000;
    }
    assert_int_equal(closing_of(&made.facts, &closing), 0);
    assert_int_equal(closing.p50_ms, 0);
    assert_int_equal(closing.p90_ms, 500);
    assert_int_equal(closing.most_ms, 3000);
    assert_string_equal(words_of_window(&made.facts, &closing).text,
                        "Watched for 4.0 s: 120 connections opened, 100 ended, time from their peer's FIN: "
                        "below 100 ms (p50), 500 ms (p90), 3.0 s (max).");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_have_is_not_told),
        cmocka_unit_test(what_only_the_lingering_have_is_told),
        cmocka_unit_test(a_network_is_told_where_its_peers_differ),
        cmocka_unit_test(half_of_the_lingering_must_have_it),
        cmocka_unit_test(a_lift_below_three_is_not_told),
        cmocka_unit_test(few_sockets_prove_nothing),
        cmocka_unit_test(those_that_ended_in_the_window_are_healthy),
        cmocka_unit_test(closing_times_are_told_of_those_that_ended),
        cmocka_unit_test(times_are_told_as_people_say_them),
    };
    return cmocka_run_group_tests_name("contrast", tests, NULL, NULL);
}
