#include "../unit.h"

#include "../loopback.h"
#include "kernel/epoll_set.h"

#include <errno.h>
#include <sys/epoll.h>

/* ---- recorded (Linux 6.18) ---- */

static void an_entry_is_read_with_its_number_decimal_and_the_rest_hexadecimal(void **state)
{
    (void)state;
    struct epoll_entry entry;
    /* Go: for life, reading and writing, edge-triggered */
    assert_true(epoll_entry_parse(
        "tfd:       24 events: 8000201d data:     7f23d44e2ce8  pos:0 ino:834ea87 sdev:9", &entry));
    assert_int_equal(entry.fd, 24);
    assert_int_equal(entry.events, 0x8000201d);
    assert_int_equal(entry.inode, 0x834ea87);
    assert_int_equal(entry.device, 9);
    /* node */
    assert_true(epoll_entry_parse(
        "tfd:       17 events:       19 data:               11  pos:0 ino:40e sdev:10", &entry));
    assert_int_equal(entry.fd, 17);
    assert_int_equal(entry.inode, 0x40e);
    assert_int_equal(entry.device, 0x10);
}

static void an_old_kernel_tells_no_inode(void **state)
{
    (void)state;
    struct epoll_entry entry;
    assert_true(epoll_entry_parse("tfd:        5 events:       19 data:                5", &entry));
    assert_int_equal(entry.fd, 5);
    assert_int_equal(entry.inode, 0);
    assert_int_equal(entry.device, 0);
}

static void other_lines_are_no_entries(void **state)
{
    static const char *const lines[] = {
        "",
        "pos:\t0",
        "flags:\t02000002",
        "mnt_id:\t17",
        "ino:\t1038",
        "tfd:",
        "tfd:        5",
        "tfd:        5 events:       19",
        "tfd:       -5 events:       19 data:                5  pos:0 ino:834ea87 sdev:9",
        "tfd: 99999999999 events:       19 data:                5  pos:0 ino:834ea87 sdev:9",
        "scm_fds: 1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct epoll_entry entry;
        assert_false(epoll_entry_parse(lines[i], &entry));
    }
}

/* ---- real ---- */

struct seen {
    int count;
    struct epoll_entry each[8];
};

static int note(void *context, const struct epoll_entry *entry)
{
    struct seen *seen = context;
    if (seen->count < (int)COUNT_OF(seen->each))
        seen->each[seen->count] = *entry;
    seen->count++;
    return 0;
}

static void watch(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

static void a_set_of_another_process_is_read(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    int set = epoll_create1(0);
    watch(set, loopback.server, EPOLLIN | EPOLLET | EPOLLRDHUP);
    watch(set, loopback.listener, EPOLLIN);
    pid_t holder = fork_holder("holder");
    struct seen seen = {0};
    assert_int_equal(epoll_set_read(holder, set, note, &seen), 0);
    assert_int_equal(seen.count, 2);
    for (int i = 0; i < 2; i++) {
        bool is_server = seen.each[i].fd == loopback.server;
        assert_int_equal(seen.each[i].inode, inode_of(is_server ? loopback.server : loopback.listener));
        assert_int_equal(seen.each[i].events & EPOLLET, is_server ? EPOLLET : 0);
        assert_true(seen.each[i].events & EPOLLIN);
    }
    end_holder(holder);
    close(set);
    loopback_close(&loopback);
}

/* ONESHOT that has fired: the kernel leaves nothing but the flag. */
static void a_spent_oneshot_shows(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    int set = epoll_create1(0);
    watch(set, loopback.server, EPOLLIN | EPOLLONESHOT);
    struct epoll_event event;
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_int_equal(epoll_wait(set, &event, 1, DEADLINE_MS), 1);
    struct seen seen = {0};
    assert_int_equal(epoll_set_read(getpid(), set, note, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.each[0].events, EPOLLONESHOT);
    close(set);
    loopback_close(&loopback);
}

static void kcmp_tells_members_from_others(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    int set = epoll_create1(0);
    watch(set, loopback.server, EPOLLIN);
    int is_member = epoll_set_has(getpid(), set, loopback.server);
    if (is_member == -ENOSYS || is_member == -EOPNOTSUPP || is_member == -EPERM)
        skip();
    assert_int_equal(is_member, 1);
    assert_int_equal(epoll_set_has(getpid(), set, loopback.client), 0);
    assert_true(epoll_set_has(getpid(), set, 9999) < 0);
    int copy = dup(loopback.server); /* the set keeps the file; the number is another's then */
    dup2(loopback.client, loopback.server);
    assert_int_equal(epoll_set_has(getpid(), set, loopback.server), 0);
    close(copy);
    close(set);
    loopback_close(&loopback);
}

static void a_child_shares_the_sets_of_its_parent(void **state)
{
    (void)state;
    int set = epoll_create1(0), other = epoll_create1(0);
    pid_t holder = fork_holder("holder");
    int is_same = epoll_set_is_same(getpid(), set, holder, set);
    if (is_same == 1)
        assert_int_equal(epoll_set_is_same(getpid(), set, holder, other), 0);
    end_holder(holder);
    close(set);
    close(other);
    if (is_same == -ENOSYS || is_same == -EPERM)
        skip();
    assert_int_equal(is_same, 1);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(epoll_set_read(getpid(), 9999, note, &seen), -ESRCH);
    assert_int_equal(epoll_set_read(99999999, 3, note, &seen), -ESRCH);
    assert_int_equal(epoll_set_has(99999999, 3, 4), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read_with_its_number_decimal_and_the_rest_hexadecimal),
        cmocka_unit_test(an_old_kernel_tells_no_inode),
        cmocka_unit_test(other_lines_are_no_entries),
        cmocka_unit_test(a_set_of_another_process_is_read),
        cmocka_unit_test(a_spent_oneshot_shows),
        cmocka_unit_test(kcmp_tells_members_from_others),
        cmocka_unit_test(a_child_shares_the_sets_of_its_parent),
        cmocka_unit_test(what_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
