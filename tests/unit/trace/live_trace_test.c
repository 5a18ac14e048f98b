#include "../unit.h"

#include "base/clock.h"
#include "trace/live_trace.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { LINGER_MS = 300 };

static volatile sig_atomic_t never;

/* ---- servers: of this very program, in a child ---- */

enum manner { CLOSES, LEAKS, LEAKS_ALL, INHERITS };

static int listen_somewhere(struct sockaddr_in *where)
{
    socklen_t length = sizeof *where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *where = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(listener, (struct sockaddr *)where, length), 0);
    assert_int_equal(listen(listener, 1024), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)where, &length), 0);
    return listener;
}

__attribute__((noinline)) static int end_it(int fd)
{
    return close(fd) + 1;
}

__attribute__((noinline)) static int make_helper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid > 0;
}

__attribute__((noinline)) static int talk(int fd, int number, enum manner manner)
{
    char bytes[5000]; /* more than a page of the stack */
    ssize_t length;
    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        if (write(fd, bytes, (size_t)length) < 0)
            break;
    if (manner == LEAKS_ALL || (manner == LEAKS && number % 5 == 0))
        return 0;
    return end_it(fd);
}

static void serve(int listener, enum manner manner)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (int number = 1;; number++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            _exit(1);
        if (manner == INHERITS && number == 3)
            make_helper();
        talk(fd, number, manner);
    }
}

struct server {
    pid_t pid;
    struct sockaddr_in where;
    struct live_trace *trace;
};

/* Traced from now on. Skips where the machine shows no calls. */
static struct server start(enum manner manner)
{
    struct server server;
    int listener = listen_somewhere(&server.where);
    server.pid = fork();
    if (server.pid == 0)
        serve(listener, manner);
    close(listener);
    server.trace = live_trace_start(server.pid);
    if (server.trace == NULL) {
        int error = errno;
        kill(server.pid, SIGKILL);
        waitpid(server.pid, NULL, 0);
        print_message("the calls of a program are not visible here: %s\n", strerror(error));
        if (error == EACCES || error == ENOENT || error == ENOTSUP)
            skip();
        fail();
    }
    return server;
}

static void stop(struct server *server, struct live_result *result)
{
    live_trace_free(server->trace);
    live_result_free(result);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

/* ---- clients ---- */

static void visit(const struct server *server, bool resets)
{
    char bytes[8] = "hello";
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&server->where, sizeof server->where), 0);
    assert_int_equal(send(client, bytes, 5, MSG_NOSIGNAL), 5);
    assert_int_equal(recv(client, bytes, 5, MSG_WAITALL), 5);
    const struct linger at_once = {.l_onoff = 1};
    if (resets)
        setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
}

static void visit_often(const struct server *server, int count, bool hears_each)
{
    for (int i = 0; i < count; i++) {
        visit(server, false);
        if (hears_each)
            assert_int_equal(live_trace_run(server->trace, 1, &never), 0);
    }
}

/* ---- what is told ---- */

static const struct place *place_of(const struct traced_note *note)
{
    static const struct place nowhere = {.function = ""};
    return note != NULL && note->site != NULL && note->site->own >= 0 ? &note->site->places[note->site->own]
                                                                      : &nowhere;
}

static void assert_note(const struct traced_note *note, const char *call, enum call_result result,
                        const char *function)
{
    assert_non_null(note);
    assert_string_equal(note->call->name, call);
    assert_int_equal(note->result, result);
    if (code_names_lines())
        assert_string_equal(place_of(note)->function, function);
}

static void assert_counts(const struct live_result *result, int accepted, int closed, int lingering)
{
    if (result->report.count != accepted || result->closed != closed || result->lingering != lingering ||
        result->lost != 0 || result->unknown != 0)
        fail_msg("%d accepted, %d closed, %d linger, %d open, %d unknown, %d lost", result->report.count,
                 (int)result->closed, (int)result->lingering, (int)result->open, (int)result->unknown,
                 (int)result->lost);
}

static void those_that_linger_part_from_those_that_were_closed(void **state)
{
    (void)state;
    struct server server = start(LEAKS);
    struct live_result result;
    struct parting parting;
    visit_often(&server, 20, true);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 20, 16, 4);
    assert_int_equal(parting_find(result.samples, result.report.count, &parting), 0);
    assert_int_equal(parting.by_end[PARTING_CLOSED], 16);
    assert_int_equal(parting.by_end[PARTING_HELD], 4);
    assert_note(parting.accepted, "accept", RESULT_SOME, "serve");
    assert_int_equal(parting.count, 1);
    assert_note(parting.forks[0].after, "read", RESULT_ZERO, "talk");
    for (int i = 0; i < parting.forks[0].count; i++) {
        const struct parting_branch *branch = &parting.forks[0].branches[i];
        if (branch->end == PARTING_CLOSED)
            assert_note(branch->close, "close", RESULT_UNKNOWN, "end_it");
        else
            assert_null(branch->close);
        assert_int_equal(branch->count, branch->end == PARTING_CLOSED ? 16 : 4);
    }
    parting_free(&parting);
    stop(&server, &result);
}

static void its_clean_twin_is_not_accused(void **state)
{
    (void)state;
    struct server server = start(CLOSES);
    struct live_result result;
    visit_often(&server, 20, true);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 20, 20, 0);
    stop(&server, &result);
}

/* Its number is another's before anything is read: each has its own calls all the same. */
static void a_descriptor_that_is_used_again_is_another_connection(void **state)
{
    (void)state;
    struct server server = start(CLOSES);
    struct live_result result;
    visit_often(&server, 100, false);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 100, 100, 0);
    for (int i = 0; i < result.report.count; i++) {
        const struct traced_connection *connection = &result.report.connections[i];
        assert_int_equal(connection->count, 5);
        assert_note(&connection->notes[0], "accept", RESULT_SOME, "serve");
        assert_note(&connection->notes[1], "read", RESULT_SOME, "talk");
        assert_note(&connection->notes[2], "write", RESULT_SOME, "talk");
        assert_note(&connection->notes[3], "read", RESULT_ZERO, "talk");
        assert_note(&connection->notes[4], "close", RESULT_UNKNOWN, "end_it");
        assert_false(connection->is_open);
    }
    stop(&server, &result);
}

static void a_connection_whose_peer_has_reset_it_lingers_as_a_descriptor(void **state)
{
    (void)state;
    struct server server = start(LEAKS_ALL);
    struct live_result result;
    for (int i = 0; i < 3; i++) {
        visit(&server, true);
        assert_int_equal(live_trace_run(server.trace, 20, &never), 0);
    }
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 3, 0, 3);
    stop(&server, &result);
}

static void who_inherited_it_is_told_with_the_fork(void **state)
{
    (void)state;
    struct server server = start(INHERITS);
    struct live_result result;
    visit_often(&server, 6, true);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 6, 5, 1);
    const struct traced_connection *held = &result.report.connections[2];
    assert_int_equal(result.samples[2].end, PARTING_HELD);
    assert_int_equal(held->holder_count, 1);
    assert_int_not_equal(held->holders[0].pid, server.pid);
    assert_non_null(held->holders[0].forked_at);
    const struct traced_note fork_note = {.site = held->holders[0].forked_at};
    if (code_names_lines())
        assert_string_equal(place_of(&fork_note)->function, "make_helper");
    assert_note(&held->notes[held->count - 1], "close", RESULT_UNKNOWN, "end_it");
    stop(&server, &result);
}

/* What it had before it was traced is counted apart, and those that go on are not taken for lingering. */
static void others_are_told_apart(void **state)
{
    (void)state;
    struct server server = start(LEAKS_ALL);
    struct live_result result;
    visit_often(&server, 2, false);
    live_trace_free(server.trace);
    server.trace = live_trace_start(server.pid);
    assert_non_null(server.trace);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&server.where, sizeof server.where), 0);
    assert_int_equal(live_trace_run(server.trace, 50, &never), 0);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 1, 0, 0);
    assert_int_equal(result.open, 1);
    assert_int_equal(result.earlier, 2);
    /* it waits for its request */
    const struct traced_connection *open = &result.report.connections[0];
    assert_note(&open->notes[open->count - 1], "read", RESULT_UNKNOWN, "talk");
    close(client);
    stop(&server, &result);
}

static void what_cannot_be_traced_is_told(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    assert_null(live_trace_start(child));
    assert_true(errno == ESRCH || errno == EACCES);
    struct server server = start(CLOSES);
    struct live_result result;
    kill(server.pid, SIGKILL);
    int rc = live_trace_run(server.trace, 2000, &never);
    assert_int_equal(rc, -ESRCH);
    assert_int_equal(live_trace_end(server.trace, LINGER_MS, &result), 0);
    assert_counts(&result, 0, 0, 0);
    stop(&server, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_linger_part_from_those_that_were_closed),
        cmocka_unit_test(its_clean_twin_is_not_accused),
        cmocka_unit_test(a_descriptor_that_is_used_again_is_another_connection),
        cmocka_unit_test(a_connection_whose_peer_has_reset_it_lingers_as_a_descriptor),
        cmocka_unit_test(who_inherited_it_is_told_with_the_fork),
        cmocka_unit_test(others_are_told_apart),
        cmocka_unit_test(what_cannot_be_traced_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
