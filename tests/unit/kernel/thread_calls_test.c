#include "../unit.h"

#include "kernel/thread_calls.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static pid_t child_that(void (*waits)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        waits();
        _exit(0);
    }
    return pid;
}

/* Reads from a socket which another process, that shares its descriptors, closes meanwhile. */
static void reads_what_is_closed(void)
{
    int pair[2];
    char byte;
    const struct timespec moment = {.tv_nsec = 300000000};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        _exit(1);
    if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0UL) == 0) {
        nanosleep(&moment, NULL);
        close(pair[0]);
        _exit(0);
    }
    if (recv(pair[0], &byte, 1, 0) < 0)
        _exit(1);
}

static void a_thread_that_reads_what_is_closed_is_found(void **state)
{
    (void)state;
    const struct timespec moment = {.tv_nsec = 20000000};
    pid_t pid = child_that(reads_what_is_closed);
    int64_t count = 0;
    for (int i = 0; i < 500 && count == 0; i++) {
        nanosleep(&moment, NULL);
        count = threads_in_closed_calls(pid);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (count == -EACCES)
        skip(); /* this machine does not let it be known */
    assert_int_equal(count, 1);
    assert_int_equal(threads_in_closed_calls(pid), -ESRCH);
}

static void sleeps(void)
{
    pause();
}

static void accepts(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(fd, 1) == 0)
        accept(fd, NULL, NULL);
}

static bool serves_soon(pid_t pid, int wanted)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; i < 500 && process_may_serve(pid) != wanted; i++) {
        if (process_may_serve(pid) < 0)
            skip();
        nanosleep(&pause, NULL);
    }
    return process_may_serve(pid) == wanted;
}

static void who_waits_for_no_socket_does_not_serve(void **state)
{
    (void)state;
    pid_t idle = child_that(sleeps), server = child_that(accepts);
    bool idle_is_told = serves_soon(idle, 0), server_is_told = serves_soon(server, 1);
    kill(idle, SIGKILL);
    kill(server, SIGKILL);
    waitpid(idle, NULL, 0);
    waitpid(server, NULL, 0);
    assert_true(idle_is_told);
    assert_true(server_is_told);
    assert_int_equal(process_may_serve(idle), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_reads_what_is_closed_is_found),
        cmocka_unit_test(who_waits_for_no_socket_does_not_serve),
    };
    return cmocka_run_group_tests_name("thread_calls", tests, NULL, NULL);
}
