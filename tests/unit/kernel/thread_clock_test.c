#include "../unit.h"

#include "kernel/thread_clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const char recorded_sched[] = "python3 (26476, #threads: 7)\n"
                                     "-------------------------------------------------------------------\n"
                                     "se.exec_start                                :      23197846.529232\n"
                                     "se.vruntime                                  :           575.338289\n"
                                     "se.sum_exec_runtime                          :             0.375262\n";

static const char recorded_stat[] =
    "20163 (GC (Thread) 0) S 20157 20157 18870 0 -1 4194368 286 0 0 0 0 0 0 0 20 0 23 0 2462444 9192984576 "
    "21479 18446744073709551615 94712011370496 94712011371381 140726721971312 0 0 0 4 0 16800975 1 0 0 -1 7 "
    "0 "
    "0 0 0 0 94712011382080 94712011382808 94712943988736 140726721972846 140726721972858 140726721972858 "
    "140726721974250 0\n";

static void the_moment_that_it_last_ran_is_read(void **state)
{
    (void)state;
    assert_int_equal(thread_clock_parse(recorded_sched), 23197846529);
    assert_int_equal(thread_clock_parse("se.exec_start : 0.000001"), 0);
    assert_int_equal(thread_clock_parse("se.exec_start : x"), -1);
    assert_int_equal(thread_clock_parse("se.exec_start : -1.5"), -1);
    assert_int_equal(thread_clock_parse("se.vruntime : 1.5"), -1);
    assert_int_equal(thread_clock_parse(""), -1);
}

static void usage_is_read(void **state)
{
    (void)state;
    struct thread_usage usage;
    assert_true(thread_usage_parse("97551086 2595703 51\n", &usage));
    assert_int_equal(usage.ran_ns, 97551086);
    assert_int_equal(usage.waited_ns, 2595703);
    assert_int_equal(usage.turns, 51);
    assert_false(thread_usage_parse("97551086 2595703", &usage));
    assert_false(thread_usage_parse("", &usage));
}

/* A thread may be named as it likes. */
static void state_and_cpu_are_read_behind_the_name(void **state)
{
    (void)state;
    struct thread_rest rest;
    assert_true(thread_rest_parse(recorded_stat, &rest));
    assert_int_equal(rest.state, 'S');
    assert_int_equal(rest.cpu, 7);
    assert_false(thread_rest_parse("20163 (GC", &rest));
    assert_false(thread_rest_parse("20163 (GC) S 1 2 3", &rest));
    assert_false(thread_rest_parse("20163 (GC) ", &rest));
}

static pid_t fork_one(void (*body)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    _exit(0);
}

static void sleep_on(void)
{
    for (;;)
        pause();
}

static void spin(void)
{
    for (volatile unsigned turn = 0;; turn++)
        ;
}

static struct thread_rest rest_of(pid_t pid)
{
    struct cpu_clocks clocks;
    struct thread_rest rest;
    assert_int_equal(cpu_clocks_open(&clocks), 0);
    assert_int_equal(thread_rest_read(&clocks, pid, pid, &rest), 0);
    cpu_clocks_close(&clocks);
    return rest;
}

static void since_when_a_thread_sleeps_is_known_though_we_came_later(void **state)
{
    (void)state;
    pid_t pid = fork_one(sleep_on);
    usleep(500000);
    struct thread_rest rest = rest_of(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (rest.asleep_ms < 0) {
        print_message("this kernel has no sched file\n");
        skip();
    }
    assert_int_equal(rest.state, 'S');
    assert_true(rest.asleep_ms >= 400 && rest.asleep_ms <= 700);
}

static void we_run_where_we_did_afterwards(void **state)
{
    (void)state;
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    rest_of(getppid());
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void a_thread_that_runs_does_not_sleep_and_uses_its_time(void **state)
{
    (void)state;
    struct thread_usage before, after;
    pid_t pid = fork_one(spin);
    int rc = thread_usage_read(pid, pid, &before);
    usleep(300000);
    struct thread_rest rest = rest_of(pid);
    if (rc == 0)
        assert_int_equal(thread_usage_read(pid, pid, &after), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(rest.state, 'R');
    assert_int_equal(rest.asleep_ms, 0);
    if (rc != 0)
        skip();
    int64_t ran = after.ran_ns + after.waited_ns - before.ran_ns - before.waited_ns;
    assert_true(ran > 240 * INT64_C(1000000));
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    struct cpu_clocks clocks;
    struct thread_rest rest;
    struct thread_usage usage;
    assert_int_equal(cpu_clocks_open(&clocks), 0);
    assert_int_equal(thread_rest_read(&clocks, getpid(), 99999999, &rest), -ESRCH);
    assert_int_equal(thread_usage_read(99999999, 1, &usage), -ESRCH);
    cpu_clocks_close(&clocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_moment_that_it_last_ran_is_read),
        cmocka_unit_test(usage_is_read),
        cmocka_unit_test(state_and_cpu_are_read_behind_the_name),
        cmocka_unit_test(since_when_a_thread_sleeps_is_known_though_we_came_later),
        cmocka_unit_test(we_run_where_we_did_afterwards),
        cmocka_unit_test(a_thread_that_runs_does_not_sleep_and_uses_its_time),
        cmocka_unit_test(what_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
