#include "../unit.h"

#include "view/connection_text.h"

#include <stdlib.h>

enum { WIDTH = 80 };

static struct connection ipv6_connection(void)
{
    struct connection connection = {.port = {65535, 65534}};
    assert_true(address_parse("::1", &connection.address[SIDE_SERVER]));
    connection.address[SIDE_CLIENT] = connection.address[SIDE_SERVER];
    return connection;
}

/* The caller frees it. */
static char *printed(const struct connection *connection, enum tcp_state server, enum tcp_state client,
                     enum side first, int width)
{
    const struct end_sight ends[SIDE_COUNT] = {{server, -1}, {client, -1}};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    connection_print(out, connection, ends, first, width);
    fclose(out);
    return text;
}

static void every_state_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < STATE_COUNT; i++)
        assert_non_null(state_words((enum tcp_state)i));
}

static void the_words_say_who_has_to_act(void **state)
{
    (void)state;
    assert_string_equal(state_words(STATE_FIN_WAIT2), "closed here; the other side has not called close()");
    assert_contains(state_words(STATE_CLOSE_WAIT), "this side owes a close()");
}

static void an_end_is_its_addresses_its_state_and_words(void **state)
{
    (void)state;
    struct connection connection = {.port = {15000, 57663}};
    address_parse("127.0.0.1", &connection.address[SIDE_SERVER]);
    address_parse("127.0.0.1", &connection.address[SIDE_CLIENT]);
    char *text = printed(&connection, STATE_FIN_WAIT2, STATE_CLOSE_WAIT, SIDE_SERVER, WIDTH);
    assert_string_equal(text, "127.0.0.1:15000 127.0.0.1:57663 FIN_WAIT2\n"
                              "  server  FIN_WAIT2: closed here; the other side has not called close()\n"
                              "127.0.0.1:57663 127.0.0.1:15000 CLOSE_WAIT\n"
                              "  client  CLOSE_WAIT: the other side has closed; this side owes a close()\n");
    free(text);
}

static void the_own_end_comes_first(void **state)
{
    (void)state;
    struct connection connection = ipv6_connection();
    char *text = printed(&connection, STATE_ESTABLISHED, STATE_ESTABLISHED, SIDE_CLIENT, WIDTH);
    assert_true(strstr(text, "  client  ") < strstr(text, "  server  "));
    free(text);
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    static const int widths[] = {48, WIDTH};
    struct connection connection = ipv6_connection();
    for (size_t w = 0; w < COUNT_OF(widths); w++)
        for (int i = 0; i < STATE_COUNT; i++) {
            char *text = printed(&connection, (enum tcp_state)i, (enum tcp_state)i, SIDE_SERVER, widths[w]);
            for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
                assert_in_range(strlen(line), 1, widths[w]);
            free(text);
        }
}

/* ---- what a change means ---- */

struct change_row {
    enum tcp_state before[SIDE_COUNT], after[SIDE_COUNT]; /* one side, the other */
    const char *part;                                     /* NULL: nothing is said */
};

static const struct change_row changes[] = {
    {{STATE_FIN_WAIT2, STATE_CLOSE_WAIT}, {STATE_GONE, STATE_CLOSE_WAIT}, "CLOSE_WAIT has no timer"},
    {{STATE_GONE, STATE_CLOSE_WAIT}, {STATE_GONE, STATE_GONE}, "No TIME_WAIT follows"},
    {{STATE_TIME_WAIT, STATE_GONE}, {STATE_GONE, STATE_GONE}, "TIME_WAIT is over"},
    {{STATE_TIME_WAIT, STATE_TIME_WAIT}, {STATE_GONE, STATE_TIME_WAIT}, "TIME_WAIT is over"},
    {{STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_GONE, STATE_GONE}, "was reset"},
    {{STATE_FIN_WAIT2, STATE_CLOSE_WAIT}, {STATE_GONE, STATE_GONE}, "was reset"},
    {{STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_FIN_WAIT2, STATE_CLOSE_WAIT}, NULL},
    {{STATE_FIN_WAIT2, STATE_CLOSE_WAIT}, {STATE_TIME_WAIT, STATE_GONE}, NULL},
    {{STATE_GONE, STATE_GONE}, {STATE_ESTABLISHED, STATE_ESTABLISHED}, NULL},
    {{STATE_GONE, STATE_GONE}, {STATE_GONE, STATE_GONE}, NULL},
};

static void a_change_is_explained_whichever_side_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        for (int one = 0; one < SIDE_COUNT; one++) {
            int other = (int)side_other((enum side)one);
            struct end_sight before[SIDE_COUNT], after[SIDE_COUNT];
            before[one] = (struct end_sight){changes[i].before[0], -1};
            before[other] = (struct end_sight){changes[i].before[1], -1};
            after[one] = (struct end_sight){changes[i].after[0], -1};
            after[other] = (struct end_sight){changes[i].after[1], -1};
            const char *words = change_words(before, after);
            if (changes[i].part == NULL)
                assert_null(words);
            else
                assert_contains(words, changes[i].part);
        }
}

/* ---- countdowns ---- */

static void without_a_timer_there_is_no_countdown(void **state)
{
    (void)state;
    const struct end_sight ends[SIDE_COUNT] = {{STATE_FIN_WAIT2, -1}, {STATE_CLOSE_WAIT, -1}};
    assert_string_equal(countdown_text(ends).text, "");
}

static void a_countdown_is_in_whole_seconds_rounded_up(void **state)
{
    (void)state;
    struct end_sight ends[SIDE_COUNT] = {{STATE_FIN_WAIT2, 41001}, {STATE_CLOSE_WAIT, -1}};
    assert_string_equal(countdown_text(ends).text, "FIN_WAIT2 on the server: 42 s left");
    ends[SIDE_SERVER].ends_in_ms = 0;
    assert_string_equal(countdown_text(ends).text, "FIN_WAIT2 on the server: 0 s left");
}

static void two_timers_are_both_counted(void **state)
{
    (void)state;
    const struct end_sight ends[SIDE_COUNT] = {{STATE_TIME_WAIT, 57000}, {STATE_TIME_WAIT, 56000}};
    assert_string_equal(countdown_text(ends).text,
                        "TIME_WAIT on the server: 57 s left, TIME_WAIT on the client: 56 s left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_words),
        cmocka_unit_test(the_words_say_who_has_to_act),
        cmocka_unit_test(an_end_is_its_addresses_its_state_and_words),
        cmocka_unit_test(the_own_end_comes_first),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(a_change_is_explained_whichever_side_it_is),
        cmocka_unit_test(without_a_timer_there_is_no_countdown),
        cmocka_unit_test(a_countdown_is_in_whole_seconds_rounded_up),
        cmocka_unit_test(two_timers_are_both_counted),
    };
    return cmocka_run_group_tests_name("connection_text", tests, NULL, NULL);
}
