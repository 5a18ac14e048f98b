#include "../unit.h"

#include "control/link.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* ---- over a stream ---- */

struct talk {
    struct event_base *base;
    struct link *link;
    int peer; /* the other end, plain */
    int lines, bad, ends;
    char last[sizeof(struct message_text)];
    char complaint[sizeof(struct message_complaint)];
    bool hang_up; /* on_message frees the link */
};

static void take_message(void *context, const struct message *message)
{
    struct talk *talk = context;
    struct message_text text;
    talk->lines++;
    message_encode(message, &text);
    strcpy(talk->last, text.text);
    if (!talk->hang_up)
        return;
    link_free(talk->link);
    talk->link = NULL;
}

static void take_end(void *context)
{
    ((struct talk *)context)->ends++;
}

static void take_bad(void *context, const struct message_complaint *why)
{
    struct talk *talk = context;
    talk->bad++;
    strcpy(talk->complaint, why->text);
}

/* Any line; and those of a worker. */
static const struct link_ears any = {WAY_CARRIED, take_message, take_bad, take_end};
static const struct link_ears of_worker = {WAY_FROM_WORKER, take_message, take_bad, take_end};

static int start_talk(void **state)
{
    struct talk *talk = calloc(1, sizeof *talk);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    talk->base = event_base_new();
    talk->peer = fds[1];
    talk->link = link_new(talk->base, fds[0], &any, talk);
    assert_non_null(talk->link);
    const struct timeval kill_timer = {.tv_sec = 10};
    setsockopt(talk->peer, SOL_SOCKET, SO_RCVTIMEO, &kill_timer, sizeof kill_timer);
    *state = talk;
    return 0;
}

static int stop_talk(void **state)
{
    struct talk *talk = *state;
    link_free(talk->link);
    if (talk->peer >= 0)
        close(talk->peer);
    event_base_loop(talk->base, EVLOOP_NONBLOCK);
    event_base_free(talk->base);
    free(talk);
    return 0;
}

static void tell(struct talk *talk, const char *text)
{
    assert_int_equal(write(talk->peer, text, strlen(text)), strlen(text));
}

/* Until *counter is there; the alarm of main() is the deadline. */
static void turn_until(struct talk *talk, const int *counter, int there)
{
    while (*counter < there)
        event_base_loop(talk->base, EVLOOP_ONCE);
}

static void turn_until_idle(struct talk *talk)
{
    for (int i = 0; i < 10; i++)
        event_base_loop(talk->base, EVLOOP_NONBLOCK);
}

static void a_line_arrives(void **state)
{
    struct talk *talk = *state;
    tell(talk, "accepted 0 17 17 0\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "accepted 0 17 17 0");
}

static void half_a_line_waits_for_the_rest(void **state)
{
    struct talk *talk = *state;
    tell(talk, "accep");
    turn_until_idle(talk);
    assert_int_equal(talk->lines, 0);
    tell(talk, "ted 0\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "accepted 0");
}

static void lines_that_arrive_together_are_parted(void **state)
{
    struct talk *talk = *state;
    tell(talk, "one\ntwo\nthree\n");
    turn_until(talk, &talk->lines, 3);
    assert_string_equal(talk->last, "three");
}

static void empty_lines_are_nothing(void **state)
{
    struct talk *talk = *state;
    tell(talk, "\n  \n\r\nlast\n");
    turn_until(talk, &talk->lines, 1);
    turn_until_idle(talk);
    assert_int_equal(talk->lines, 1);
    assert_string_equal(talk->last, "last");
    assert_int_equal(talk->bad, 0);
}

static void a_line_that_is_too_long_is_bad(void **state)
{
    struct talk *talk = *state;
    char text[MESSAGE_LINE_MAX + 2];
    memset(text, 'x', sizeof text);
    text[MESSAGE_LINE_MAX + 1] = '\n';
    assert_int_equal(write(talk->peer, text, sizeof text), sizeof text);
    tell(talk, "last\n");
    turn_until(talk, &talk->lines, 1);
    assert_int_equal(talk->bad, 1);
    assert_contains(talk->complaint, "not a line of words");
    assert_string_equal(talk->last, "last");
}

static void a_line_with_a_zero_byte_is_bad(void **state)
{
    struct talk *talk = *state;
    assert_int_equal(write(talk->peer, "one\0two\nlast\n", 13), 13);
    turn_until(talk, &talk->lines, 1);
    assert_int_equal(talk->bad, 1);
    assert_string_equal(talk->last, "last");
}

/* ---- lines that are checked ---- */

static void what_is_no_message_never_gets_to_on_message(void **state)
{
    struct talk *talk = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct link *link = link_new(talk->base, fds[0], &of_worker, talk);
    static const char text[] =
        "opened 0 1 1 1\nopened 0 1 1 1 -1\nact 1 close forwards 0\nopened 0 1 1 1 0\n";
    assert_int_equal(write(fds[1], text, sizeof text - 1), sizeof text - 1);
    turn_until(talk, &talk->lines, 1);
    assert_int_equal(talk->bad, 3);
    assert_string_equal(talk->last, "opened 0 1 1 1 0");
    assert_contains(talk->complaint, "\"act\" is not a message");
    link_free(link);
    close(fds[1]);
}

static void what_a_channel_hears_is_checked_too(void **state)
{
    struct talk *talk = *state;
    struct link *channel = link_new_channel(talk->link, 0, &of_worker, talk);
    link_hear(channel, "ghosts 1 many");
    assert_int_equal(talk->lines, 0);
    assert_int_equal(talk->bad, 1);
    assert_contains(talk->complaint, "COUNT of \"ghosts\" is \"many\", allowed is 0 to ");
    link_free(channel);
}

static void what_is_sent_is_a_line(void **state)
{
    struct talk *talk = *state;
    link_send(talk->link, &(struct message){.id = MESSAGE_ACT, .act = {7, ACT_CLOSE}});
    turn_until_idle(talk);
    char text[32] = "";
    assert_int_equal(read(talk->peer, text, sizeof text - 1), strlen("act 7 close forwards 0\n"));
    assert_string_equal(text, "act 7 close forwards 0\n");
}

static void the_end_of_the_stream_is_told_once(void **state)
{
    struct talk *talk = *state;
    close(talk->peer);
    talk->peer = -1;
    turn_until(talk, &talk->ends, 1);
    turn_until_idle(talk);
    assert_int_equal(talk->ends, 1);
}

static void what_came_before_the_end_is_still_told(void **state)
{
    struct talk *talk = *state;
    tell(talk, "done 1 2 0 0 0\n");
    close(talk->peer);
    talk->peer = -1;
    turn_until(talk, &talk->ends, 1);
    assert_int_equal(talk->lines, 1);
}

static void a_line_without_end_is_taken_for_the_end(void **state)
{
    struct talk *talk = *state;
    char text[MESSAGE_LINE_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tell(talk, text);
    turn_until(talk, &talk->ends, 1);
    assert_int_equal(talk->lines, 0);
}

static void a_link_may_be_freed_by_its_own_line(void **state)
{
    struct talk *talk = *state;
    talk->hang_up = true;
    tell(talk, "quit\nnever heard\n");
    turn_until(talk, &talk->lines, 1);
    turn_until_idle(talk);
    assert_int_equal(talk->lines, 1);
    assert_null(talk->link);
}

/* ---- two descriptors ---- */

static void a_pair_reads_from_one_and_writes_to_the_other(void **state)
{
    struct talk *talk = *state;
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    struct link *link = link_new_pair(talk->base, in[0], out[1], &any, talk);
    assert_non_null(link);
    assert_int_equal(write(in[1], "hello 3\n", 8), 8);
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "hello 3");
    link_send(link, &(struct message){.id = MESSAGE_KILL, .kill = {7}});
    turn_until_idle(talk);
    char text[32] = "";
    assert_int_equal(read(out[0], text, sizeof text - 1), strlen("kill 7\n"));
    assert_string_equal(text, "kill 7\n");
    close(in[1]);
    turn_until(talk, &talk->ends, 1);
    link_free(link);
    turn_until_idle(talk);
    assert_int_equal(read(out[0], text, 1), 0); /* it has closed its own */
    close(out[0]);
}

static void a_reader_that_is_gone_ends_a_pair(void **state)
{
    struct talk *talk = *state;
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    signal(SIGPIPE, SIG_IGN);
    struct link *link = link_new_pair(talk->base, in[0], out[1], &any, talk);
    close(out[0]);
    link_send(link, &(struct message){.id = MESSAGE_HOST_PONG});
    turn_until(talk, &talk->ends, 1);
    close(in[1]);
    link_free(link);
    turn_until_idle(talk);
}

/* ---- channels ---- */

static void what_a_channel_sends_goes_out_on_its_carrier(void **state)
{
    struct talk *talk = *state;
    struct link *channel = link_new_channel(talk->link, 12, &any, talk);
    link_send(channel, &(struct message){.id = MESSAGE_LOOK, .serial = 5});
    link_send(talk->link, &(struct message){.id = MESSAGE_HOST_PING});
    link_free(channel);
    turn_until_idle(talk);
    char text[64] = "";
    assert_true(read(talk->peer, text, sizeof text - 1) > 0);
    assert_string_equal(text, "to 12 look 5\nping\n");
}

static void a_channel_hears_what_its_carrier_gives_it(void **state)
{
    struct talk *talk = *state;
    struct talk own = {.base = talk->base};
    struct link *channel = link_new_channel(talk->link, 0, &of_worker, &own);
    link_hear(channel, "ghosts 1 2");
    assert_int_equal(own.lines, 1);
    assert_string_equal(own.last, "ghosts 1 2");
    assert_int_equal(talk->lines + talk->ends, 0);
    link_free(channel);
}

static void a_channel_that_is_freed_leaves_its_carrier(void **state)
{
    struct talk *talk = *state;
    link_free(link_new_channel(talk->link, 0, &any, talk));
    tell(talk, "still here\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "still here");
}

static void no_link_is_freed_as_nothing(void **state)
{
    (void)state;
    link_free(NULL);
}

#define talk_test(name) cmocka_unit_test_setup_teardown(name, start_talk, stop_talk)

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        talk_test(a_line_arrives),
        talk_test(half_a_line_waits_for_the_rest),
        talk_test(lines_that_arrive_together_are_parted),
        talk_test(empty_lines_are_nothing),
        talk_test(a_line_that_is_too_long_is_bad),
        talk_test(a_line_with_a_zero_byte_is_bad),
        talk_test(what_is_no_message_never_gets_to_on_message),
        talk_test(what_a_channel_hears_is_checked_too),
        talk_test(what_is_sent_is_a_line),
        talk_test(the_end_of_the_stream_is_told_once),
        talk_test(what_came_before_the_end_is_still_told),
        talk_test(a_line_without_end_is_taken_for_the_end),
        talk_test(a_link_may_be_freed_by_its_own_line),
        talk_test(a_pair_reads_from_one_and_writes_to_the_other),
        talk_test(a_reader_that_is_gone_ends_a_pair),
        talk_test(what_a_channel_sends_goes_out_on_its_carrier),
        talk_test(a_channel_hears_what_its_carrier_gives_it),
        talk_test(a_channel_that_is_freed_leaves_its_carrier),
        cmocka_unit_test(no_link_is_freed_as_nothing),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
