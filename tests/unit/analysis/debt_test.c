#include "../unit.h"

#include "analysis/debt.h"

static void close_wait_is_owed_by_who_accepted_it(void **state)
{
    (void)state;
    const struct histogram seen = {
        .of = {[STATE_CLOSE_WAIT] = 1143}, .owned = 1014, .unowned = 129, .queued = 129};
    struct debt debt = debt_of(&seen);
    assert_int_equal(debt.owed, 1014);
    assert_int_equal(debt.stuck, 129);
    assert_int_equal(debt.unclosed, 0);
}

static void a_ghost_is_owed_in_time_wait_too(void **state)
{
    (void)state;
    const struct histogram seen = {.of = {[STATE_TIME_WAIT] = 500}, .ghosts = 1000};
    assert_int_equal(debt_of(&seen).owed, 1000);
}

static void what_waits_to_be_accepted_cannot_be_closed_yet(void **state)
{
    (void)state;
    const struct histogram seen = {
        .of = {[STATE_ESTABLISHED] = 100, [STATE_CLOSE_WAIT] = 7}, .unowned = 5, .queued = 45};
    struct debt debt = debt_of(&seen);
    assert_int_equal(debt.unclosed, 60);
    assert_int_equal(debt.owed, 2);
}

static void what_a_client_has_given_up_is_owed_in_every_state_that_follows(void **state)
{
    (void)state;
    static const struct {
        struct histogram client;
        int64_t owed;
    } rows[] = {
        {{.of = {[STATE_SYN_SENT] = 100}}, 0}, /* it waits */
        {{.of = {[STATE_SYN_SENT] = 100}, .abandoned = 60}, 60},
        {{.of = {[STATE_SYN_SENT] = 30, [STATE_CLOSE_WAIT] = 20}, .ghosts = 10, .abandoned = 60}, 60},
        {{.of = {[STATE_SYN_SENT] = 30}, .ghosts = 100, .abandoned = 100}, 100}, /* others wait */
        {{.of = {[STATE_ESTABLISHED] = 60}, .abandoned = 60}, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(debt_of(&rows[i].client).owed, rows[i].owed);
}

static void every_debt_has_its_sentence(void **state)
{
    (void)state;
    static const struct {
        struct histogram sides[SIDE_COUNT];
        const char *sentence;
    } rows[] = {
        {{{.of = {[STATE_TIME_WAIT] = 10}}, {.queued = 0}}, "Nobody owes a close()."},
        {{{.queued = 0}, {.of = {[STATE_CLOSE_WAIT] = 10}}}, "The client owes 10 close() calls."},
        {{{.of = {[STATE_CLOSE_WAIT] = 1}}, {.queued = 0}}, "The server owes 1 close() call."},
        {{{.ghosts = 3}, {.queued = 0}}, "The server owes 3 close() calls."},
        {{{.of = {[STATE_CLOSE_WAIT] = 10}, .unowned = 10}, {.of = {[STATE_FIN_WAIT2] = 10}}},
         "Nobody can close 10 connections: the server never accepted them."},
        {{{.of = {[STATE_CLOSE_WAIT] = 1}, .unowned = 1}, {.queued = 0}},
         "Nobody can close 1 connection: the server never accepted it."},
        {{{.of = {[STATE_CLOSE_WAIT] = 10}, .unowned = 4}, {.queued = 0}},
         "The server owes 6 close() calls; 4 more were never accepted."},
        {{{.of = {[STATE_CLOSE_WAIT] = 4}}, {.of = {[STATE_CLOSE_WAIT] = 2}}},
         "Both sides owe a close(): the server 4, the client 2."},
        {{{.of = {[STATE_ESTABLISHED] = 1000}}, {.of = {[STATE_ESTABLISHED] = 1000}}},
         "Neither side has closed: 1,000 connections are open."},
        {{{.of = {[STATE_ESTABLISHED] = 1}}, {.of = {[STATE_ESTABLISHED] = 1}}},
         "Neither side has closed: 1 connection is open."},
        {{{.of = {[STATE_FIN_WAIT1] = 10}}, {.of = {[STATE_ESTABLISHED] = 10}}},
         "The client has not closed: it holds 10 connections."},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(debt_sentence(rows[i].sides).text, rows[i].sentence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_wait_is_owed_by_who_accepted_it),
        cmocka_unit_test(a_ghost_is_owed_in_time_wait_too),
        cmocka_unit_test(what_waits_to_be_accepted_cannot_be_closed_yet),
        cmocka_unit_test(what_a_client_has_given_up_is_owed_in_every_state_that_follows),
        cmocka_unit_test(every_debt_has_its_sentence),
    };
    return cmocka_run_group_tests_name("debt", tests, NULL, NULL);
}
