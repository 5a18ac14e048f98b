#include "../unit.h"

#include "kernel/in_flight.h"

#include <errno.h>
#include <sys/socket.h>

static void the_line_is_read(void **state)
{
    (void)state;
    assert_int_equal(in_flight_parse("scm_fds: 1"), 1);
    assert_int_equal(in_flight_parse("scm_fds: 253"), 253);
    assert_int_equal(in_flight_parse("scm_fds:"), -1);
    assert_int_equal(in_flight_parse("ino:\t137685641"), -1);
    assert_int_equal(in_flight_parse(""), -1);
}

static void send_descriptors(int over, const int *fds, size_t count)
{
    char byte = 'x', control[CMSG_SPACE(4 * sizeof *fds)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(head), fds, count * sizeof *fds);
    assert_int_equal(sendmsg(over, &message, 0), 1);
}

static void descriptors_that_nobody_received_are_counted_where_they_wait(void **state)
{
    (void)state;
    int ends[2], sent[] = {0, 1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(in_flight_read(getpid(), ends[1]), 0);
    send_descriptors(ends[0], sent, 2);
    int64_t count = in_flight_read(getpid(), ends[1]);
    if (count == 0) {
        print_message("this kernel does not count them\n");
        skip();
    }
    assert_int_equal(count, 2);
    assert_int_equal(in_flight_read(getpid(), ends[0]), 0);
    close(ends[0]);
    close(ends[1]);
}

static void other_descriptors_have_none(void **state)
{
    (void)state;
    assert_int_equal(in_flight_read(getpid(), 0), 0);
    assert_int_equal(in_flight_read(getpid(), 9999), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_read),
        cmocka_unit_test(descriptors_that_nobody_received_are_counted_where_they_wait),
        cmocka_unit_test(other_descriptors_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
