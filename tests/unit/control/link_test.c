#include "../unit.h"

#include "control/link.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct link_line split(char *text)
{
    struct link_line line;
    assert_int_equal(link_split(text, &line), 0);
    return line;
}

static void a_line_is_cut_at_blanks(void **state)
{
    (void)state;
    char text[] = "listen 3 127.0.0.1 15000";
    struct link_line line = split(text);
    assert_int_equal(line.count, 4);
    assert_string_equal(line.word[0], "listen");
    assert_string_equal(line.word[1], "3");
    assert_string_equal(line.word[2], "127.0.0.1");
    assert_string_equal(line.word[3], "15000");
}

static void blanks_in_a_row_part_only_once(void **state)
{
    (void)state;
    char text[] = "  act   7  close \r\n";
    struct link_line line = split(text);
    assert_int_equal(line.count, 3);
    assert_string_equal(line.word[2], "close");
}

static void an_empty_line_has_no_words(void **state)
{
    (void)state;
    char nothing[] = "", blanks[] = "   ";
    assert_int_equal(split(nothing).count, 0);
    assert_int_equal(split(blanks).count, 0);
}

static void as_many_words_as_allowed_fit(void **state)
{
    (void)state;
    char text[LINK_WORDS_MAX * 2 + 1] = "";
    for (int i = 0; i < LINK_WORDS_MAX; i++)
        strcat(text, "w ");
    assert_int_equal(split(text).count, LINK_WORDS_MAX);
}

static void one_word_too_many_is_refused(void **state)
{
    (void)state;
    char text[(LINK_WORDS_MAX + 1) * 2 + 1] = "";
    for (int i = 0; i < LINK_WORDS_MAX + 1; i++)
        strcat(text, "w ");
    struct link_line line;
    assert_int_equal(link_split(text, &line), -EMSGSIZE);
}

static void the_longest_message_fits(void **state)
{
    (void)state;
    char text[LINK_LINE_MAX] = "from 18446744073709551615 seen 18446744073709551615 18446744073709551615";
    for (int i = 0; i < 24 + 8; i++)
        strcat(text, " 9223372036854775807");
    assert_int_equal(split(text).count, 37);
}

static void a_word_is_a_number(void **state)
{
    (void)state;
    char text[] = "credit 2 50000 -7 9223372036854775807";
    struct link_line line = split(text);
    assert_int_equal(link_number(&line, 1), 2);
    assert_int_equal(link_number(&line, 2), 50000);
    assert_int_equal(link_number(&line, 3), -7);
    assert_true(link_number(&line, 4) == INT64_MAX);
}

static void a_missing_word_is_zero(void **state)
{
    (void)state;
    char text[] = "credit";
    struct link_line line = split(text);
    assert_int_equal(link_number(&line, 1), 0);
    assert_int_equal(link_number(&line, 100), 0);
}

static void a_word_that_is_no_number_is_zero(void **state)
{
    (void)state;
    char text[] = "credit many";
    struct link_line line = split(text);
    assert_int_equal(link_number(&line, 1), 0);
}

/* ---- over a stream ---- */

struct talk {
    struct event_base *base;
    struct link *link;
    int peer; /* the other end, plain */
    int lines, bad, ends;
    char last[LINK_LINE_MAX];
    char complaint[sizeof(struct message_complaint)];
    bool hang_up; /* on_line frees the link */
};

static void take_line(void *context, const struct link_line *line)
{
    struct talk *talk = context;
    talk->lines++;
    talk->last[0] = '\0';
    for (int i = 0; i < line->count; i++) {
        strcat(talk->last, i > 0 ? "|" : "");
        strcat(talk->last, line->word[i]);
    }
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
static const struct link_ears any = {WAY_CARRIED, take_line, take_bad, take_end};
static const struct link_ears of_worker = {WAY_FROM_WORKER, take_line, take_bad, take_end};

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

static void a_line_arrives_as_words(void **state)
{
    struct talk *talk = *state;
    tell(talk, "accepted 0 17 17 0\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "accepted|0|17|17|0");
}

static void half_a_line_waits_for_the_rest(void **state)
{
    struct talk *talk = *state;
    tell(talk, "accep");
    turn_until_idle(talk);
    assert_int_equal(talk->lines, 0);
    tell(talk, "ted 0\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "accepted|0");
}

static void lines_that_arrive_together_are_parted(void **state)
{
    struct talk *talk = *state;
    tell(talk, "one\ntwo\nthree\n");
    turn_until(talk, &talk->lines, 3);
    assert_string_equal(talk->last, "three");
}

static void empty_lines_are_nothing_and_lines_of_too_many_words_are_bad(void **state)
{
    struct talk *talk = *state;
    char text[200] = "\n  \n";
    for (int i = 0; i < LINK_WORDS_MAX + 1; i++)
        strcat(text, "w ");
    strcat(text, "\nlast\n");
    tell(talk, text);
    turn_until(talk, &talk->lines, 1);
    turn_until_idle(talk);
    assert_int_equal(talk->lines, 1);
    assert_string_equal(talk->last, "last");
    assert_int_equal(talk->bad, 1);
    assert_contains(talk->complaint, "no line of words");
}

static void a_line_that_is_too_long_is_bad(void **state)
{
    struct talk *talk = *state;
    char text[LINK_LINE_MAX + 2];
    memset(text, 'x', sizeof text);
    text[LINK_LINE_MAX + 1] = '\n';
    assert_int_equal(write(talk->peer, text, sizeof text), sizeof text);
    tell(talk, "last\n");
    turn_until(talk, &talk->lines, 1);
    assert_int_equal(talk->bad, 1);
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

static void what_is_no_message_never_gets_to_on_line(void **state)
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
    assert_string_equal(talk->last, "opened|0|1|1|1|0");
    assert_contains(talk->complaint, "\"act\" is no message");
    link_free(link);
    close(fds[1]);
}

static void what_a_channel_hears_is_checked_too(void **state)
{
    struct talk *talk = *state;
    struct link *channel = link_new_channel(talk->link, 0, &of_worker, talk);
    char text[] = "ghosts 1 many";
    const struct link_line line = split(text);
    link_hear(channel, &line);
    assert_int_equal(talk->lines, 0);
    assert_int_equal(talk->bad, 1);
    assert_contains(talk->complaint, "COUNT of \"ghosts\" is \"many\", allowed is 0 to ");
    link_free(channel);
}

static void what_is_sent_is_a_line(void **state)
{
    struct talk *talk = *state;
    link_send(talk->link, "act %d %s", 7, "close");
    turn_until_idle(talk);
    char text[32] = "";
    assert_int_equal(read(talk->peer, text, sizeof text - 1), strlen("act 7 close\n"));
    assert_string_equal(text, "act 7 close\n");
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
    char text[LINK_LINE_MAX + 2];
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

/* ---- the rest of a line ---- */

static void the_rest_of_a_line_is_as_it_was(void **state)
{
    (void)state;
    char text[] = "to 7 act 3 close forwards 0";
    struct link_line line = split(text);
    assert_string_equal(link_rest(&line, 2).text, "act 3 close forwards 0");
    assert_string_equal(link_rest(&line, 6).text, "0");
    assert_string_equal(link_rest(&line, 7).text, "");
    assert_string_equal(link_rest(&line, 100).text, "");
}

static void a_rest_that_is_too_long_is_cut(void **state)
{
    (void)state;
    static char text[LINK_WORDS_MAX * 100];
    text[0] = '\0';
    for (int i = 0; i < LINK_WORDS_MAX; i++)
        strcat(text, "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww ");
    struct link_line line = split(text);
    assert_int_equal(strlen(link_rest(&line, 0).text), LINK_LINE_MAX - 1);
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
    assert_string_equal(talk->last, "hello|3");
    link_send(link, "start %d", 7);
    turn_until_idle(talk);
    char text[32] = "";
    assert_int_equal(read(out[0], text, sizeof text - 1), strlen("start 7\n"));
    assert_string_equal(text, "start 7\n");
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
    link_send(link, "pong");
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
    link_send(channel, "look %d", 5);
    link_send(talk->link, "ping");
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
    char text[] = "ghosts 1 2";
    const struct link_line line = split(text);
    link_hear(channel, &line);
    assert_int_equal(own.lines, 1);
    assert_string_equal(own.last, "ghosts|1|2");
    link_hear_end(channel);
    assert_int_equal(own.ends, 1);
    assert_int_equal(talk->lines + talk->ends, 0);
    link_free(channel);
}

static void a_channel_that_is_freed_leaves_its_carrier(void **state)
{
    struct talk *talk = *state;
    link_free(link_new_channel(talk->link, 0, &any, talk));
    tell(talk, "still here\n");
    turn_until(talk, &talk->lines, 1);
    assert_string_equal(talk->last, "still|here");
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
        cmocka_unit_test(a_line_is_cut_at_blanks),
        cmocka_unit_test(blanks_in_a_row_part_only_once),
        cmocka_unit_test(an_empty_line_has_no_words),
        cmocka_unit_test(as_many_words_as_allowed_fit),
        cmocka_unit_test(one_word_too_many_is_refused),
        cmocka_unit_test(the_longest_message_fits),
        cmocka_unit_test(a_word_is_a_number),
        cmocka_unit_test(a_missing_word_is_zero),
        cmocka_unit_test(a_word_that_is_no_number_is_zero),
        talk_test(a_line_arrives_as_words),
        talk_test(half_a_line_waits_for_the_rest),
        talk_test(lines_that_arrive_together_are_parted),
        talk_test(empty_lines_are_nothing_and_lines_of_too_many_words_are_bad),
        talk_test(a_line_that_is_too_long_is_bad),
        talk_test(a_line_with_a_zero_byte_is_bad),
        talk_test(what_is_no_message_never_gets_to_on_line),
        talk_test(what_a_channel_hears_is_checked_too),
        talk_test(what_is_sent_is_a_line),
        talk_test(the_end_of_the_stream_is_told_once),
        talk_test(what_came_before_the_end_is_still_told),
        talk_test(a_line_without_end_is_taken_for_the_end),
        talk_test(a_link_may_be_freed_by_its_own_line),
        cmocka_unit_test(the_rest_of_a_line_is_as_it_was),
        cmocka_unit_test(a_rest_that_is_too_long_is_cut),
        talk_test(a_pair_reads_from_one_and_writes_to_the_other),
        talk_test(a_reader_that_is_gone_ends_a_pair),
        talk_test(what_a_channel_sends_goes_out_on_its_carrier),
        talk_test(a_channel_hears_what_its_carrier_gives_it),
        talk_test(a_channel_that_is_freed_leaves_its_carrier),
        cmocka_unit_test(no_link_is_freed_as_nothing),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
