#include "../unit.h"

#include "kernel/descriptors.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void a_link_tells_the_kind(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum descriptor_kind kind;
        uint64_t inode;
    } cases[] = {{"socket:[4026531992]", DESCRIPTOR_SOCKET, 4026531992U},
                 {"pipe:[7]", DESCRIPTOR_PIPE, 7},
                 {"anon_inode:[eventpoll]", DESCRIPTOR_EPOLL, 0},
                 {"anon_inode:[eventfd]", DESCRIPTOR_EVENTFD, 0},
                 {"anon_inode:[timerfd]", DESCRIPTOR_TIMERFD, 0},
                 {"anon_inode:[io_uring]", DESCRIPTOR_KERNEL_OBJECT, 0},
                 {"anon_inode:inotify", DESCRIPTOR_KERNEL_OBJECT, 0},
                 {"pidfd:[12]", DESCRIPTOR_KERNEL_OBJECT, 0},
                 {"/var/log/socket:[1]", DESCRIPTOR_FILE, 0},
                 {"/tmp/gone (deleted)", DESCRIPTOR_FILE, 0},
                 {"", DESCRIPTOR_KERNEL_OBJECT, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct descriptor descriptor = {.fd = 5};
        descriptor_parse(cases[i].target, &descriptor);
        assert_int_equal(descriptor.kind, cases[i].kind);
        assert_int_equal(descriptor.inode, cases[i].inode);
        assert_int_equal(descriptor.fd, 5);
    }
}

struct wanted {
    int fd;
    enum descriptor_kind kind;
    uint64_t inode;
};

static int find(void *context, const struct descriptor *descriptor)
{
    const struct wanted *wanted = context;
    if (descriptor->fd != wanted->fd)
        return 0;
    return descriptor->kind == wanted->kind && descriptor->inode == wanted->inode ? 7 : 8;
}

static void each_descriptor_is_passed_on(void **state)
{
    (void)state;
    struct stat of_socket;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), epoll = epoll_create1(0);
    assert_int_equal(fstat(fd, &of_socket), 0);
    struct wanted its = {fd, DESCRIPTOR_SOCKET, of_socket.st_ino}, other = {epoll, DESCRIPTOR_EPOLL, 0};
    struct wanted none = {.fd = -2};
    assert_int_equal(descriptors_each(getpid(), find, &its), 7);
    assert_int_equal(descriptors_each(getpid(), find, &other), 7);
    assert_int_equal(descriptors_each(getpid(), find, &none), 0);
    assert_int_equal(descriptors_each(0, find, &none), -ESRCH);
    close(fd);
    close(epoll);
}

static void a_socket_has_its_protocol(void **state)
{
    (void)state;
    struct socket_protocol protocol;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), epoll = epoll_create1(0);
    assert_int_equal(descriptor_protocol(getpid(), fd, &protocol), 1);
    assert_string_equal(protocol.name, "UDP");
    assert_int_equal(descriptor_protocol(getpid(), epoll, &protocol), 0);
    close(fd);
    close(epoll);
    assert_int_equal(descriptor_protocol(getpid(), fd, &protocol), 0);
    assert_string_equal(protocol.name, "");
}

static void a_descriptor_is_that_socket_until_it_is_closed(void **state)
{
    (void)state;
    struct stat about;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(descriptor_is_socket(getpid(), fd, about.st_ino), 1);
    assert_int_equal(descriptor_is_socket(getpid(), fd, about.st_ino + 1), 0);
    close(fd);
    assert_int_equal(descriptor_is_socket(getpid(), fd, about.st_ino), 0);
    assert_int_equal(descriptor_is_socket(99999999, fd, about.st_ino), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_tells_the_kind),
        cmocka_unit_test(each_descriptor_is_passed_on),
        cmocka_unit_test(a_descriptor_is_that_socket_until_it_is_closed),
        cmocka_unit_test(a_socket_has_its_protocol),
    };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
