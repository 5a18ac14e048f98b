#include "../unit.h"

#include "../loopback.h"
#include "kernel/process.h"

#include <errno.h>
#include <sched.h>

enum { NOT_POSSIBLE = 99 }; /* exit code of a child that could not try */

static void a_process_has_a_command(void **state)
{
    (void)state;
    pid_t child = fork_holder("holder");
    assert_soon(strcmp(process_command(child).text, "holder") == 0);
    end_holder(child);
}

static void a_command_is_one_visible_word(void **state)
{
    (void)state;
    pid_t child = fork_holder("a b\tc\n\x1b[\xc3\xa9 end");
    assert_soon(strcmp(process_command(child).text, "a_b_c__[___end") == 0);
    end_holder(child);
}

static void the_longest_command_is_whole(void **state)
{
    (void)state;
    pid_t child = fork_holder("fifteen-letters");
    assert_soon(strcmp(process_command(child).text, "fifteen-letters") == 0);
    end_holder(child);
}

static void no_process_has_no_command(void **state)
{
    (void)state;
    pid_t child = fork_holder("holder");
    end_holder(child);
    assert_string_equal(process_command(child).text, "");
    assert_string_equal(process_command(0).text, "");
}

static void facts_tell_when_descriptors_change(void **state)
{
    (void)state;
    struct process_facts before, after;
    assert_int_equal(process_facts_of(getpid(), &before), 0);
    assert_true(before.started > 0);
    int fd = dup(STDERR_FILENO);
    assert_int_equal(process_facts_of(getpid(), &after), 0);
    close(fd);
    assert_int_equal(after.started, before.started);
    if (before.descriptors < 0) {
        print_message("this kernel does not tell how many descriptors are open\n");
        skip();
    }
    assert_int_equal(after.descriptors, before.descriptors + 1);
}

/* The name comes before the facts in /proc/PID/stat, and may look like them. */
static void facts_are_not_taken_from_a_name(void **state)
{
    (void)state;
    pid_t child = fork_holder(") Z 1 2 3 4 5");
    struct process_facts facts;
    assert_soon(strcmp(process_command(child).text, ")_Z_1_2_3_4_5") == 0);
    assert_int_equal(process_facts_of(child, &facts), 0);
    end_holder(child);
}

static void a_process_that_has_ended_has_no_facts(void **state)
{
    (void)state;
    pid_t child = fork_holder("holder");
    struct process_facts facts;
    kill(child, SIGKILL);
    assert_soon(process_facts_of(child, &facts) == -ESRCH); /* a zombie */
    end_holder(child);
    assert_int_equal(process_facts_of(child, &facts), -ESRCH);
}

static void a_process_shares_our_network_or_does_not(void **state)
{
    (void)state;
    assert_int_equal(process_shares_network(getpid()), 0);
    pid_t child = fork_holder("holder");
    assert_int_equal(process_shares_network(child), 0);
    end_holder(child);
    assert_int_equal(process_shares_network(child), -ESRCH);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            _exit(NOT_POSSIBLE);
        for (;;)
            pause();
    }
    assert_soon(process_shares_network(child) != 0);
    int rc = process_shares_network(child);
    end_holder(child);
    if (rc == -ESRCH) {
        print_message("no namespace can be made here\n");
        skip();
    }
    assert_true(rc == -EXDEV || rc == -EACCES);
}

struct descriptors {
    uint64_t inode; /* the one wanted */
    int fd;         /* where it was met; -1: nowhere */
    int count, most;
};

static int note_socket(void *context, int fd, uint64_t inode)
{
    struct descriptors *descriptors = context;
    descriptors->fd = inode == descriptors->inode ? fd : descriptors->fd;
    return ++descriptors->count == descriptors->most ? 7 : 0;
}

static void each_descriptor_that_is_a_socket_is_met(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct descriptors listener = {.inode = inode_of(loopback.listener), .fd = -1},
                       none = {.inode = inode_of(ends[0]), .fd = -1}, first = {.most = 1};
    assert_int_equal(process_each_socket(getpid(), note_socket, &listener), 0);
    assert_int_equal(listener.fd, loopback.listener);
    assert_int_equal(process_each_socket(getpid(), note_socket, &none), 0);
    assert_int_equal(none.fd, -1);
    assert_int_equal(process_each_socket(getpid(), note_socket, &first), 7);
    assert_int_equal(first.count, 1);
    assert_int_equal(process_each_socket(0, note_socket, &none), -ESRCH);
    close(ends[0]);
    close(ends[1]);
    loopback_close(&loopback);
}

static void a_stat_tells_parent_and_end(void **state)
{
    (void)state;
    struct process_stat stat;
    assert_int_equal(process_stat_of(getpid(), &stat), 0);
    assert_int_equal(stat.parent, getppid());
    assert_true(stat.started > 0);
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    assert_soon(process_stat_of(child, &stat) == 0 && stat.state == 'Z');
    assert_true(stat.exit_code == 0 || WEXITSTATUS(stat.exit_code) == 3);
    waitpid(child, NULL, 0);
    assert_int_equal(process_stat_of(child, &stat), -ESRCH);
}

static void a_pid_is_among_pids_or_not(void **state)
{
    (void)state;
    const pid_t pids[] = {3, 5};
    assert_true(pid_is_among(5, pids, 2));
    assert_false(pid_is_among(5, pids, 1));
    assert_false(pid_is_among(4, pids, 2));
    assert_false(pid_is_among(4, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_has_a_command),
        cmocka_unit_test(a_command_is_one_visible_word),
        cmocka_unit_test(the_longest_command_is_whole),
        cmocka_unit_test(no_process_has_no_command),
        cmocka_unit_test(facts_tell_when_descriptors_change),
        cmocka_unit_test(facts_are_not_taken_from_a_name),
        cmocka_unit_test(a_process_that_has_ended_has_no_facts),
        cmocka_unit_test(a_process_shares_our_network_or_does_not),
        cmocka_unit_test(a_pid_is_among_pids_or_not),
        cmocka_unit_test(each_descriptor_that_is_a_socket_is_met),
        cmocka_unit_test(a_stat_tells_parent_and_end),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
