#include "../unit.h"

#include "../loopback.h"
#include "kernel/ring_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>

struct seen {
    int sockets, unnamed;
    uint64_t last;
};

static struct seen read_lines(const char *const *lines, size_t count, struct ring_files *ring)
{
    struct seen seen = {0};
    *ring = (struct ring_files){0};
    for (size_t i = 0; i < count; i++) {
        uint64_t inode = 0;
        enum ring_line kind = ring_files_parse(ring, lines[i], &inode);
        seen.sockets += kind == RING_SOCKET;
        seen.unnamed += kind == RING_UNNAMED;
        seen.last = kind == RING_SOCKET ? inode : seen.last;
    }
    return seen;
}

/* Linux 6.18; a buffer has a number in front of it too. */
static void sockets_are_told_by_inode(void **state)
{
    static const char *const lines[] = {
        "pos:\t0",
        "SqTotalTime:\t0",
        "    7: socket:[1]", /* of another part */
        "UserFiles:\t4",
        "    1: socket:[137711700]",
        "    3: /etc/hostname",
        "UserBufs:\t1",
        "    0: 0x7f0000000000/4096",
        "    5: socket:[99]",
        "PollList:",
    };
    (void)state;
    struct ring_files ring;
    struct seen seen = read_lines(lines, COUNT_OF(lines), &ring);
    assert_int_equal(seen.sockets, 1);
    assert_int_equal(seen.unnamed, 0);
    assert_int_equal(seen.last, 137711700);
    assert_int_equal(ring.places, 4);
    assert_int_equal(ring.shown, 2);
    assert_int_equal(ring.part, RING_AFTER_FILES);
}

/* As Linux 5.10 to 6.0 print them: the last part of a name. */
static void an_old_kernel_does_not_tell_them(void **state)
{
    static const char *const lines[] = {"UserFiles:\t3", "    0: TCP", "    1: <none>", "    2: hostname",
                                        "UserBufs:\t0"};
    (void)state;
    struct ring_files ring;
    struct seen seen = read_lines(lines, COUNT_OF(lines), &ring);
    assert_int_equal(seen.sockets, 0);
    assert_int_equal(seen.unnamed, 2);
    assert_int_equal(ring.shown, 3);
}

static int note(void *context, uint64_t inode)
{
    struct seen *seen = context;
    seen->sockets++;
    seen->last = inode;
    return 0;
}

static void a_direct_descriptor_has_an_owner(void **state)
{
    (void)state;
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) {
        print_message("refused: io_uring_setup: errno %d\n", errno);
        skip();
    }
    struct seen seen = {0};
    assert_int_equal(ring_files_read(getpid(), ring, note, &seen), 0); /* it has no table yet */
    struct loopback loopback = loopback_pair();
    uint64_t inode = inode_of(loopback.server);
    int files[] = {-1, loopback.server};
    assert_int_equal(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 2), 0);
    close(loopback.server);
    loopback.server = -1;
    int rc = ring_files_read(getpid(), ring, note, &seen);
    if (rc == -EOPNOTSUPP) {
        print_message("this kernel does not name a ring's files\n");
        skip();
    }
    assert_int_equal(rc, 0);
    assert_int_equal(seen.sockets, 1);
    assert_int_equal(seen.last, inode);
    close(ring);
    loopback_close(&loopback);
}

static void what_is_no_ring_has_no_files_to_tell(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(ring_files_read(getpid(), 0, note, &seen), -EOPNOTSUPP);
    assert_int_equal(ring_files_read(getpid(), 9999, note, &seen), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_told_by_inode),
        cmocka_unit_test(an_old_kernel_does_not_tell_them),
        cmocka_unit_test(a_direct_descriptor_has_an_owner),
        cmocka_unit_test(what_is_no_ring_has_no_files_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
