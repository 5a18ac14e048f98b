#include "../unit.h"

#include "view/ladder.h"

#include <stdlib.h>

enum { S = SIDE_SET(SIDE_SERVER), C = SIDE_SET(SIDE_CLIENT), WIDTH = 80 };

struct row {
    enum act act;
    uint32_t by;
    enum tcp_state before[SIDE_COUNT], after[SIDE_COUNT]; /* server, client */
    const char *segments;                                 /* "client SYN; server SYN, ACK;" */
};

/* Every act, and every outcome of it that can be seen. */
static const struct row rows[] = {
    {ACT_OPEN,
     C,
     {STATE_GONE, STATE_GONE},
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     "client SYN; server SYN, ACK; client ACK; "},
    {ACT_CLOSE,
     S,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_FIN_WAIT2, STATE_CLOSE_WAIT},
     "server FIN; client ACK; "},
    {ACT_CLOSE,
     C,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_CLOSE_WAIT, STATE_FIN_WAIT2},
     "client FIN; server ACK; "},
    {ACT_CLOSE,
     C,
     {STATE_FIN_WAIT2, STATE_CLOSE_WAIT},
     {STATE_TIME_WAIT, STATE_GONE},
     "client FIN; server ACK; "},
    /* after tcp_fin_timeout */
    {ACT_CLOSE, C, {STATE_GONE, STATE_CLOSE_WAIT}, {STATE_GONE, STATE_GONE}, "client FIN; server RST; "},
    /* unread data */
    {ACT_CLOSE, S, {STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_GONE, STATE_GONE}, "server RST; "},
    {ACT_CLOSE, S, {STATE_GONE, STATE_GONE}, {STATE_GONE, STATE_GONE}, ""},
    /* the descriptor outlives its FIN_WAIT2 */
    {ACT_CLOSE, C, {STATE_GONE, STATE_TIME_WAIT}, {STATE_GONE, STATE_TIME_WAIT}, ""},
    {ACT_SHUTDOWN,
     C,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_CLOSE_WAIT, STATE_FIN_WAIT2},
     "client FIN; server ACK; "},
    {ACT_ABORT, C, {STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_GONE, STATE_GONE}, "client RST; "},
    {ACT_WRITE,
     S,
     {STATE_CLOSE_WAIT, STATE_FIN_WAIT2},
     {STATE_CLOSE_WAIT, STATE_FIN_WAIT2},
     "server data; client ACK; "},
    {ACT_WRITE,
     C,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     "client data; server ACK; "},
    {ACT_FILL,
     S,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     "server data; client ACK; "},
    /* one segment */
    {ACT_FINISH,
     C,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_CLOSE_WAIT, STATE_FIN_WAIT2},
     "client data, FIN; server ACK; "},
    /* the FIN waits behind data that the window holds up */
    {ACT_LINGER, S, {STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_FIN_WAIT1, STATE_ESTABLISHED}, ""},
    {ACT_READ, C, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}, {STATE_CLOSE_WAIT, STATE_FIN_WAIT2}, ""},
    {ACT_CLOSE,
     BOTH_SIDES,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_TIME_WAIT, STATE_GONE},
     "server FIN; client FIN, ACK; server ACK; "},
    {ACT_CLOSE,
     BOTH_SIDES,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_GONE, STATE_TIME_WAIT},
     "client FIN; server FIN, ACK; client ACK; "},
    /* of these the other side hears nothing, or they cannot be walked */
    {ACT_DROP, C, {STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_ESTABLISHED, STATE_ESTABLISHED}, ""},
    {ACT_UNDROP, S, {STATE_FIN_WAIT1, STATE_FIN_WAIT1}, {STATE_CLOSING, STATE_FIN_WAIT1}, ""},
    /* what waits in a listener's queue goes with it */
    {ACT_UNLISTEN, S, {STATE_ESTABLISHED, STATE_ESTABLISHED}, {STATE_GONE, STATE_GONE}, "server RST; "},
    /* a SYN meets the old connection, or nothing */
    {ACT_RECONNECT,
     C,
     {STATE_CLOSE_WAIT, STATE_GONE},
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     "client SYN; server ACK; client RST; client SYN; server SYN, ACK; client ACK; "},
    {ACT_RECONNECT,
     C,
     {STATE_GONE, STATE_GONE},
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     "client SYN; server SYN, ACK; client ACK; "},
    /* the kernel closes for a process that is killed */
    {ACT_CRASH,
     S,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_FIN_WAIT2, STATE_CLOSE_WAIT},
     "server FIN; client ACK; "},
    /* nobody acknowledges */
    {ACT_CLOSE,
     S,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_FIN_WAIT1, STATE_ESTABLISHED},
     "server FIN; "},
    /* the FINs cross */
    {ACT_CLOSE,
     BOTH_SIDES,
     {STATE_ESTABLISHED, STATE_ESTABLISHED},
     {STATE_TIME_WAIT, STATE_TIME_WAIT},
     "server FIN; client FIN; server ACK; client ACK; "},
};

static void fill(struct end_sight ends[SIDE_COUNT], const enum tcp_state states[SIDE_COUNT])
{
    for (int side = 0; side < SIDE_COUNT; side++)
        ends[side] = (struct end_sight){states[side], -1};
}

static void the_segments_follow_from_the_act_and_what_came_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct order_step step = {.act = rows[i].act, .by = rows[i].by};
        struct end_sight before[SIDE_COUNT], after[SIDE_COUNT];
        struct segment segments[SEGMENTS_MAX];
        char text[256] = "";
        fill(before, rows[i].before);
        fill(after, rows[i].after);
        int count = ladder_segments(&step, before, after, segments);
        assert_in_range(count, 0, SEGMENTS_MAX);
        for (int s = 0; s < count; s++)
            sprintf(text + strlen(text), "%s %s; ", side_name(segments[s].from), segments[s].flags);
        assert_string_equal(text, rows[i].segments);
    }
}

/* ---- what is drawn ---- */

static struct connection connection_between(const char *address)
{
    struct connection connection = {.port = {15000, 57663}};
    assert_true(address_parse(address, &connection.address[SIDE_SERVER]));
    connection.address[SIDE_CLIENT] = connection.address[SIDE_SERVER];
    return connection;
}

/* Head and one step; the caller frees it. */
static char *drawn(const struct row *row, const char *address, bool utf8)
{
    char *text = NULL;
    size_t size;
    struct ladder ladder = {.out = open_memstream(&text, &size), .feel = {.utf8 = utf8}};
    assert_non_null(ladder.out);
    const struct order_step step = {.act = row->act, .by = row->by};
    const struct connection connection = connection_between(address);
    struct end_sight before[SIDE_COUNT], after[SIDE_COUNT];
    fill(before, row->before);
    fill(after, row->after);
    ladder_head(&ladder, &connection);
    ladder_step(&ladder, &step, before, after);
    fclose(ladder.out);
    return text;
}

/* Characters, not bytes. */
static int widest_line(const char *text)
{
    int widest = 0, width = 0;
    for (; *text != '\0'; text++) {
        width = *text == '\n' ? 0 : width + (((unsigned char)*text & 0xc0) != 0x80);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void nothing_is_wider_than_a_terminal(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.255.255.254", "::1"};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t a = 0; a < COUNT_OF(addresses); a++)
            for (int utf8 = 0; utf8 <= 1; utf8++) {
                char *text = drawn(&rows[i], addresses[a], utf8);
                assert_in_range(widest_line(text), 1, WIDTH);
                assert_lacks(text, " \n");
                free(text);
            }
}

static void without_utf8_it_is_plain_ascii(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *text = drawn(&rows[i], "127.0.0.1", false);
        for (const char *p = text; *p != '\0'; p++)
            assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
        free(text);
    }
}

static void a_step_shows_call_segments_and_states(void **state)
{
    (void)state;
    char *text = drawn(&rows[1], "127.0.0.1", false);
    assert_string_equal(text,
                        "  client                                                                server\n"
                        "  127.0.0.1:57663                                              127.0.0.1:15000\n"
                        "\n"
                        "                                                                       close()\n"
                        "                <-------------------- FIN ---------------------\n"
                        "                -------------------- ACK --------------------->\n"
                        "  CLOSE_WAIT                                                         FIN_WAIT2\n"
                        "\n");
    free(text);
}

static void opening_is_a_call_on_each_side(void **state)
{
    (void)state;
    char *text = drawn(&rows[0], "::1", true);
    assert_contains(text, "  connect()     ");
    assert_contains(text, "     accept()\n");
    assert_contains(text, " SYN ");
    assert_contains(text, "▶\n");
    assert_contains(text, "◀─");
    assert_contains(text, "[::1]:57663");
    free(text);
}

static void a_step_that_sends_nothing_says_so(void **state)
{
    (void)state;
    char *text = drawn(&rows[6], "127.0.0.1", true);
    assert_contains(text, "(nothing is sent)");
    free(text);
}

static void waiting_sends_nothing(void **state)
{
    (void)state;
    const struct order_step step = {.act = ACT_WAIT};
    const struct end_sight before[SIDE_COUNT] = {{STATE_FIN_WAIT2, -1}, {STATE_CLOSE_WAIT, -1}};
    const struct end_sight after[SIDE_COUNT] = {{STATE_GONE, -1}, {STATE_CLOSE_WAIT, -1}};
    struct segment segments[SEGMENTS_MAX];
    assert_int_equal(ladder_segments(&step, before, after, segments), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_segments_follow_from_the_act_and_what_came_of_it),
        cmocka_unit_test(nothing_is_wider_than_a_terminal),
        cmocka_unit_test(without_utf8_it_is_plain_ascii),
        cmocka_unit_test(a_step_shows_call_segments_and_states),
        cmocka_unit_test(opening_is_a_call_on_each_side),
        cmocka_unit_test(a_step_that_sends_nothing_says_so),
        cmocka_unit_test(waiting_sends_nothing),
    };
    return cmocka_run_group_tests_name("ladder", tests, NULL, NULL);
}
