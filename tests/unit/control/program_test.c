#include "../unit.h"

#include "base/clock.h"
#include "control/program.h"
#include "kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { LONG_MS = 10000 };

static struct program_place quiet_place(void)
{
    return (struct program_place){.output = open("/dev/null", O_WRONLY | O_CLOEXEC)};
}

static int start(struct program *program, const char *script)
{
    char text[512], shell[] = "sh", option[] = "-c";
    char *words[] = {shell, option, text, NULL};
    struct program_place place = quiet_place();
    snprintf(text, sizeof text, "%s", script);
    int rc = program_start(program, words, &place);
    close(place.output);
    return rc;
}

static void hear_until_over(struct program *program)
{
    int64_t until_us = monotonic_us() + LONG_MS * 1000;
    while (!program->is_over && monotonic_us() < until_us) {
        struct pollfd stream = {.fd = program->stream, .events = POLLIN};
        poll(&stream, 1, 100);
        program_hear(program);
    }
    assert_true(program->is_over);
}

static void its_exit_and_its_last_line_are_told(void **state)
{
    (void)state;
    struct program program;
    assert_int_equal(start(&program, "echo one; echo 'two\033[m' >&2; exit 7"), 0);
    hear_until_over(&program);
    assert_true(program.has_left);
    assert_string_equal(program_end_text(&program).text, "exited with status 7");
    assert_string_equal(program.last_line, "two?[m");
    assert_int_equal(program_stop(&program, 1000), 0);
    assert_int_equal(program.keeper, 0);
}

static void a_signal_that_killed_it_is_told(void **state)
{
    (void)state;
    struct program program;
    assert_int_equal(start(&program, "kill -ABRT $$"), 0);
    hear_until_over(&program);
    assert_contains(program_end_text(&program).text, "was killed by signal 6");
    program_stop(&program, 1000);
}

static void a_command_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct program program;
    char no_such[] = "no-such-program", no_program[] = "/etc/passwd";
    char *missing[] = {no_such, NULL}, *forbidden[] = {no_program, NULL};
    struct program_place place = quiet_place();
    assert_int_equal(program_start(&program, missing, &place), -ENOENT);
    assert_true(program.is_refused);
    assert_int_equal(program.keeper, 0);
    assert_int_equal(program_start(&program, forbidden, &place), -EACCES);
    close(place.output);
    assert_int_equal(program_stop(&program, 1000), 0); /* of one that was not started */
}

static int count(void *number, pid_t pid)
{
    (void)pid;
    ++*(int *)number;
    return 0;
}

static void what_it_leaves_behind_is_stopped_too(void **state)
{
    (void)state;
    struct program program;
    int descendants = 0;
    assert_int_equal(start(&program, "(setsid sleep 100 &) ; (setsid sleep 100 &) ; exec sleep 100"), 0);
    pid_t keeper = program.keeper;
    for (int64_t until_us = monotonic_us() + LONG_MS * 1000; descendants < 3 && monotonic_us() < until_us;) {
        descendants = 0;
        process_each_descendant(keeper, count, &descendants);
        usleep(10000);
    }
    assert_true(descendants >= 3);
    assert_int_equal(program_stop(&program, 5000), 0);
    assert_false(program.was_killed);
    assert_int_equal(kill(keeper, 0), -1);
}

static void one_that_does_not_hear_is_killed(void **state)
{
    (void)state;
    struct program program;
    assert_int_equal(start(&program, "trap '' TERM; while :; do sleep 100; done"), 0);
    usleep(200000); /* until the trap is set; sooner, it leaves at SIGTERM, which is no harm */
    assert_int_equal(program_stop(&program, 300), 0);
    assert_true(program.is_over);
}

/* The child that started it dies without a word. */
static void nothing_is_left_when_its_parent_is_killed(void **state)
{
    (void)state;
    int told[2];
    pid_t keeper = 0;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct program program;
        close(told[0]);
        fcntl(told[1], F_SETFD, FD_CLOEXEC);
        start(&program, "(setsid sleep 100 &) ; exec sleep 100");
        ssize_t written = write(told[1], &program.keeper, sizeof program.keeper);
        (void)written;
        raise(SIGKILL);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &keeper, sizeof keeper), sizeof keeper);
    char byte;
    assert_int_equal(read(told[0], &byte, 1), 0); /* the keeper, which has a copy, is gone */
    close(told[0]);
    waitpid(child, NULL, 0);
    int descendants = 0;
    process_each_descendant(keeper, count, &descendants);
    assert_int_equal(descendants, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_exit_and_its_last_line_are_told),
        cmocka_unit_test(a_signal_that_killed_it_is_told),
        cmocka_unit_test(a_command_that_is_not_there_is_refused),
        cmocka_unit_test(what_it_leaves_behind_is_stopped_too),
        cmocka_unit_test(one_that_does_not_hear_is_killed),
        cmocka_unit_test(nothing_is_left_when_its_parent_is_killed),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
