#include "../unit.h"

#include "traced.h"

static void one_way_of(const char *name, const char *wanted)
{
    struct traced traced = start(name);
    for (int i = 0; i < 3; i++)
        look_until(&traced, whole_visit(&traced), wanted);
    assert_int_equal(traced.report.count, 3);
    assert_false(traced.report.connections[0].is_open);
    assert_false(traced.report.connections[0].is_outgoing);
    assert_int_equal(traced.report.unknown_sockets, 0);
    assert_int_equal(traced.report.hidden, 0);
    stop(&traced);
}

static void a_connection_is_followed_to_its_end(void **state)
{
    (void)state;
    one_way_of("plain", "accept4+ read+ write+ read0 close");
}

/* ---- each way to serve ---- */

static void every_connection_on_threads_has_its_history(void **state)
{
    enum { CONNECTIONS = 3000, AT_ONCE = 50 };
    (void)state;
    struct traced traced = start("threads");
    static uint16_t ports[CONNECTIONS];
    for (int done = 0; done < CONNECTIONS; done += AT_ONCE) {
        int fds[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            fds[i] = visit(&traced, &ports[done + i]);
        for (int i = 0; i < AT_ONCE; i++)
            assert_true(talk(fds[i], LONG_MS));
        for (int i = 0; i < AT_ONCE; i++)
            close(fds[i]);
    }
    look(&traced);
    assert_int_equal(traced.report.count, CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_way(seen(&traced, ports[i]), "accept4+ read+ write+ read0 close");
        assert_false(seen(&traced, ports[i])->is_open);
    }
    stop(&traced);
}

static void children_and_what_they_leave_are_followed(void **state)
{
    (void)state;
    one_way_of("prefork", "accept4+ read+ write+ read0 close");
    one_way_of("daemon", "accept4+ read+ write+ read0 close");
}

/* The parent's close() may come later than that. */
static void the_exit_of_a_child_closes_too(void **state)
{
    (void)state;
    struct traced traced = start("fork");
    uint16_t port = whole_visit(&traced);
    int64_t until_us = monotonic_us() + LONG_MS * 1000;
    do
        look(&traced);
    while (seen(&traced, port)->is_open && monotonic_us() < until_us && usleep(5000) == 0);
    const struct traced_connection *connection = seen(&traced, port);
    const struct traced_note *exit_note = NULL;
    assert_false(connection->is_open);
    for (int i = 0; i < connection->count; i++)
        if (connection->notes[i].call->act == TRACED_EXIT)
            exit_note = &connection->notes[i];
    assert_non_null(exit_note);
    assert_string_equal(exit_note->call->name, "exit_group");
    assert_int_not_equal(exit_note->pid, connection->notes[0].pid);
    stop(&traced);
}

static void a_parent_that_keeps_a_descriptor_is_the_holder(void **state)
{
    (void)state;
    struct traced traced = start("fork-leak");
    uint16_t port;
    int fd = visit(&traced, &port);
    assert_false(talk(fd, 300));
    look(&traced);
    const struct traced_connection *connection = seen(&traced, port);
    assert_true(connection->is_open);
    assert_int_equal(connection->holder_count, 1);
    assert_int_equal(connection->holders[0].pid, connection->notes[0].pid);
    assert_null(connection->holders[0].forked_at);
    close(fd);
    stop(&traced);
}

/* Its pid is told; where it was made is, where stacks can be read. */
static void a_child_that_got_it_by_fork_is_a_holder(void **state)
{
    (void)state;
    struct traced traced = start("helper");
    uint16_t before, after;
    int first = visit(&traced, &before);
    assert_false(talk(first, 300));
    int second = visit(&traced, &after);
    assert_true(talk(second, LONG_MS));
    look(&traced);
    const struct traced_connection *connection = seen(&traced, before);
    assert_way(connection, "accept4+ read+ write+ read0 close");
    assert_true(connection->is_open);
    assert_int_equal(connection->holder_count, 1);
    assert_int_not_equal(connection->holders[0].pid, connection->notes[0].pid);
    assert_true(connection->holders[0].forked_at != NULL || connection->notes[0].site == NULL);
    assert_false(seen(&traced, after)->is_open);
    close(first);
    close(second);
    stop(&traced);
}

static void what_executes_another_program_closes_marked_descriptors(void **state)
{
    (void)state;
    one_way_of("vfork", "accept4+ execve read+ write+ read0 close");
}

static void copies_and_what_is_put_over_them_are_noted(void **state)
{
    (void)state;
    struct traced traced = start("dup");
    uint16_t port = whole_visit(&traced);
    look_until(&traced, port, "accept4+ dup fcntl read+ write+ read0 dup2 close_range close");
    const struct traced_connection *connection = seen(&traced, port);
    assert_int_equal(connection->notes[6].call->act, TRACED_CLOSE);
    assert_int_equal(connection->notes[1].call->act, TRACED_DUPLICATE);
    assert_int_equal(connection->notes[2].call->act, TRACED_DUPLICATE);
    assert_int_equal(connection->notes[7].call->act, TRACED_CLOSE);
    stop(&traced);
}

static void streams_of_the_library_are_descriptors(void **state)
{
    (void)state;
    struct traced traced = start("stdio");
    uint16_t port = whole_visit(&traced), again = whole_visit(&traced); /* with the same number */
    look(&traced);
    char text[256];
    assert_contains(way(seen(&traced, port), text, sizeof text), "accept4+ read+ write+ read0 close");
    assert_contains(way(seen(&traced, again), text, sizeof text), "accept4+ read+ write+ read0 close");
    stop(&traced);
}

static void what_a_signal_interrupts_is_no_step(void **state)
{
    (void)state;
    struct traced traced = start("interrupted");
    uint16_t port;
    int fd = visit(&traced, &port);
    usleep(50000); /* twenty of them */
    assert_true(talk(fd, LONG_MS));
    look_until(&traced, port, "accept4+ read+ write+ read0 close");
    assert_int_equal(seen(&traced, port)->notes[1].times, 1);
    close(fd);
    stop(&traced);
}

static void what_has_to_be_tried_again_is_one_note(void **state)
{
    (void)state;
    struct traced traced = start("nonblocking");
    uint16_t port;
    int fd = visit(&traced, &port);
    usleep(20000);
    assert_true(talk(fd, LONG_MS));
    look(&traced);
    const struct traced_connection *connection = seen(&traced, port);
    int tries = 0;
    for (int i = 0; i < connection->count; i++)
        if (connection->notes[i].result == RESULT_ERROR) {
            assert_int_equal(connection->notes[i].error, EAGAIN);
            tries++;
        }
    assert_int_equal(tries, 1);
    assert_true(connection->notes[1].times > 3);
    close(fd);
    stop(&traced);
}

static void connections_of_its_own_making_are_seen(void **state)
{
    (void)state;
    struct traced traced = start("backend");
    uint16_t port = whole_visit(&traced);
    look_until(&traced, port, "accept4+ read+ write+ read0 close");
    const struct traced_connection *out = NULL;
    for (int i = 0; i < traced.report.count; i++)
        if (traced.report.connections[i].is_outgoing)
            out = &traced.report.connections[i];
    assert_non_null(out);
    assert_way(out, "connect0");
    assert_true(out->is_open);
    assert_true(out->peer_port > 0 && out->local_port > 0 && out->peer_port != traced.port);
    assert_true(address_is_loopback(&out->peer));
    stop(&traced);
}

static void a_descriptor_that_is_passed_on_is_told(void **state)
{
    (void)state;
    struct traced traced = start("pass");
    uint16_t port;
    int fd = visit(&traced, &port);
    assert_false(talk(fd, 300));
    look(&traced);
    const struct traced_connection *connection = seen(&traced, port);
    int sent = 0, received = 0;
    for (int i = 0; i < connection->count; i++) {
        const struct traced_note *note = &connection->notes[i];
        sent += note->detail == SCM_RIGHTS && strcmp(note->call->name, "sendmsg") == 0;
        received += note->detail == SCM_RIGHTS && strcmp(note->call->name, "recvmsg") == 0;
    }
    assert_int_equal(sent, 1);
    assert_int_equal(received, 1);
    assert_int_equal(connection->holder_count, 1);
    assert_null(connection->holders[0].forked_at);
    close(fd);
    stop(&traced);
}

static void a_thread_that_is_not_the_first_may_execute(void **state)
{
    (void)state;
    one_way_of("exec-thread", "accept4+ read+ write+ read0 close");
}

static void a_read_that_has_not_returned_is_told(void **state)
{
    (void)state;
    struct traced traced = start("plain");
    uint16_t port;
    int fd = visit(&traced, &port);
    look_until(&traced, port, "accept4+ read?");
    assert_true(seen(&traced, port)->is_open);
    assert_true(talk(fd, LONG_MS));
    look_until(&traced, port, "accept4+ read+ write+ read0 close");
    close(fd);
    stop(&traced);
}

static void it_is_open_where_the_first_thread_has_ended(void **state)
{
    (void)state;
    struct traced traced = start("threads");
    uint16_t port;
    int fd = visit(&traced, &port);
    look_until(&traced, port, "accept4+ read?");
    assert_true(seen(&traced, port)->is_open);
    assert_int_equal(seen(&traced, port)->holder_count, 1);
    close(fd);
    stop(&traced);
}

/* ---- what it cannot see ---- */

static void who_would_be_traced_by_others_is_counted(void **state)
{
    (void)state;
    struct traced traced = start("self-traced");
    look_until(&traced, whole_visit(&traced), "accept4+ read+ write+ read0 close");
    assert_int_equal(traced.report.attaches, 1);
    stop(&traced);
}

static void who_makes_a_ring_is_counted(void **state)
{
    (void)state;
    struct traced traced = start("ring");
    char parameters[256] = "";
    int ring = (int)syscall(SYS_io_uring_setup, 8, parameters);
    look_until(&traced, whole_visit(&traced), "accept4+ read+ write+ read0 close");
    assert_int_equal(traced.report.rings, ring >= 0 ? 1 : 0);
    if (ring >= 0)
        close(ring);
    stop(&traced);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return traced_server_main(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_followed_to_its_end),
        cmocka_unit_test(every_connection_on_threads_has_its_history),
        cmocka_unit_test(children_and_what_they_leave_are_followed),
        cmocka_unit_test(the_exit_of_a_child_closes_too),
        cmocka_unit_test(a_parent_that_keeps_a_descriptor_is_the_holder),
        cmocka_unit_test(a_child_that_got_it_by_fork_is_a_holder),
        cmocka_unit_test(what_executes_another_program_closes_marked_descriptors),
        cmocka_unit_test(copies_and_what_is_put_over_them_are_noted),
        cmocka_unit_test(streams_of_the_library_are_descriptors),
        cmocka_unit_test(what_a_signal_interrupts_is_no_step),
        cmocka_unit_test(what_has_to_be_tried_again_is_one_note),
        cmocka_unit_test(connections_of_its_own_making_are_seen),
        cmocka_unit_test(a_descriptor_that_is_passed_on_is_told),
        cmocka_unit_test(a_thread_that_is_not_the_first_may_execute),
        cmocka_unit_test(a_read_that_has_not_returned_is_told),
        cmocka_unit_test(it_is_open_where_the_first_thread_has_ended),
        cmocka_unit_test(who_would_be_traced_by_others_is_counted),
        cmocka_unit_test(who_makes_a_ring_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
