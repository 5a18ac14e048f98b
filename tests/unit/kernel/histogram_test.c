#include "../unit.h"

#include "kernel/histogram.h"

static void an_empty_histogram_has_no_ends(void **state)
{
    (void)state;
    const struct histogram histogram = {.of = {0}};
    assert_int_equal(histogram_ends(&histogram), 0);
}

static void every_state_but_listen_is_an_end(void **state)
{
    (void)state;
    struct histogram histogram = {.of = {0}};
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        histogram.of[i] = 1;
    assert_int_equal(histogram_ends(&histogram), 10);
}

static void a_listener_is_no_end(void **state)
{
    (void)state;
    const struct histogram histogram = {.of = {[STATE_LISTEN] = 3}};
    assert_int_equal(histogram_ends(&histogram), 0);
    assert_int_equal(histogram_gone(&histogram, 10), 10);
}

static void gone_is_opened_minus_the_ends(void **state)
{
    (void)state;
    const struct histogram histogram = {.of = {[STATE_TIME_WAIT] = 7, [STATE_CLOSING] = 1}};
    assert_int_equal(histogram_gone(&histogram, 10), 2);
}

static void gone_is_negative_when_more_were_seen_than_opened(void **state)
{
    (void)state;
    const struct histogram histogram = {.of = {[STATE_ESTABLISHED] = 11}};
    assert_int_equal(histogram_gone(&histogram, 10), -1);
    assert_int_equal(histogram_of(&histogram, STATE_GONE, 10), -1);
}

static void gone_is_asked_for_like_a_state(void **state)
{
    (void)state;
    const struct histogram histogram = {.of = {[STATE_ESTABLISHED] = 4}};
    assert_int_equal(histogram_of(&histogram, STATE_GONE, 10), 6);
    assert_int_equal(histogram_of(&histogram, STATE_ESTABLISHED, 10), 4);
}

static void the_tallies_beside_the_states_are_no_ends(void **state)
{
    (void)state;
    const struct histogram histogram = {
        .of = {[STATE_CLOSE_WAIT] = 2}, .owned = 5, .unread = 6, .unowned = 7, .queued = 8};
    assert_int_equal(histogram_ends(&histogram), 2);
    assert_int_equal(histogram_gone(&histogram, 10), 8);
}

static void sides_have_names(void **state)
{
    (void)state;
    assert_string_equal(side_name(SIDE_SERVER), "server");
    assert_string_equal(side_name(SIDE_CLIENT), "client");
}

static void each_side_has_the_other(void **state)
{
    (void)state;
    assert_int_equal(side_other(SIDE_SERVER), SIDE_CLIENT);
    assert_int_equal(side_other(SIDE_CLIENT), SIDE_SERVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_no_ends),
        cmocka_unit_test(every_state_but_listen_is_an_end),
        cmocka_unit_test(a_listener_is_no_end),
        cmocka_unit_test(gone_is_opened_minus_the_ends),
        cmocka_unit_test(gone_is_negative_when_more_were_seen_than_opened),
        cmocka_unit_test(gone_is_asked_for_like_a_state),
        cmocka_unit_test(the_tallies_beside_the_states_are_no_ends),
        cmocka_unit_test(sides_have_names),
        cmocka_unit_test(each_side_has_the_other),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
