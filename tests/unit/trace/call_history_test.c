#include "../unit.h"

#include "trace/call_history.h"

#include <errno.h>

static struct traced_note note(const char *name, enum call_result result, int error)
{
    return (struct traced_note){.call = traced_call_named(name), .result = result, .error = error, .pid = 7};
}

static void add(struct known_connection *connection, const char *name, enum call_result result, int error)
{
    struct traced_note one = note(name, result, error);
    assert_int_equal(call_history_note(connection, &one), 0);
}

static void connections_are_found_by_their_inode(void **state)
{
    enum { MANY = 5000 };
    (void)state;
    struct call_history history = {0};
    assert_null(call_history_find(&history, 1));
    for (uint64_t inode = 1; inode <= MANY; inode++)
        assert_non_null(call_history_add(&history, inode * 3));
    for (uint64_t inode = 1; inode <= MANY; inode++)
        assert_int_equal(call_history_find(&history, inode * 3)->is.inode, inode * 3);
    assert_null(call_history_find(&history, 4));
    assert_true(call_history_find(&history, 3)->born < call_history_find(&history, 6)->born);
    assert_true(call_history_moment(&history) > call_history_find(&history, 3 * MANY)->born);
    call_history_free(&history);
}

static void what_is_repeated_is_counted(void **state)
{
    (void)state;
    struct call_history history = {0};
    struct known_connection *connection = call_history_add(&history, 1);
    add(connection, "read", RESULT_SOME, 0);
    add(connection, "read", RESULT_SOME, 0);
    add(connection, "read", RESULT_ZERO, 0);
    add(connection, "close", RESULT_UNKNOWN, 0);
    assert_int_equal(connection->is.count, 3);
    assert_int_equal(connection->is.notes[0].times, 2);
    assert_int_equal(connection->is.notes[1].times, 1);
    call_history_free(&history);
}

static void another_process_or_place_is_another_note(void **state)
{
    (void)state;
    struct call_history history = {0};
    struct known_connection *connection = call_history_add(&history, 1);
    struct site here = {.id = 1};
    struct traced_note one = note("close", RESULT_UNKNOWN, 0), other = one, elsewhere = one;
    other.pid = 8;
    elsewhere.site = &here;
    call_history_note(connection, &one);
    call_history_note(connection, &other);
    call_history_note(connection, &elsewhere);
    assert_int_equal(connection->is.count, 3);
    call_history_free(&history);
}

/* In turns with what succeeds. */
static void what_has_to_be_tried_again_is_one_note(void **state)
{
    (void)state;
    struct call_history history = {0};
    struct known_connection *connection = call_history_add(&history, 1);
    for (int i = 0; i < 10; i++) {
        add(connection, "read", RESULT_SOME, 0);
        add(connection, "read", RESULT_ERROR, EAGAIN);
        add(connection, "read", RESULT_ERROR, EAGAIN);
    }
    int again = 0, tries = 0;
    for (int i = 0; i < connection->is.count; i++)
        if (connection->is.notes[i].result == RESULT_ERROR) {
            again++;
            tries += connection->is.notes[i].times;
        }
    assert_true(again < 10);
    assert_int_equal(tries, 20);
    call_history_free(&history);
}

static void of_many_the_first_and_the_last_are_kept(void **state)
{
    (void)state;
    struct call_history history = {0};
    struct known_connection *connection = call_history_add(&history, 1);
    for (int i = 0; i < 100; i++) {
        struct traced_note one = note(i % 2 ? "read" : "write", RESULT_SOME, 0);
        one.detail = i;
        call_history_note(connection, &one);
    }
    add(connection, "close", RESULT_UNKNOWN, 0);
    assert_int_equal(connection->is.count, HISTORY_NOTES);
    assert_true(connection->is.is_cut);
    assert_int_equal(connection->is.notes[0].detail, 0);
    assert_int_equal(connection->is.notes[HISTORY_FIRST - 1].detail, HISTORY_FIRST - 1);
    assert_string_equal(connection->is.notes[HISTORY_NOTES - 1].call->name, "close");
    assert_int_equal(connection->is.notes[HISTORY_NOTES - 2].detail, 99);
    call_history_free(&history);
}

/* A call that does two things has its rows one after the other. */
static void rows_are_found_by_name_and_number(void **state)
{
    (void)state;
    const struct traced_call *dup3 = traced_call_named("dup3");
    assert_ptr_equal(traced_call_of(dup3->number), dup3);
    assert_int_equal(dup3->act, TRACED_DUPLICATE);
    assert_int_equal(traced_call_next(dup3)->act, TRACED_CLOSE);
    assert_null(traced_call_next(traced_call_next(dup3)));
    assert_null(traced_call_next(traced_call_named("read")));
    assert_null(traced_call_named("getpid"));
    assert_null(traced_call_of(-1));
    for (int row = 0; traced_call_at(row) != NULL; row++) {
        const struct traced_call *call = traced_call_at(row);
        assert_int_equal(traced_call_row(call), row);
        assert_true(call->fd_at < 6 && call->act < TRACED_ACT_COUNT);
        bool is_first = traced_call_of(call->number) == call;
        assert_true(is_first || traced_call_at(row - 1)->number == call->number);
    }
    assert_null(traced_call_at(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_found_by_their_inode),
        cmocka_unit_test(what_is_repeated_is_counted),
        cmocka_unit_test(another_process_or_place_is_another_note),
        cmocka_unit_test(what_has_to_be_tried_again_is_one_note),
        cmocka_unit_test(of_many_the_first_and_the_last_are_kept),
        cmocka_unit_test(rows_are_found_by_name_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
