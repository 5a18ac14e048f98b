#include "../unit.h"

#include "model/experiment.h"

static const struct fault_case faulty = {
    .bug = {.name = "some-cause", .summary = "who forgets", .meaning = "It stays."},
    .fixed = {.name = "some-cause-fixed", .summary = "who remembers", .meaning = "It goes."},
    .script[SIDE_CLIENT] = {.count = 1, .steps = {{TRIGGER_LIFE, ACT_CLOSE}}},
    .signature = {.at_fault = SIDE_CLIENT},
};

static struct experiment order_named(const char *name)
{
    assert_non_null(close_order_find(name));
    return experiment_of_order(close_order_find(name));
}

static void an_order_is_told_in_its_own_words_and_keeps_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        struct experiment experiment = experiment_of_order(close_order_at(i));
        assert_ptr_equal(experiment.name, close_order_at(i)->name);
        assert_ptr_equal(experiment.summary, close_order_at(i)->summary);
        assert_ptr_equal(experiment.meaning, close_order_at(i)->meaning);
        assert_ptr_equal(experiment.order, close_order_at(i));
        assert_null(experiment.kept);
        assert_null(experiment.cause);
    }
}

static void a_state_has_the_words_of_its_side(void **state)
{
    (void)state;
    struct kept_state kept;
    assert_int_equal(kept_state_make(STATE_CLOSE_WAIT, SIDE_CLIENT, &kept), 0);
    struct experiment experiment = experiment_of_state(&kept);
    assert_string_equal(experiment.name, "CLOSE_WAIT");
    assert_ptr_equal(experiment.summary, kept.order.summary);
    assert_ptr_equal(experiment.order, &kept.order);
    assert_ptr_equal(experiment.kept, &kept);
}

static void a_cause_and_its_twin_have_words_of_their_own(void **state)
{
    (void)state;
    struct experiment bug = experiment_of_cause(&faulty, false), fixed = experiment_of_cause(&faulty, true);
    assert_string_equal(bug.name, "some-cause");
    assert_string_equal(bug.meaning, "It stays.");
    assert_string_equal(fixed.name, "some-cause-fixed");
    assert_string_equal(fixed.summary, "who remembers");
    assert_ptr_equal(fixed.cause, &faulty);
}

/* Whoever asks for its order need not ask first what is played. */
static void a_cause_opens_its_connections_and_has_no_further_steps(void **state)
{
    (void)state;
    struct experiment experiment = experiment_of_cause(&faulty, false);
    assert_int_equal(order_step_count(experiment.order), 1);
    assert_int_equal(experiment.order->opening, OPENING_FULL);
    assert_true(order_can_flow(experiment.order));
    assert_true(order_needs_nothing(experiment.order));
}

static void the_script_is_of_the_cause_or_follows_from_the_order(void **state)
{
    (void)state;
    struct experiment cause = experiment_of_cause(&faulty, false), order = order_named("client-first");
    struct script of_cause = experiment_script(&cause, SIDE_CLIENT),
                  of_order = experiment_script(&order, SIDE_CLIENT),
                  expected = script_of(close_order_find("client-first"), SIDE_CLIENT);
    assert_string_equal(script_text(&of_cause).text, "close@life");
    assert_string_equal(script_text(&of_order).text, script_text(&expected).text);
    assert_int_equal(experiment_script(&cause, SIDE_SERVER).count, 0);
}

static void an_order_without_a_second_close_leaves_all(void **state)
{
    (void)state;
    struct experiment leak = order_named("leak"), never = order_named("never-close"),
                      closes = order_named("server-first"), cause = experiment_of_cause(&faulty, false);
    assert_true(experiment_leaves_all(&leak));
    assert_true(experiment_leaves_all(&never));
    assert_false(experiment_leaves_all(&closes));
    assert_false(experiment_leaves_all(&cause));
}

static void what_is_left_over_was_asked_for_or_is_the_bug(void **state)
{
    (void)state;
    struct experiment leak = order_named("leak"), closes = order_named("server-first"),
                      bug = experiment_of_cause(&faulty, false), fixed = experiment_of_cause(&faulty, true);
    assert_true(experiment_leaks(&leak, 0));
    assert_false(experiment_leaks(&closes, 0));
    assert_true(experiment_leaks(&closes, 1));
    assert_true(experiment_leaks(&bug, 0));
    assert_false(experiment_leaks(&fixed, 0));
}

static void at_fault_is_who_leaks_or_who_has_the_bug(void **state)
{
    (void)state;
    struct experiment order = order_named("server-first"), fixed = experiment_of_cause(&faulty, true);
    assert_int_equal(experiment_side_at_fault(&order, 0), SIDE_COUNT);
    assert_int_equal(experiment_side_at_fault(&order, 5), SIDE_CLIENT);
    assert_int_equal(experiment_side_at_fault(&fixed, 0), SIDE_CLIENT);
}

static void time_wait_of_a_cause_is_one_for_each_connection(void **state)
{
    (void)state;
    struct experiment cause = experiment_of_cause(&faulty, false), both = order_named("simultaneous"),
                      none = order_named("abort");
    assert_int_equal(experiment_time_wait_per_connection(&cause), 1);
    assert_int_equal(experiment_time_wait_per_connection(&both), 2);
    assert_int_equal(experiment_time_wait_per_connection(&none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_told_in_its_own_words_and_keeps_nothing),
        cmocka_unit_test(a_state_has_the_words_of_its_side),
        cmocka_unit_test(a_cause_and_its_twin_have_words_of_their_own),
        cmocka_unit_test(a_cause_opens_its_connections_and_has_no_further_steps),
        cmocka_unit_test(the_script_is_of_the_cause_or_follows_from_the_order),
        cmocka_unit_test(an_order_without_a_second_close_leaves_all),
        cmocka_unit_test(what_is_left_over_was_asked_for_or_is_the_bug),
        cmocka_unit_test(at_fault_is_who_leaks_or_who_has_the_bug),
        cmocka_unit_test(time_wait_of_a_cause_is_one_for_each_connection),
    };
    return cmocka_run_group_tests_name("experiment", tests, NULL, NULL);
}
