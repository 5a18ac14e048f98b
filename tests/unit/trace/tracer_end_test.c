#include "../unit.h"

#include "kernel/process.h"
#include "traced.h"

/* ---- it changes nothing for the program ---- */

static void wait_until_over(struct traced *traced)
{
    int64_t until_us = monotonic_us() + LONG_MS * 1000;
    while (!traced->program.is_over && monotonic_us() < until_us) {
        struct pollfd stream = {.fd = traced->program.stream, .events = POLLIN};
        poll(&stream, 1, 100);
        program_hear(&traced->program);
    }
    assert_true(traced->program.is_over);
}

static pid_t server_pid(const struct traced *traced, uint16_t port)
{
    return seen(traced, port)->notes[0].pid;
}

static void signals_and_the_exit_status_are_its_own(void **state)
{
    (void)state;
    struct traced traced = start("until-signal");
    uint16_t port = whole_visit(&traced);
    look(&traced);
    pid_t pid = server_pid(&traced, port);
    assert_int_equal(getpgid(pid), pid);
    assert_int_equal(kill(pid, SIGUSR1), 0);
    wait_until_over(&traced);
    assert_string_equal(program_end_text(&traced.program).text, "exited with status 42");
    look(&traced); /* what it was seen to do outlives it */
    assert_way(seen(&traced, port), "accept4+ read+ write+ read0 close");
    assert_false(seen(&traced, port)->is_open);
    stop(&traced);
}

static char state_of_process(pid_t pid)
{
    struct process_stat stat = {.state = '?'};
    process_stat_of(pid, &stat);
    return stat.state;
}

static int take_pid(void *pid, pid_t found)
{
    *(pid_t *)pid = found;
    return 0;
}

static void a_program_that_is_stopped_stays_so_until_it_is_continued(void **state)
{
    (void)state;
    struct traced traced = start("stopped");
    pid_t pid = 0;
    assert_int_equal(process_each_descendant(traced.program.keeper, take_pid, &pid), 0);
    for (int64_t until_us = monotonic_us() + LONG_MS * 1000;
         strchr("Tt", state_of_process(pid)) == NULL && monotonic_us() < until_us;)
        usleep(1000);
    uint16_t port;
    int fd = visit(&traced, &port);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(poll(&readable, 1, 100), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    close(fd);
    stop(&traced);
}

/* ---- its end ---- */

static int count(void *number, pid_t pid)
{
    (void)pid;
    ++*(int *)number;
    return 0;
}

static bool is_gone(pid_t pid)
{
    int64_t until_us = monotonic_us() + LONG_MS * 1000;
    while (kill(pid, 0) == 0 && state_of_process(pid) != 'Z' && monotonic_us() < until_us)
        usleep(1000);
    return kill(pid, 0) != 0 || state_of_process(pid) == 'Z';
}

static void nothing_is_left_when_the_tracer_is_killed(void **state)
{
    static const char *const names[] = {"threads", "prefork", "daemon", "helper"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct traced traced = start(names[i]);
        uint16_t port;
        int fd = visit(&traced, &port), descendants = 0;
        assert_int_equal(write(fd, "x", 1), 1);
        kill(traced.tracer.pid, SIGKILL);
        wait_until_over(&traced);
        process_each_descendant(traced.program.keeper, count, &descendants);
        assert_int_equal(descendants, 0);
        struct trace_report report;
        assert_int_equal(tracer_report(&traced.tracer, LONG_MS, &report), -ESRCH);
        close(fd);
        stop(&traced);
    }
}

/* The child that started it dies without a word. */
static void nothing_is_left_when_its_parent_is_killed(void **state)
{
    (void)state;
    int told[2];
    pid_t tracer = 0;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        fcntl(told[1], F_SETFD, FD_CLOEXEC);
        close(told[0]);
        struct traced traced = start("prefork");
        ssize_t written = write(told[1], &traced.tracer.pid, sizeof traced.tracer.pid);
        (void)written;
        raise(SIGKILL);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &tracer, sizeof tracer), sizeof tracer);
    char byte;
    assert_int_equal(read(told[0], &byte, 1), 0); /* the keeper, which has a copy, is gone */
    close(told[0]);
    waitpid(child, NULL, 0);
    assert_true(is_gone(tracer));
}

static void a_program_is_not_executed_without_its_tracer(void **state)
{
    (void)state;
    struct tracer tracer;
    struct program program;
    char command[] = "true";
    char *words[] = {command, NULL};
    may_trace(tracer_start(&tracer));
    kill(tracer.pid, SIGKILL);
    assert_true(is_gone(tracer.pid));
    const struct program_place place = {
        .output = STDERR_FILENO, .before_execution = tracer_take_this_process, .context = &tracer};
    assert_int_equal(program_start(&program, words, &place), -ESRCH);
    tracer_stop(&tracer);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return traced_server_main(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_and_the_exit_status_are_its_own),
        cmocka_unit_test(a_program_that_is_stopped_stays_so_until_it_is_continued),
        cmocka_unit_test(nothing_is_left_when_the_tracer_is_killed),
        cmocka_unit_test(nothing_is_left_when_its_parent_is_killed),
        cmocka_unit_test(a_program_is_not_executed_without_its_tracer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
