#include "../unit.h"

#include "cause/cause.h"
#include "worker/scripted.h"

static const char *const promised[] = {
    "ignore-eof",
    "paused-read",
    "bounded-pool",
    "never-accept",
    "emfile",
    "fork-inherit",
    "lost-reference",
    "dead-pool-entry",
    "no-half-close",
    "reply-before-read",
    "half-closed-for-ever",
    "reset-swallowed",
    "stalled-reader",
    "no-timeout",
    "eof-is-abort",
    "second-socket-forgotten",
    "no-reuse",
    "keep-alive-race",
    "connect-given-up",
    "blocking-linger",
    "inherited-listener",
};

static const struct fault_case *cause_named(const char *name)
{
    const struct fault_case *cause = cause_find(name);
    assert_non_null(cause);
    return cause;
}

static size_t count_causes(void)
{
    size_t count = 0;
    while (cause_at(count) != NULL)
        count++;
    return count;
}

static void the_causes_that_were_promised_are_there_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(promised); i++)
        cause_named(promised[i]);
    assert_int_equal(count_causes(), COUNT_OF(promised));
}

static void every_cause_is_found_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++)
        assert_ptr_equal(cause_find(cause_at(i)->bug.name), cause_at(i));
}

static void another_name_is_no_cause(void **state)
{
    (void)state;
    assert_null(cause_find("ignore-eoff"));
    assert_null(cause_find(""));
    assert_null(cause_find("script"));
}

static void a_typo_finds_the_cause_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(cause_nearest("ingore-eof"), "ignore-eof");
    assert_string_equal(cause_nearest("no-halfclose"), "no-half-close");
    assert_null(cause_nearest("xyzzy"));
}

static void the_side_at_fault_has_a_behaviour_and_the_other_that_or_a_script(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        const struct fault_case *cause = cause_at(i);
        enum side at_fault = cause->signature.at_fault;
        assert_non_null(cause->behaviour[at_fault]);
        assert_int_equal(cause->script[at_fault].count, 0);
        assert_true(cause->behaviour[side_other(at_fault)] != NULL ||
                    cause->script[side_other(at_fault)].count > 0);
    }
}

static void every_behaviour_is_found_by_the_name_of_its_cause(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        enum side at_fault = cause_at(i)->signature.at_fault;
        const struct behaviour *behaviour = behaviour_find(cause_at(i)->bug.name, at_fault);
        assert_ptr_equal(behaviour, cause_at(i)->behaviour[at_fault]);
        assert_string_equal(behaviour->name, cause_at(i)->bug.name);
        assert_non_null(behaviour->on_connection);
    }
    assert_ptr_equal(behaviour_find("no-reuse", SIDE_SERVER), &answers);
    assert_ptr_equal(behaviour_find("connect-given-up", SIDE_SERVER), &deaf_server);
    assert_ptr_equal(behaviour_find("blocking-linger", SIDE_CLIENT), &one_slow_reader);
    assert_ptr_equal(behaviour_find("script", SIDE_CLIENT), &scripted_behaviour);
    assert_null(behaviour_find("sript", SIDE_CLIENT));
}

static void every_cause_says_what_it_is_and_where_it_was_met(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        const struct fault_case *cause = cause_at(i);
        const struct title *const twins[] = {&cause->bug, &cause->fixed};
        for (size_t k = 0; k < COUNT_OF(twins); k++) {
            assert_true(strlen(twins[k]->summary) > 20);
            assert_true(strlen(twins[k]->meaning) > 40);
            assert_true(twins[k]->summary[0] >= 'a' && twins[k]->summary[0] <= 'z');
        }
        assert_contains(cause->reported, "#");
    }
}

static void the_twin_has_the_name_of_the_cause_and_another_text(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-fixed", cause_at(i)->bug.name);
        assert_string_equal(cause_at(i)->fixed.name, name);
        assert_string_not_equal(cause_at(i)->fixed.summary, cause_at(i)->bug.summary);
    }
}

/* Every later step of a close() would be done to a descriptor that is gone. */
static void a_script_closes_last_if_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        const struct script *script = &cause_at(i)->script[side_other(cause_at(i)->signature.at_fault)];
        for (int step = 0; step < script->count - 1; step++)
            assert_false(act_releases(script->steps[step].act));
    }
}

static void a_signature_reads_as_a_person_would_say_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } expected[] = {
        {"ignore-eof", "server CLOSE_WAIT, EOF read, held by the server itself"},
        {"paused-read", "server CLOSE_WAIT, EOF unread, held by the server itself"},
        {"never-accept", "server CLOSE_WAIT, EOF unread, held by no process"},
        {"emfile", "server CLOSE_WAIT, EOF unread, held by the server itself, accept() fails"},
        {"fork-inherit", "server CLOSE_WAIT, EOF read, held by another process"},
        {"dead-pool-entry", "client CLOSE_WAIT, EOF unread, held by the client itself"},
        {"half-closed-for-ever", "server FIN_WAIT2, held by the server itself"},
        {"reset-swallowed", "no socket lingers, the server holds descriptors of connections that are gone"},
        {"stalled-reader",
         "server ESTABLISHED, its Send-Q full before a closed window, held by the server itself"},
        {"no-timeout", "server ESTABLISHED and the client has none of them, held by the server itself"},
        {"eof-is-abort", "no socket lingers, replies are lost"},
        {"second-socket-forgotten", "no socket lingers on its port, the server holds connections to another"},
        {"inherited-listener",
         "server CLOSE_WAIT, EOF unread, held by no process, their listener held by another"},
        {"no-reuse", "client TIME_WAIT, connect() fails"},
        {"keep-alive-race", "no socket lingers, OutRsts moves, requests are lost"},
        {"connect-given-up", "client SYN_SENT, held by the client itself, later CLOSE_WAIT, EOF unread, or "
                             "the descriptor alone"},
        {"blocking-linger", "no socket lingers, replies take 1.5s and more"},
        {"reply-before-read", "no socket lingers, TCPAbortOnClose moves, replies are lost"},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(signature_text(&cause_named(expected[i].name)->signature).text, expected[i].text);
}

static void a_signature_that_states_little_says_little(void **state)
{
    (void)state;
    const struct signature any = {.at_fault = SIDE_CLIENT, .state = STATE_FIN_WAIT2};
    assert_string_equal(signature_text(&any).text, "client FIN_WAIT2");
}

/* ignore-eof and fork-inherit differ in nothing but who holds the socket, as in the field. Those that share a
 * whole signature are told apart by reading the server's code. */
static void who_holds_it_tells_an_inherited_socket_from_an_ignored_eof(void **state)
{
    (void)state;
    const struct signature *ignored = &cause_named("ignore-eof")->signature;
    const struct signature *inherited = &cause_named("fork-inherit")->signature;
    assert_int_equal(ignored->state, inherited->state);
    assert_int_equal(ignored->eof, inherited->eof);
    assert_int_not_equal(ignored->owner, inherited->owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_causes_that_were_promised_are_there_and_no_others),
        cmocka_unit_test(every_cause_is_found_by_its_name),
        cmocka_unit_test(another_name_is_no_cause),
        cmocka_unit_test(a_typo_finds_the_cause_that_was_meant),
        cmocka_unit_test(the_side_at_fault_has_a_behaviour_and_the_other_that_or_a_script),
        cmocka_unit_test(every_behaviour_is_found_by_the_name_of_its_cause),
        cmocka_unit_test(every_cause_says_what_it_is_and_where_it_was_met),
        cmocka_unit_test(the_twin_has_the_name_of_the_cause_and_another_text),
        cmocka_unit_test(a_script_closes_last_if_at_all),
        cmocka_unit_test(a_signature_reads_as_a_person_would_say_it),
        cmocka_unit_test(a_signature_that_states_little_says_little),
        cmocka_unit_test(who_holds_it_tells_an_inherited_socket_from_an_ignored_eof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
