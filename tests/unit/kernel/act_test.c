#include "../unit.h"

#include "kernel/act.h"
#include "kernel/packet_drop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

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

static void only_close_abort_vanish_and_crash_release_the_descriptor(void **state)
{
    (void)state;
    for (int act = ACT_OPEN; act < ACT_COUNT; act++)
        assert_int_equal(act_releases((enum act)act),
                         act == ACT_CLOSE || act == ACT_ABORT || act == ACT_VANISH || act == ACT_CRASH);
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

#define on_pair(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

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
        cmocka_unit_test(only_close_abort_vanish_and_crash_release_the_descriptor),
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
