#include "../unit.h"

#include "kernel/act.h"
#include "kernel/packet_drop.h"
#include "kernel/tcp_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

/* The two ends of a loopback TCP connection; -1 where an end is closed. */
struct pair {
    int server, client;
};

static int open_pair(void **state)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    struct pair *pair = malloc(sizeof *pair);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &length), 0);
    pair->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair->client, (struct sockaddr *)&where, length), 0);
    pair->server = accept(listener, NULL, NULL);
    assert_true(pair->server >= 0);
    close(listener);
    *state = pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;
    if (pair->server >= 0)
        close(pair->server);
    if (pair->client >= 0)
        close(pair->client);
    free(pair);
    return 0;
}

static void assert_becomes_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 5000), 1);
}

static void assert_released(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
}

static void every_act_reads_back_from_its_name(void **state)
{
    (void)state;
    for (int act = ACT_OPEN; act < ACT_COUNT; act++)
        assert_int_equal(act_parse(act_name((enum act)act)), act);
}

static void another_word_is_no_act(void **state)
{
    (void)state;
    assert_int_equal(act_parse("slam"), ACT_NONE);
    assert_int_equal(act_parse(""), ACT_NONE);
    assert_int_equal(act_parse("close "), ACT_NONE);
}

static void every_act_names_its_call(void **state)
{
    (void)state;
    for (int act = ACT_OPEN; act < ACT_COUNT; act++)
        if (act != ACT_WAIT) /* nothing is called */
            assert_contains(act_call((enum act)act), "(");
    assert_string_equal(act_call(ACT_WAIT), "");
    assert_string_equal(act_call(ACT_SHUTDOWN), "shutdown(SHUT_WR)");
}

static void what_ends_an_end_releases_its_descriptor(void **state)
{
    (void)state;
    for (int act = ACT_OPEN; act < ACT_COUNT; act++)
        assert_int_equal(act_releases((enum act)act),
                         act_closes((enum act)act) || act == ACT_ABORT || act == ACT_VANISH);
}

static void abort_and_vanish_send_no_fin(void **state)
{
    (void)state;
    for (int act = ACT_OPEN; act < ACT_COUNT; act++)
        assert_int_equal(act_closes((enum act)act),
                         act == ACT_CLOSE || act == ACT_FINISH || act == ACT_LINGER || act == ACT_CRASH);
}

static struct tcp_info info_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return info;
}

static void await_fin(int fd)
{
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
    assert_int_equal(poll(&ended, 1, 5000), 1);
}

/* Segments that the server has had of what the client says and its FIN. */
static unsigned segments_of(const struct pair *pair, enum act first, enum act then)
{
    unsigned before = info_of(pair->server).tcpi_segs_in;
    assert_int_equal(act_apply(first, pair->client), 0);
    if (then != ACT_NONE)
        assert_int_equal(act_apply(then, pair->client), 0);
    await_fin(pair->server);
    return info_of(pair->server).tcpi_segs_in - before;
}

static void the_last_data_and_the_fin_are_one_segment(void **state)
{
    struct pair *pair = *state;
    int fd = pair->client, unread = 0;
    char byte;
    assert_int_equal(segments_of(pair, ACT_FINISH, ACT_NONE), 1);
    pair->client = -1;
    assert_released(fd);
    assert_int_equal(info_of(pair->server).tcpi_data_segs_in, 1);
    assert_int_equal(ioctl(pair->server, FIONREAD, &unread), 0);
    assert_true(unread > 0); /* without the FIN */
    assert_int_equal(act_apply(ACT_READ, pair->server), 0);
    assert_int_equal(recv(pair->server, &byte, 1, MSG_DONTWAIT), 0);
}

static void data_and_a_fin_that_are_sent_apart_are_two(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(segments_of(pair, ACT_WRITE, ACT_SHUTDOWN), 2);
}

/* A connection to whose client 2 KB fit. */
static int open_narrow_pair(void **state)
{
    const int least = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    struct pair *pair = malloc(sizeof *pair);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &length), 0);
    pair->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(pair->client, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    assert_int_equal(connect(pair->client, (struct sockaddr *)&where, length), 0);
    pair->server = accept(listener, NULL, NULL);
    close(listener);
    *state = pair;
    return 0;
}

static void what_fills_the_window_does_not_all_leave(void **state)
{
    struct pair *pair = *state;
    int unsent = 0;
    assert_int_equal(act_apply(ACT_FILL, pair->server), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ioctl(pair->server, SIOCOUTQ, &unsent), 0);
        assert_true(unsent > 0);
        poll(NULL, 0, 5);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel says so of no RST: the client's connection is as it was. */
static void close_lingers_in_vain_and_says_0(void **state)
{
    struct pair *pair = *state;
    int fd = pair->server;
    assert_true(act_blocks(ACT_LINGER));
    assert_int_equal(act_apply(ACT_FILL, pair->server), 0);
    int64_t began_ms = now_ms();
    assert_int_equal(act_apply(ACT_LINGER, pair->server), 0);
    assert_true(now_ms() - began_ms >= ACT_LINGER_S * 1000 - 10);
    pair->server = -1;
    assert_released(fd);
    assert_int_equal(info_of(pair->client).tcpi_state, STATE_ESTABLISHED);
}

static void close_does_not_linger_when_all_is_acknowledged(void **state)
{
    struct pair *pair = *state;
    int64_t began_ms = now_ms();
    assert_int_equal(act_apply(ACT_LINGER, pair->server), 0);
    assert_true(now_ms() - began_ms < ACT_LINGER_S * 1000 - 10);
    pair->server = -1;
    await_fin(pair->client);
}

static void what_is_written_is_read(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_WRITE, pair->server), 0);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), 0);
}

static void reading_takes_all_that_was_written(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_WRITE, pair->server), 0);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), 0);
    assert_int_equal(act_apply(ACT_READ, pair->client), -EAGAIN);
}

static void reading_before_anything_came_asks_to_wait(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_READ, pair->client), -EAGAIN);
}

static void reading_other_data_is_a_bad_message(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(send(pair->server, "hello", 5, 0), 5);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), -EBADMSG);
}

static void reading_more_than_was_written_is_a_bad_message(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_WRITE, pair->server), 0);
    assert_int_equal(send(pair->server, "x", 1, 0), 1);
    /* Loopback delivers in order: once the end is there, so is the data before it. */
    assert_int_equal(shutdown(pair->server, SHUT_WR), 0);
    struct pollfd ended = {.fd = pair->client, .events = POLLRDHUP};
    assert_int_equal(poll(&ended, 1, 5000), 1);
    assert_int_equal(act_apply(ACT_READ, pair->client), -EBADMSG);
}

static void reading_the_end_is_a_bad_message(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(shutdown(pair->server, SHUT_WR), 0);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), -EBADMSG);
}

static void writing_never_waits(void **state)
{
    struct pair *pair = *state;
    int rc = 0;
    for (int i = 0; i < 1000000 && rc == 0; i++)
        rc = act_apply(ACT_WRITE, pair->server);
    assert_true(rc == -EAGAIN || rc == -EMSGSIZE);
}

static void writing_to_a_reset_connection_says_so_without_a_signal(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_ABORT, pair->client), 0);
    pair->client = -1;
    assert_becomes_readable(pair->server);
    assert_int_equal(act_apply(ACT_WRITE, pair->server), -ECONNRESET);
    assert_int_equal(act_apply(ACT_WRITE, pair->server), -EPIPE);
}

static void close_ends_the_stream_and_releases_the_descriptor(void **state)
{
    struct pair *pair = *state;
    int fd = pair->server;
    pair->server = -1;
    assert_int_equal(act_apply(ACT_CLOSE, fd), 0);
    assert_released(fd);
    char byte;
    assert_int_equal(recv(pair->client, &byte, 1, 0), 0);
}

static void closing_what_is_not_open_says_so(void **state)
{
    (void)state;
    assert_int_equal(act_apply(ACT_CLOSE, -1), -EBADF);
}

static void close_with_data_unread_resets(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_WRITE, pair->client), 0);
    assert_becomes_readable(pair->server);
    assert_int_equal(act_apply(ACT_CLOSE, pair->server), 0);
    pair->server = -1;
    char byte;
    assert_int_equal(recv(pair->client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void shutdown_ends_one_direction_and_keeps_the_other(void **state)
{
    struct pair *pair = *state;
    char byte;
    assert_int_equal(act_apply(ACT_SHUTDOWN, pair->client), 0);
    assert_int_equal(recv(pair->server, &byte, 1, 0), 0);
    assert_int_equal(act_apply(ACT_WRITE, pair->server), 0);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), 0);
}

static void abort_resets_and_releases_the_descriptor(void **state)
{
    struct pair *pair = *state;
    int fd = pair->client;
    pair->client = -1;
    assert_int_equal(act_apply(ACT_ABORT, fd), 0);
    assert_released(fd);
    char byte;
    assert_int_equal(recv(pair->server, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* Where this user may set no filter they say so, as packet_drop_probe does. */
static void a_deaf_end_hears_nothing_until_it_is_healed(void **state)
{
    struct pair *pair = *state;
    struct pollfd readable = {.fd = pair->client, .events = POLLIN};
    int probed = packet_drop_probe();
    assert_int_equal(act_apply(ACT_DROP, pair->client), probed);
    if (probed != 0) {
        print_message("this user may set no packet filter\n");
        skip();
    }
    assert_int_equal(act_apply(ACT_WRITE, pair->server), 0);
    assert_int_equal(poll(&readable, 1, 100), 0);
    assert_int_equal(act_apply(ACT_READ, pair->client), -EAGAIN);
    assert_int_equal(act_apply(ACT_UNDROP, pair->client), 0);
    assert_becomes_readable(pair->client);
    assert_int_equal(act_apply(ACT_READ, pair->client), 0);
}

static void only_a_deaf_end_is_healed(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(act_apply(ACT_UNDROP, pair->client), -ENOENT);
}

#define on_narrow_pair(name) cmocka_unit_test_setup_teardown(name, open_narrow_pair, close_pair)
#define on_pair(name)        cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

static void opening_crashing_and_waiting_are_not_done_to_ends(void **state)
{
    (void)state;
    for (int act = ACT_NONE; act < ACT_COUNT; act++) {
        bool is_for_nobody = act == ACT_NONE || act == ACT_OPEN || act == ACT_CRASH || act == ACT_WAIT;
        bool is_beside = act == ACT_UNLISTEN || act == ACT_RECONNECT;
        assert_int_equal(act_is_on_ends((enum act)act), !is_for_nobody && !is_beside);
        assert_int_equal(act_is_for_workers((enum act)act), !is_for_nobody);
    }
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_act_reads_back_from_its_name),
        cmocka_unit_test(another_word_is_no_act),
        cmocka_unit_test(every_act_names_its_call),
        cmocka_unit_test(opening_crashing_and_waiting_are_not_done_to_ends),
        cmocka_unit_test(what_ends_an_end_releases_its_descriptor),
        cmocka_unit_test(abort_and_vanish_send_no_fin),
        on_pair(the_last_data_and_the_fin_are_one_segment),
        on_pair(data_and_a_fin_that_are_sent_apart_are_two),
        on_narrow_pair(what_fills_the_window_does_not_all_leave),
        on_narrow_pair(close_lingers_in_vain_and_says_0),
        on_pair(close_does_not_linger_when_all_is_acknowledged),
        on_pair(what_is_written_is_read),
        on_pair(reading_takes_all_that_was_written),
        on_pair(reading_before_anything_came_asks_to_wait),
        on_pair(reading_other_data_is_a_bad_message),
        on_pair(reading_more_than_was_written_is_a_bad_message),
        on_pair(reading_the_end_is_a_bad_message),
        on_pair(writing_never_waits),
        on_pair(writing_to_a_reset_connection_says_so_without_a_signal),
        on_pair(close_ends_the_stream_and_releases_the_descriptor),
        cmocka_unit_test(closing_what_is_not_open_says_so),
        on_pair(close_with_data_unread_resets),
        on_pair(shutdown_ends_one_direction_and_keeps_the_other),
        on_pair(abort_resets_and_releases_the_descriptor),
        on_pair(a_deaf_end_hears_nothing_until_it_is_healed),
        on_pair(only_a_deaf_end_is_healed),
    };
    return cmocka_run_group_tests_name("act", tests, NULL, NULL);
}
