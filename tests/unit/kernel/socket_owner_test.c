#include "../unit.h"

#include "../loopback.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <sys/resource.h>

enum { NOT_READABLE = 99 }; /* exit code of a child that could not try */

static struct socket_owners *owners_of(uint64_t inode)
{
    struct socket_owners *owners = socket_owners_new(&inode, 1);
    assert_non_null(owners);
    return owners;
}

static void our_own_socket_is_ours(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    uint64_t inodes[] = {inode_of(loopback.client), inode_of(loopback.server), inode_of(loopback.listener)};
    struct socket_owners *owners = socket_owners_new(inodes, COUNT_OF(inodes));
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 3);
    for (size_t i = 0; i < COUNT_OF(inodes); i++)
        assert_int_equal(socket_owner_of(owners, inodes[i]), getpid());
    socket_owners_free(owners);
    loopback_close(&loopback);
}

static void an_inode_has_no_owner_before_anything_was_read(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct socket_owners *owners = owners_of(inode_of(loopback.listener));
    assert_int_equal(socket_owner_of(owners, inode_of(loopback.listener)), 0);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

static void what_was_not_asked_for_is_not_kept(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct socket_owners *owners = owners_of(inode_of(loopback.client));
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 1);
    assert_int_equal(socket_owner_of(owners, inode_of(loopback.server)), 0);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

/* An inode of another file system may have the same number. */
static void only_sockets_are_looked_at(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct socket_owners *owners = owners_of(inode_of(ends[0]));
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 0);
    socket_owners_free(owners);
    close(ends[0]);
    close(ends[1]);
}

static void zero_and_repetitions_do_no_harm(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    uint64_t inode = inode_of(loopback.listener);
    const uint64_t inodes[] = {0, inode, inode, 0, inode};
    struct socket_owners *owners = socket_owners_new(inodes, COUNT_OF(inodes));
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 1);
    assert_int_equal(socket_owner_of(owners, inode), getpid());
    assert_int_equal(socket_owner_of(owners, 0), 0);
    assert_int_equal(socket_owners_read_others(owners, NULL, 0), 0);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

static void an_empty_index_finds_nothing(void **state)
{
    (void)state;
    struct socket_owners *owners = socket_owners_new(NULL, 0);
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 0);
    assert_int_equal(socket_owners_read_others(owners, NULL, 0), 0);
    assert_int_equal(socket_owner_of(owners, 1), 0);
    socket_owners_free(owners);
}

static void every_inode_of_many_is_found_again(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static uint64_t inodes[MANY];
    for (size_t i = 0; i < MANY; i++)
        inodes[i] = UINT32_MAX - MANY / 2 + i * 3;
    struct loopback loopback = loopback_listen();
    inodes[MANY / 2] = inode_of(loopback.listener);
    struct socket_owners *owners = socket_owners_new(inodes, MANY);
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 1);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(socket_owner_of(owners, inodes[i]), i == MANY / 2 ? getpid() : 0);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

static void of_several_owners_the_first_one_read_wins(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    uint64_t inode = inode_of(loopback.listener);
    pid_t child = fork_holder("holder");
    struct socket_owners *owners = owners_of(inode);
    assert_int_equal(socket_owners_read_pid(owners, child), 1);
    assert_int_equal(socket_owners_read_pid(owners, getpid()), 0);
    assert_int_equal(socket_owner_of(owners, inode), child);
    socket_owners_free(owners);
    end_holder(child);
    loopback_close(&loopback);
}

static void what_only_a_child_still_holds_is_found_among_the_others(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    uint64_t inode = inode_of(loopback.listener);
    pid_t child = fork_holder("holder");
    close(loopback.listener);
    struct socket_owners *owners = owners_of(inode);
    const pid_t us = getpid();
    assert_int_equal(socket_owners_read_pid(owners, us), 0);
    assert_int_equal(socket_owners_read_others(owners, &us, 1), 1);
    assert_int_equal(socket_owner_of(owners, inode), child);
    socket_owners_free(owners);
    end_holder(child);
}

static void the_others_are_without_those_already_read(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct socket_owners *owners = owners_of(inode_of(loopback.listener));
    const pid_t us = getpid();
    assert_int_equal(socket_owners_read_others(owners, &us, 1), 0);
    assert_int_equal(socket_owners_read_others(owners, NULL, 0), 1);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

static void a_process_that_is_gone_is_esrch(void **state)
{
    (void)state;
    pid_t child = fork_holder("holder");
    end_holder(child);
    struct socket_owners *owners = owners_of(1);
    assert_int_equal(socket_owners_read_pid(owners, child), -ESRCH);
    assert_int_equal(socket_owners_read_pid(owners, 0), -ESRCH);
    assert_int_equal(socket_owners_read_pid(owners, -1), -ESRCH);
    socket_owners_free(owners);
}

/* As an ordinary user, on a process of another: root's tests lend themselves to nobody, others look at init.
 */
static void read_as_a_stranger(pid_t root)
{
    bool is_root = geteuid() == 0;
    if (is_root && setresuid(65534, 65534, 65534) != 0)
        _exit(NOT_READABLE);
    struct socket_owners *owners = owners_of(1);
    _exit(-socket_owners_read_pid(owners, is_root ? root : 1));
}

static void a_process_of_another_user_is_eacces(void **state)
{
    (void)state;
    pid_t us = getpid(), child = fork();
    if (child == 0)
        read_as_a_stranger(us);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == NOT_READABLE) {
        print_message("there is no other user in this namespace\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), EACCES);
}

/* Without descriptors of our own nobody's can be read: that is an error, and not "nobody has it". */
static void what_fails_here_is_no_answer(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct socket_owners *owners = owners_of(inode_of(loopback.listener));
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    /* One is left: for /proc, and none for what is in it. */
    int next = dup(STDERR_FILENO);
    close(next);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 1, before.rlim_max});
    int rc = socket_owners_read_others(owners, NULL, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, -EMFILE);
    socket_owners_free(owners);
    loopback_close(&loopback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_socket_is_ours),
        cmocka_unit_test(an_inode_has_no_owner_before_anything_was_read),
        cmocka_unit_test(what_was_not_asked_for_is_not_kept),
        cmocka_unit_test(only_sockets_are_looked_at),
        cmocka_unit_test(zero_and_repetitions_do_no_harm),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(every_inode_of_many_is_found_again),
        cmocka_unit_test(of_several_owners_the_first_one_read_wins),
        cmocka_unit_test(what_only_a_child_still_holds_is_found_among_the_others),
        cmocka_unit_test(the_others_are_without_those_already_read),
        cmocka_unit_test(a_process_that_is_gone_is_esrch),
        cmocka_unit_test(a_process_of_another_user_is_eacces),
        cmocka_unit_test(what_fails_here_is_no_answer),
    };
    return cmocka_run_group_tests_name("socket_owner", tests, NULL, NULL);
}
