#include "../unit.h"

#include "control/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The library's waitpid(), which can be made to be interrupted. */
static int interrupts;

pid_t waitpid(pid_t pid, int *status, int options)
{
    if (interrupts > 0) {
        interrupts--;
        errno = EINTR;
        return -1;
    }
    return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}

/* The alarm of main() is the deadline. */
static void reap_at_last(struct process *process)
{
    while (!process_reap(process))
        usleep(1000);
}

static void read_text(int fd, char text[256])
{
    ssize_t length = 0, got;
    while ((got = read(fd, text + length, (size_t)(255 - length))) > 0)
        length += got;
    text[length] = '\0';
    close(fd);
}

static bool is_alive(pid_t pid)
{
    char path[32], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    read_text(fd, text);
    return strstr(text, ") Z ") == NULL;
}

static void wait_until_gone(pid_t pid)
{
    while (is_alive(pid))
        usleep(1000);
}

static void a_command_hears_signals_as_any_other(void **state)
{
    (void)state;
    struct process process = {0};
    char text[256];
    unsigned long long ignored, blocked;
    const int number = SIGTERM;
    sigset_t some, before;
    sigemptyset(&some);
    sigaddset(&some, number);
    sigprocmask(SIG_BLOCK, &some, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    int fd = spawn_command(&process, "exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    assert_true(fd >= 0);
    read_text(fd, text);
    assert_int_equal(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & (1ULL << (SIGINT - 1) | 1ULL << (SIGTERM - 1) | 1ULL << (SIGPIPE - 1)), 0);
    reap_at_last(&process);
    assert_int_equal(process.wait_status, 0);
}

static void a_command_leads_a_group_of_its_own(void **state)
{
    (void)state;
    struct process process = {0};
    int fd = spawn_command(&process, "exec sleep 60");
    assert_true(fd >= 0);
    assert_int_equal(getpgid(process.pid), process.pid);
    process_kill(&process);
    reap_at_last(&process);
    assert_true(WIFSIGNALED(process.wait_status));
    close(fd);
}

/* Starts a command that says the pid of what it has started itself. */
static pid_t launch_with_child(struct process *process, const char *command, int *fd)
{
    char text[32] = "";
    *fd = spawn_command(process, command);
    assert_true(*fd >= 0);
    for (size_t i = 0; i < sizeof text - 1 && strchr(text, '\n') == NULL; i++)
        assert_int_equal(read(*fd, text + i, 1), 1);
    return (pid_t)atoi(text);
}

static void what_a_command_leaves_behind_ends_with_it(void **state)
{
    (void)state;
    struct process process = {0};
    int fd;
    pid_t left = launch_with_child(&process, "trap '' TERM; sleep 61 & echo $!; read line", &fd);
    assert_true(is_alive(left));
    close(fd); /* its input ends, and so does it */
    reap_at_last(&process);
    wait_until_gone(left);
}

static void the_parting_signal_may_be_a_gentle_one(void **state)
{
    (void)state;
    struct process process = {0};
    int fd;
    pid_t left =
        launch_with_child(&process, "sh -c 'trap \"\" TERM; echo $$; exec sleep 62' & exec sleep 63", &fd);
    process.parting_signal = SIGTERM;
    process_kill(&process);
    reap_at_last(&process);
    assert_true(is_alive(left));
    kill(left, SIGKILL);
    wait_until_gone(left);
    close(fd);
}

static void all_of_a_command_is_asked_to_leave_even_when_it_is_stopped(void **state)
{
    (void)state;
    struct process process = {0};
    int fd;
    pid_t other = launch_with_child(&process, "sleep 64 & echo $!; wait", &fd);
    kill(other, SIGSTOP);
    kill(process.pid, SIGSTOP);
    while (process.stopped_by == 0)
        assert_false(process_reap(&process));
    assert_int_equal(process.stopped_by, SIGSTOP);
    process_ask_to_leave(&process);
    reap_at_last(&process);
    wait_until_gone(other);
    close(fd);
}

static void an_interrupted_wait_loses_nobody(void **state)
{
    (void)state;
    for (int leads = 0; leads < 2; leads++) {
        struct process process = {0};
        int fd = spawn_command(&process, "exit 7");
        assert_true(fd >= 0);
        process.leads_group = leads == 1;
        interrupts = 3;
        reap_at_last(&process);
        assert_int_equal(interrupts, 0);
        assert_int_equal(WEXITSTATUS(process.wait_status), 7);
        assert_false(process_reap(&process));
        close(fd);
    }
}

static void a_process_that_another_has_collected_has_ended(void **state)
{
    (void)state;
    struct process process = {0};
    int fd = spawn_command(&process, "exit 0");
    assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
    assert_true(process_reap(&process));
    close(fd);
}

static void nobody_is_signalled_for_a_process_that_is_not_here(void **state)
{
    (void)state;
    const struct process never = {0}, ended = {.pid = getpid(), .ended = true, .leads_group = true},
                         elsewhere = {.pid = getpid(), .elsewhere = true};
    const struct process *const all[] = {&never, &ended, &elsewhere};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        process_kill(all[i]);
        process_ask_to_leave(all[i]);
    }
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_hears_signals_as_any_other),
        cmocka_unit_test(a_command_leads_a_group_of_its_own),
        cmocka_unit_test(what_a_command_leaves_behind_ends_with_it),
        cmocka_unit_test(the_parting_signal_may_be_a_gentle_one),
        cmocka_unit_test(all_of_a_command_is_asked_to_leave_even_when_it_is_stopped),
        cmocka_unit_test(an_interrupted_wait_loses_nobody),
        cmocka_unit_test(a_process_that_another_has_collected_has_ended),
        cmocka_unit_test(nobody_is_signalled_for_a_process_that_is_not_here),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
