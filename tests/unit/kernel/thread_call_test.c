#include "../unit.h"

#include "../loopback.h"
#include "kernel/thread_call.h"
#include "kernel/wait_set.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- recorded: numbers of this machine's calls, the rest as x86-64 had it ---- */

static const struct {
    long number;
    const char *arguments, *name;
    enum call_kind kind;
    int fd;
} recorded[] = {
    /* node's loop, and Go's */
    {SYS_epoll_pwait, "0xe 0x7ffe4788df90 0x400 0xffffffff 0x0 0x8 0x7ffe4788d230 0x7f8e19b26cae",
     "epoll_pwait", IN_EPOLL_WAIT, 14},
    {SYS_epoll_pwait, "0x5 0x7ffe1bbdbfb8 0x80 0xffffffff 0x0 0x0 0x7ffe1bbdbf60 0x4639e0", "epoll_pwait",
     IN_EPOLL_WAIT, 5},
    /* Java's accepting thread, and one of its others */
    {SYS_accept, "0x4 0x7f75b27fddb0 0x7f75b27fdda8 0xc 0x0 0x69e3d54a0 0x7f75b27fdd60 0x7f75b3e5272f",
     "accept", IN_ACCEPT, 4},
    {SYS_futex, "0x7f75b27ff990 0x109 0x4ec0 0x0 0x0 0xffffffff 0x7ffd7e45c010 0x7f75b3dcdf16", "futex",
     IN_FUTEX, -1},
    /* Python's threads */
    {SYS_recvfrom, "0x6 0x7f7ab896bbf0 0x5 0x0 0x0 0x0 0x7f7ab776ca10 0x7f7ab8f28974", "recvfrom", IN_READ,
     6},
    {SYS_pselect6, "0x7 0x7f7ab7f618f0 0x0 0x7f7ab7f619f0 0x0 0x0 0x7f7ab7f61810 0x7f7ab8f1c9ec", "pselect6",
     IN_SELECT, -1},
    {SYS_clock_nanosleep, "0x1 0x1 0x7f7ab6762ab0 0x0 0x0 0x0 0x7f7ab6762a70 0x7f7ab8eed545",
     "clock_nanosleep", IN_SLEEP, -1},
    {SYS_getpid, "0x0 0x0 0x0 0x0 0x0 0x0 0x7f7ab6762a70 0x7f7ab8eed545", NULL, IN_OTHER, -1},
};

static void calls_are_known_by_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recorded); i++) {
        char text[256];
        struct thread_call call;
        snprintf(text, sizeof text, "%ld %s\n", recorded[i].number, recorded[i].arguments);
        assert_true(thread_call_parse(text, &call));
        assert_int_equal(call.kind, recorded[i].kind);
        assert_int_equal(call.fd, recorded[i].fd);
        assert_true(call.has_arguments);
        if (recorded[i].name != NULL)
            assert_string_equal(call.name, recorded[i].name);
        else
            assert_contains(call.name, "call-");
    }
}

static void a_thread_that_runs_is_in_no_call(void **state)
{
    (void)state;
    struct thread_call call;
    assert_true(thread_call_parse("running\n", &call));
    assert_int_equal(call.kind, IN_NOTHING);
    assert_false(call.has_arguments);
}

static void other_texts_say_of_no_call(void **state)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "-1 0x7ffd7e45c010 0x7f75b3dcdf16\n",
                                        "7 0x1 0x2\n",
                                        "7 0x1 0x2 0x3 0x4 0x5\n",
                                        "99999999999999999999 0 0 0 0 0 0\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct thread_call call;
        assert_false(thread_call_parse(texts[i], &call));
        assert_int_equal(call.kind, IN_UNKNOWN);
        assert_false(call.has_arguments);
    }
}

static void a_descriptor_that_can_be_none_is_none(void **state)
{
    (void)state;
    char text[256];
    struct thread_call call;
    snprintf(text, sizeof text, "%d 0xffffffffffffffff 0 0 0 0 0 0 0\n", (int)SYS_read);
    assert_true(thread_call_parse(text, &call));
    assert_int_equal(call.kind, IN_READ);
    assert_int_equal(call.fd, -1);
}

/* Its names differ by version and by compiler. */
static void where_it_sleeps_in_the_kernel_says_what_for(void **state)
{
    static const struct {
        const char *text;
        enum call_kind kind;
    } known[] = {
        {"do_epoll_wait", IN_EPOLL_WAIT},
        {"ep_poll", IN_EPOLL_WAIT},
        {"poll_schedule_timeout.constprop.0", IN_POLL_OR_SELECT},
        {"inet_csk_accept", IN_ACCEPT},
        {"futex_do_wait", IN_FUTEX},
        {"futex_wait_queue_me", IN_FUTEX},
        {"wait_woken", IN_SOCKET},
        {"hrtimer_nanosleep", IN_SLEEP},
        {"io_cqring_wait", IN_IO_URING},
        {"do_epoll_wait_and_more", IN_UNKNOWN},
        {"some_driver", IN_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct thread_call call;
        assert_true(thread_call_parse_wchan(known[i].text, &call));
        assert_int_equal(call.kind, known[i].kind);
        assert_false(call.has_arguments);
        assert_int_equal(call.fd, -1);
    }
    struct thread_call call;
    assert_false(thread_call_parse_wchan("0", &call));
    assert_false(thread_call_parse_wchan("", &call));
    assert_true(thread_call_parse_wchan("a\x1b[31m", &call));
    assert_string_equal(call.name, "a_[31m");
}

/* ---- sets that were made here ---- */

struct seen {
    int count;
    int fd[8];
    uint32_t events[8];
};

static int note(void *context, int fd, uint32_t events)
{
    struct seen *seen = context;
    if (seen->count < (int)COUNT_OF(seen->fd)) {
        seen->fd[seen->count] = fd;
        seen->events[seen->count] = events;
    }
    seen->count++;
    return 0;
}

static void an_array_of_poll_is_read(void **state)
{
    (void)state;
    const struct pollfd array[] = {{.fd = 3, .events = POLLIN}, {.fd = -1, .events = POLLIN}, {.fd = 7}};
    struct seen seen = {0};
    assert_int_equal(poll_set_parse(array, COUNT_OF(array), note, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.fd[1], 7);
    assert_int_equal(seen.events[0], POLLIN);
    assert_int_equal(seen.events[1], 0);
}

static void sets_of_select_are_read_up_to_their_end(void **state)
{
    (void)state;
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(3, &in);
    FD_SET(100, &in);
    FD_SET(100, &out);
    FD_SET(101, &in); /* not looked at */
    const unsigned long *sets[SELECT_SETS] = {(const unsigned long *)&in, (const unsigned long *)&out, NULL};
    struct seen seen = {0};
    assert_int_equal(select_set_parse(sets, 101, note, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.fd[0], 3);
    assert_int_equal(seen.events[0], POLLIN);
    assert_int_equal(seen.fd[1], 100);
    assert_int_equal(seen.events[1], POLLIN | POLLOUT);
    assert_int_equal(select_set_words(0), 0);
    assert_int_equal(select_set_words(64), 64 / (8 * sizeof(long)));
    assert_int_equal(select_set_words(65), 64 / (8 * sizeof(long)) + 1);
}

/* ---- a process that waits ---- */

static struct loopback waited;
static int waited_set;

static void wait_in_poll(void)
{
    struct pollfd array[] = {{.fd = waited.listener, .events = POLLIN},
                             {.fd = waited.server, .events = POLLOUT}};
    array[1].events = POLLPRI;
    poll(array, 2, -1);
}

static void wait_in_select(void)
{
    fd_set in, except;
    FD_ZERO(&in);
    FD_ZERO(&except);
    FD_SET(waited.server, &in);
    FD_SET(waited.listener, &except);
    select(waited.server + 1, &in, NULL, &except, NULL);
}

static void wait_in_epoll(void)
{
    struct epoll_event event;
    epoll_wait(waited_set, &event, 1, -1);
}

static void wait_in_accept(void)
{
    accept(waited.listener, NULL, NULL);
}

static void wait_in_recv(void)
{
    char byte;
    recv(waited.server, &byte, 1, 0);
}

static void wait_in_sleep(void)
{
    sleep(60);
}

/* A child that is in that call, once it sleeps there. */
static pid_t fork_waiting(void (*body)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body();
        _exit(1);
    }
    return pid;
}

static void set_up(void)
{
    waited = loopback_pair();
    int flags = fcntl(waited.listener, F_GETFL);
    assert_int_equal(fcntl(waited.listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    waited_set = epoll_create1(0);
}

static void tear_down(void)
{
    close(waited_set);
    loopback_close(&waited);
}

static const struct {
    void (*body)(void);
    enum call_kind kind, by_wchan;
    int *fd;
} waits[] = {
    {wait_in_poll, IN_POLL, IN_POLL_OR_SELECT, NULL},
    {wait_in_select, IN_SELECT, IN_POLL_OR_SELECT, NULL},
    {wait_in_epoll, IN_EPOLL_WAIT, IN_EPOLL_WAIT, &waited_set},
    {wait_in_accept, IN_ACCEPT, IN_ACCEPT, &waited.listener},
    {wait_in_recv, IN_READ, IN_SOCKET, &waited.server},
    {wait_in_sleep, IN_SLEEP, IN_SLEEP, NULL},
};

static bool is_in(pid_t pid, bool may_attach, enum call_kind kind, struct thread_call *call)
{
    int source = thread_call_read(pid, pid, may_attach, call);
    assert_true(source >= 0);
    return call->kind == kind;
}

static void a_child_is_seen_in_its_call(void **state)
{
    (void)state;
    set_up();
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        struct thread_call call;
        pid_t pid = fork_waiting(waits[i].body);
        assert_soon(is_in(pid, true, waits[i].kind, &call));
        assert_true(call.has_arguments);
        assert_int_equal(call.fd, waits[i].fd != NULL ? *waits[i].fd : -1);
        end_holder(pid);
    }
    tear_down();
}

static void without_attaching_its_sleep_says_the_same_without_a_descriptor(void **state)
{
    (void)state;
    set_up();
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        struct thread_call call;
        pid_t pid = fork_waiting(waits[i].body);
        assert_soon(is_in(pid, false, waits[i].by_wchan, &call));
        assert_false(call.has_arguments);
        assert_int_equal(call.fd, -1);
        end_holder(pid);
    }
    tear_down();
}

static void the_sets_of_a_child_are_read_out_of_its_memory(void **state)
{
    (void)state;
    set_up();
    struct thread_call call;
    struct seen seen = {0};
    pid_t pid = fork_waiting(wait_in_poll);
    assert_soon(is_in(pid, true, IN_POLL, &call));
    assert_int_equal(wait_set_read(pid, &call, note, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.fd[0], waited.listener);
    assert_int_equal(seen.events[0], POLLIN);
    assert_int_equal(seen.fd[1], waited.server);
    assert_int_equal(seen.events[1], POLLPRI);
    end_holder(pid);

    seen = (struct seen){0};
    pid = fork_waiting(wait_in_select);
    assert_soon(is_in(pid, true, IN_SELECT, &call));
    assert_int_equal(wait_set_read(pid, &call, note, &seen), 0);
    assert_int_equal(seen.count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(seen.events[i], seen.fd[i] == waited.server ? POLLIN : POLLPRI);
    end_holder(pid);
    tear_down();
}

static bool has_restarted(pid_t pid, struct thread_call *call)
{
    assert_true(thread_call_read(pid, pid, true, call) >= 0);
    return call->number == SYS_restart_syscall && call->kind == IN_POLL;
}

/* As a laptop's programs after a night, or a container's that was paused. */
static void after_a_stop_poll_is_still_poll_with_its_array(void **state)
{
    (void)state;
    set_up();
    struct thread_call call;
    struct seen seen = {0};
    pid_t pid = fork_waiting(wait_in_poll);
    assert_soon(is_in(pid, true, IN_POLL, &call));
    kill(pid, SIGSTOP);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    kill(pid, SIGCONT);
    assert_soon(has_restarted(pid, &call));
    assert_string_equal(call.name, "poll");
    assert_int_equal(wait_set_read(pid, &call, note, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.fd[0], waited.listener);
    end_holder(pid);
    tear_down();
}

static void memory_that_is_not_there_is_said(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct thread_call call = {.kind = IN_POLL, .has_arguments = true, .arguments = {8, 3}};
    assert_int_equal(wait_set_read(getpid(), &call, note, &seen), -EFAULT);
    call.arguments[1] = UINT64_MAX;
    assert_int_equal(wait_set_read(getpid(), &call, note, &seen), -E2BIG);
    call = (struct thread_call){.kind = IN_SELECT, .has_arguments = true, .arguments = {64, 8}};
    assert_int_equal(wait_set_read(getpid(), &call, note, &seen), -EFAULT);
    call.arguments[0] = UINT64_MAX;
    assert_int_equal(wait_set_read(getpid(), &call, note, &seen), -E2BIG);
    call.has_arguments = false;
    assert_int_equal(wait_set_read(getpid(), &call, note, &seen), -EFAULT);
    struct thread_call none;
    assert_int_equal(thread_call_read(99999999, 99999999, true, &none), -ESRCH);
    assert_int_equal(seen.count, 0);
}

static void this_program_makes_native_calls(void **state)
{
    (void)state;
    assert_true(thread_calls_are_native(getpid()));
    assert_true(thread_calls_are_native(99999999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_known_by_number),
        cmocka_unit_test(a_thread_that_runs_is_in_no_call),
        cmocka_unit_test(other_texts_say_of_no_call),
        cmocka_unit_test(a_descriptor_that_can_be_none_is_none),
        cmocka_unit_test(where_it_sleeps_in_the_kernel_says_what_for),
        cmocka_unit_test(an_array_of_poll_is_read),
        cmocka_unit_test(sets_of_select_are_read_up_to_their_end),
        cmocka_unit_test(a_child_is_seen_in_its_call),
        cmocka_unit_test(without_attaching_its_sleep_says_the_same_without_a_descriptor),
        cmocka_unit_test(the_sets_of_a_child_are_read_out_of_its_memory),
        cmocka_unit_test(after_a_stop_poll_is_still_poll_with_its_array),
        cmocka_unit_test(memory_that_is_not_there_is_said),
        cmocka_unit_test(this_program_makes_native_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
